/* See spool.h.
 *
 * Invariants
 *   L1  what is in memory goes before what is in the file
 *   L2  while batches are in the file, memory is not empty: the last pop from memory reads more.
 *       So `count` says whether anything waits */
#include "spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../base/alloc.h"
#include "../base/assert.h"
#include "../base/pages.h"
#include "wire.h"

/* Read at a time, at least one batch. */
#define READ_BYTES ((size_t)1 << 20)
/* Space in the file that was read is given back when it has become so much. */
#define PUNCH_BYTES ((uint64_t)16 << 20)

typedef struct wi_spill {
    int file;
    uint64_t begin, end;   /* what is to be read yet */
    uint64_t punched;      /* space before it was given back */
    uint32_t count;        /* batches in it */
} wi_spill;

/* Before each batch in the file. */
typedef struct record {
    uint64_t bytes; /* of the batch as wire.h has it */
    uint32_t from, weight;
    uint64_t unused[6];
} record;
_Static_assert(sizeof(record) == 64, "batches in a file are aligned as in memory");

void wi_spool_init(wi_spool *spool, wi_spool_budget *budget)
{
    memset(spool, 0, sizeof *spool);
    spool->budget = budget;
}

static void add_bytes(void *sum, const char *memory, size_t bytes)
{
    (void)memory;
    *(size_t *)sum += bytes;
}

uint32_t wi_spool_weight(const weir_batch *batch)
{
    size_t row = batch->type->size + (batch->times ? sizeof *batch->times : 0) +
                 (batch->diffs ? sizeof *batch->diffs : 0);
    size_t bytes = sizeof *batch + batch->count * row;
    if (batch->type->text_count)
        wi_batch_texts(batch, add_bytes, &bytes);
    return bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
}

static wi_waiting *at(const wi_spool *spool, uint32_t index)
{
    return &spool->ring[(spool->head + index) & (spool->capacity - 1)];
}

void wi_spool_fini(wi_spool *spool)
{
    for (uint32_t i = 0; i < spool->count; i++) {
        atomic_fetch_sub_explicit(&spool->budget->bytes, at(spool, i)->bytes,
                                  memory_order_relaxed);
        weir_batch_drop(at(spool, i)->batch);
    }
    wi_free(spool->ring);
    if (spool->spill)
        close(spool->spill->file);
    wi_free(spool->spill);
    memset(spool, 0, sizeof *spool);
}

/* ---- in memory -------------------------------------------------------------------------- */

static void keep(wi_spool *spool, wi_waiting entry)
{
    if (spool->count == spool->capacity) {
        uint32_t capacity = spool->capacity ? spool->capacity * 2 : 8;
        wi_waiting *grown = wi_alloc(capacity * sizeof *grown);
        for (uint32_t i = 0; i < spool->count; i++)
            grown[i] = *at(spool, i);
        wi_free(spool->ring);
        spool->ring = grown;
        spool->capacity = capacity;
        spool->head = 0;
    }
    *at(spool, spool->count++) = entry;
    atomic_fetch_add_explicit(&spool->budget->bytes, entry.bytes, memory_order_relaxed);
}

/* ---- in the file ------------------------------------------------------------------------ */

static weir_err *failed(const wi_spool *spool, const char *what)
{
    return weir_err_new("batches that wait exceed their part of --memory, and the rest cannot be "
                        "%s a file in %s: %s; give --spill a directory with more room, or a "
                        "larger --memory",
                        what, spool->budget->directory, strerror(errno));
}

static weir_err *open_spill(wi_spool *spool)
{
    int file = wi_nameless_file(spool->budget->directory);
    if (file < 0)
        return failed(spool, "written to");
    spool->spill = WI_NEW(wi_spill);
    spool->spill->file = file;
    return NULL;
}

static bool write_all(wi_spill *spill, const void *bytes, size_t count)
{
    while (count) {
        ssize_t wrote = pwrite(spill->file, bytes, count, (off_t)spill->end);
        if (wrote <= 0) {
            if (wrote < 0 && errno == EINTR)
                continue;
            if (!wrote)
                errno = ENOSPC;
            return false;
        }
        bytes = (const char *)bytes + wrote;
        count -= (size_t)wrote;
        spill->end += (uint64_t)wrote;
    }
    return true;
}

/* What cannot be written as a whole is cut off again: what is behind it would be misread. */
static weir_err *append(wi_spool *spool, wi_waiting entry)
{
    weir_err *err = spool->spill ? NULL : open_spill(spool);
    if (err) {
        weir_batch_drop(entry.batch);
        return err;
    }
    wi_spill *spill = spool->spill;
    uint64_t end = spill->end;
    wi_wire *wire = wi_wire_new(entry.batch);
    record before = {.bytes = wire->bytes, .from = entry.from, .weight = entry.bytes};
    bool written = write_all(spill, &before, sizeof before);
    for (uint32_t i = 0; i < wire->count && written; i++)
        written = write_all(spill, wire->parts[i].at, wire->parts[i].bytes);
    if (written) {
        atomic_fetch_add_explicit(&spool->budget->spilled_bytes, wire->bytes,
                                  memory_order_relaxed);
        spool->bytes += entry.bytes;
        spill->count++;
    } else {
        err = failed(spool, "written to");
        spill->end = end;
    }
    wi_wire_free(wire);
    return err;
}

static bool read_all(wi_spill *spill, void *bytes, size_t count)
{
    while (count) {
        ssize_t got = pread(spill->file, bytes, count, (off_t)spill->begin);
        if (got <= 0) {
            if (got < 0 && errno == EINTR)
                continue;
            if (!got)
                errno = EIO; /* shorter than what was written */
            return false;
        }
        bytes = (char *)bytes + got;
        count -= (size_t)got;
        spill->begin += (uint64_t)got;
    }
    return true;
}

/* What was read is not needed any more; the file does not grow for ever. */
static void give_back(wi_spill *spill)
{
    if (!spill->count) {
        spill->begin = spill->end = spill->punched = 0;
        if (ftruncate(spill->file, 0) != 0)
            return; /* the space is used again anyway */
    } else if (spill->begin - spill->punched >= PUNCH_BYTES) {
        fallocate(spill->file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                  (off_t)spill->punched, (off_t)(spill->begin - spill->punched));
        spill->punched = spill->begin;
    }
}

static weir_err *read_one(wi_spool *spool, const weir_type *type, size_t *bytes_out)
{
    wi_spill *spill = spool->spill;
    record before;
    if (!read_all(spill, &before, sizeof before))
        return failed(spool, "read from");
    char *bytes = wi_alloc_lines(before.bytes);
    if (!read_all(spill, bytes, before.bytes)) {
        wi_free(bytes);
        return failed(spool, "read from");
    }
    weir_batch *batch = wi_wire_batch(type, bytes, before.bytes, wi_free, bytes);
    if (!batch) {
        wi_free(bytes);
        errno = EBADMSG;
        return failed(spool, "read from");
    }
    spill->count--;
    keep(spool, (wi_waiting){batch, before.from, before.weight});
    *bytes_out = before.bytes;
    return NULL;
}

static weir_err *read_some(wi_spool *spool, const weir_type *type)
{
    size_t done = 0;
    weir_err *err = NULL;
    while (spool->spill->count && done < READ_BYTES && !err) {
        size_t bytes = 0;
        err = read_one(spool, type, &bytes);
        done += bytes;
    }
    give_back(spool->spill);
    return err;
}

/* ---- both ------------------------------------------------------------------------------- */

weir_err *wi_spool_push(wi_spool *spool, wi_waiting entry)
{
    wi_spool_budget *budget = spool->budget;
    bool behind = spool->spill && spool->spill->count; /* L1 */
    bool full = budget->bytes_max && spool->count &&
                atomic_load_explicit(&budget->bytes, memory_order_relaxed) + entry.bytes >
                    budget->bytes_max;
    if (behind || full)
        return append(spool, entry);
    spool->bytes += entry.bytes;
    keep(spool, entry);
    return NULL;
}

weir_err *wi_spool_pop(wi_spool *spool, const weir_type *type, wi_waiting *entry_out)
{
    wi_assert(spool->count, "L2: what is asked for is there");
    *entry_out = *at(spool, 0);
    spool->head = (spool->head + 1) & (spool->capacity - 1);
    spool->count--;
    spool->bytes -= entry_out->bytes;
    atomic_fetch_sub_explicit(&spool->budget->bytes, entry_out->bytes, memory_order_relaxed);
    if (!spool->count && spool->spill && spool->spill->count)
        return read_some(spool, type);
    return NULL;
}
