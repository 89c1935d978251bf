/* read_rows: typed rows from files; see weir/source.h.
 *
 * A worker reads its partitions in turns, a chunk of bytes each, so that none is far ahead of the
 * others; with epochs it is the turn of one with the least. It holds capabilities at the least
 * epoch of its partitions, for rows, offsets and rejects alike. A call reads one chunk; when there
 * is no room for rows further down, there are no calls. */
#include "read_rows.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "../../base/alloc.h"
#include "../../base/hash.h"

#define WAIT_NS_MIN 1000
#define WAIT_NS_MAX 10000000 /* so a pipe without data costs less than 1% of a core */
#define SAID_MAX 10

/* ---- sending ---------------------------------------------------------------------------- */

void wi_read_send(weir_op *op, const wi_part *part, weir_batch *batch)
{
    batch->time = WEIR_EPOCH(part->epoch);
    weir_send_batch(op, 0, batch);
}

void wi_read_offset(weir_op *op, const wi_part *part)
{
    const wi_reading *reading = weir_op_state(op);
    if (!reading->offsets)
        return;
    wi_rows_place place = wi_rows_at(part->rows);
    weir_time time = WEIR_EPOCH(part->epoch);
    weir_offset offset = {.partition = part->index,
                          .file = weir_text_c(part->path),
                          .bytes = place.bytes,
                          .records = place.records,
                          .lines = place.lines};
    weir_offset_push(weir_send_at(op, reading->offsets_output, &time), offset);
}

void wi_read_bad(weir_op *op, const wi_part *part, const wi_no_row *what)
{
    const wi_read_call *call = weir_op_arg(op);
    wi_reading *reading = weir_op_state(op);
    char *place = NULL;
    if (part->ranged && wi_file_bytes(part->file) &&
        asprintf(&place, "%s, line %llu of a part that ends at byte %llu", part->path,
                 (unsigned long long)what->line, (unsigned long long)part->range_end) < 0)
        return;
    if (!place && asprintf(&place, "%s:%llu", part->path, (unsigned long long)what->line) < 0)
        return;
    struct {
        weir_text text;
    } line = {weir_text_of(what->text, (uint32_t)what->length)};
    if (reading->rejects) {
        weir_time time = WEIR_EPOCH(part->epoch);
        weir_send_at(op, weir_op_reject_output(op), &time);
    } else if (!call->what.silent && !call->what.strict && reading->said++ < SAID_MAX) {
        fprintf(stderr, "%s: %s\n", place, what->why);
    }
    weir_reject(op, &weir_line_type, &line, "%s: %s", place, what->why);
    wi_free(place);
}

/* ---- capabilities ----------------------------------------------------------------------- */

static weir_capability *later(weir_capability *held, const weir_time *time)
{
    if (held && !weir_time_eq(weir_capability_time(held), time))
        weir_capability_downgrade(held, time);
    return held;
}

static void give_up(wi_reading *reading)
{
    weir_capability **held[] = {&reading->rows, &reading->offsets, &reading->rejects};
    for (int i = 0; i < 3; i++) {
        if (*held[i])
            weir_capability_drop(*held[i]);
        *held[i] = NULL;
    }
}

static void move_on(wi_reading *reading)
{
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < reading->count; i++)
        if (!reading->parts[i].done && reading->parts[i].epoch < least)
            least = reading->parts[i].epoch;
    weir_time time = WEIR_EPOCH(least);
    reading->rows = later(reading->rows, &time);
    reading->offsets = later(reading->offsets, &time);
    reading->rejects = later(reading->rejects, &time);
}

/* ---- partitions ------------------------------------------------------------------------- */

static void add_part(const wi_read_call *call, wi_reading *reading, uint32_t index)
{
    wi_grow(&reading->parts, &reading->capacity, reading->count + 1, sizeof *reading->parts);
    wi_part *part = &reading->parts[reading->count++];
    *part = (wi_part){.index = index};
    if (!call->what.grows)
        wi_paths_add(&part->queue, call->files.at[index]);
    for (uint32_t i = 0; i < call->what.from_count; i++) {
        const weir_offset *from = &call->what.from[i];
        if (from->partition == index && (!part->from || from->records >= part->from->records))
            part->from = from;
    }
    if (part->from)
        part->records = part->from->records;
    if (call->what.epoch_records)
        part->epoch = part->records / call->what.epoch_records;
}

static void start_parts(weir_op *op)
{
    const wi_read_call *call = weir_op_arg(op);
    wi_reading *reading = weir_op_state(op);
    uint32_t index = weir_worker_index(weir_op_worker(op));
    uint32_t workers = weir_worker_count(weir_op_worker(op));
    for (uint32_t p = 0; p < call->partitions; p++)
        if ((call->what.split && call->bytes[p]) || wi_read_owner(call, p, workers) == index)
            add_part(call, reading, p);
    reading->open = WI_NEWS(uint32_t, reading->count + 1);
}

/* ---- a folder that grows ---------------------------------------------------------------- */

static wi_part *part_of(wi_reading *reading, const wi_read_call *call, const char *name)
{
    uint32_t index = (uint32_t)(wi_hash_bytes(name, strlen(name)) % call->partitions);
    for (uint32_t i = 0; i < reading->count; i++)
        if (reading->parts[i].index == index)
            return &reading->parts[i];
    return NULL;
}

/* Where the name comes: before, as, or after that of the file of the offset. */
int wi_read_order(const char *name, const weir_offset *from)
{
    const char *file = weir_text_at(&from->file);
    const char *slash = memrchr(file, '/', from->file.length);
    const char *last = slash ? slash + 1 : file;
    size_t length = from->file.length - (size_t)(last - file), own = strlen(name);
    int order = memcmp(name, last, own < length ? own : length);
    return order ? order : (own > length) - (own < length);
}

/* A name that was not there before. What an offset says is that all files before its own have been
 * read, so where there are offsets, names come in order. */
static void appears(weir_op *op, const char *name)
{
    const wi_read_call *call = weir_op_arg(op);
    wi_part *part = part_of(weir_op_state(op), call, name);
    if (!part || (part->from && wi_read_order(name, part->from) < 0))
        return; /* read by somebody else, or before */
    const char *last = part->queue.count ? part->queue.at[part->queue.count - 1] : "";
    if (call->what.offsets_out && strcmp(name, last) < 0)
        weir_op_stop(op,
                     "`%s` appeared in `%s` after `%s`: offsets could not tell that it has been "
                     "read. Names have to come in their order, or there can be no offsets_out",
                     name, call->what.path, last);
    wi_paths_add(&part->queue, name);
}

/* Both in order: what is in `now` and was not in `seen`. */
static void compare(weir_op *op, const wi_paths *now)
{
    const wi_read_call *call = weir_op_arg(op);
    wi_reading *reading = weir_op_state(op);
    const wi_paths *seen = &reading->seen;
    for (unsigned n = 0, s = 0; n < now->count; n++) {
        while (s < seen->count && strcmp(seen->at[s], now->at[n]) < 0)
            s++;
        bool is_end = call->what.until && strcmp(now->at[n], call->what.until) == 0;
        reading->complete |= is_end;
        if (!is_end && (s == seen->count || strcmp(seen->at[s], now->at[n]) != 0))
            appears(op, now->at[n]);
    }
}

static bool is_there(const wi_read_call *call)
{
    char *path = wi_name_path(call->what.path, call->what.until);
    FILE *file = fopen(path, "rb");
    if (file)
        fclose(file);
    wi_free(path);
    return file != NULL;
}

static void look(weir_op *op)
{
    const wi_read_call *call = weir_op_arg(op);
    wi_reading *reading = weir_op_state(op);
    uint64_t now = weir_now(weir_op_worker(op));
    if (reading->complete || now < reading->look_at_ns)
        return;
    wi_paths names = {0};
    /* First: what was there when `until` was is seen then. */
    bool complete = call->what.until && is_there(call);
    weir_err *err = wi_names_in(&names, call->what.path);
    if (err) {
        weir_op_stop(op, "%s", weir_err_message(err));
        weir_err_free(err);
    } else {
        compare(op, &names);
        wi_paths_fini(&reading->seen);
        reading->seen = names;
        reading->complete = complete;
    }
    reading->look_at_ns = now + UINT64_C(1000000) * call->look_ms;
}

/* ---- turns ------------------------------------------------------------------------------ */

/* Half of what the process may have open is for its workers' files. */
static uint32_t open_max(const weir_worker *worker)
{
    struct rlimit may;
    uint32_t workers = weir_worker_count(worker) / weir_process_count(worker);
    if (getrlimit(RLIMIT_NOFILE, &may) < 0 || may.rlim_cur / 2 / workers >= WI_FILES_OPEN_MAX)
        return WI_FILES_OPEN_MAX;
    return may.rlim_cur / 2 < workers ? 1 : (uint32_t)(may.rlim_cur / 2 / workers);
}

static void fill_open(wi_reading *reading)
{
    while (reading->open_count < reading->open_max && reading->next_part < reading->count)
        reading->open[reading->open_count++] = reading->next_part++;
}

/* The place in `open` of the part whose turn it is, `skip` after it. */
static uint32_t whose_turn(const wi_reading *reading, uint32_t skip)
{
    uint32_t best = (reading->next_open + skip) % reading->open_count;
    for (uint32_t i = 0; skip == 0 && i < reading->open_count; i++) {
        uint32_t o = (reading->next_open + i) % reading->open_count;
        if (reading->parts[reading->open[o]].epoch < reading->parts[reading->open[best]].epoch)
            best = o;
    }
    return best;
}

static void end_part(wi_reading *reading, uint32_t o)
{
    wi_part *part = &reading->parts[reading->open[o]];
    part->done = true;
    wi_part_fini(part);
    memmove(reading->open + o, reading->open + o + 1,
            (--reading->open_count - o) * sizeof *reading->open);
    reading->next_open = o;
}

/* Reads a chunk of one of them. */
static wi_part_gives step(weir_op *op)
{
    wi_reading *reading = weir_op_state(op);
    for (uint32_t skip = 0; skip <= reading->open_count; skip++) {
        fill_open(reading);
        if (!reading->open_count)
            return WI_PART_DONE;
        uint32_t o = whose_turn(reading, skip);
        wi_part_gives gives = wi_part_step(op, &reading->parts[reading->open[o]]);
        if (gives == WI_PART_WAITS)
            continue;
        reading->next_open = o + 1;
        if (gives == WI_PART_DONE)
            end_part(reading, o);
        return gives == WI_PART_FAILS ? gives : WI_PART_READ;
    }
    return WI_PART_WAITS;
}

static void on_run(weir_op *op)
{
    const wi_read_call *call = weir_op_arg(op);
    wi_reading *reading = weir_op_state(op);
    if (!reading->rows)
        return;
    if (call->what.grows)
        look(op);
    wi_part_gives gives = step(op);
    if (gives == WI_PART_FAILS)
        return; /* frontiers stay: what has not been read is not complete */
    if (gives == WI_PART_DONE) {
        give_up(reading);
        return;
    }
    if (call->what.epoch_records)
        move_on(reading);
    if (gives == WI_PART_READ) {
        reading->wait_ns = WAIT_NS_MIN;
        weir_activate(op);
        return;
    }
    uint64_t most = call->what.grows ? UINT64_C(1000000) * call->look_ms : WAIT_NS_MAX;
    weir_activate_after(op, call->what.grows ? most : reading->wait_ns);
    reading->wait_ns = reading->wait_ns * 2 < most ? reading->wait_ns * 2 : most;
}

/* ---- beginning and end ------------------------------------------------------------------ */

static void on_start(weir_op *op)
{
    const wi_read_call *call = weir_op_arg(op);
    wi_reading *reading = weir_op_state(op);
    static const weir_time first;
    reading->rows = weir_op_first_capability(op, 0);
    reading->batch_rows = weir_send_at(op, 0, &first)->most;
    reading->offsets_output = call->what.offsets_out ? 1 : UINT32_MAX;
    if (call->what.offsets_out)
        reading->offsets = weir_op_first_capability(op, 1);
    if (weir_op_reject_output(op) != UINT32_MAX)
        reading->rejects = weir_op_first_capability(op, weir_op_reject_output(op));
    reading->wait_ns = WAIT_NS_MIN;
    reading->open_max = open_max(weir_op_worker(op));
    start_parts(op);
    weir_activate(op);
}

static void on_stop(weir_op *op)
{
    wi_reading *reading = weir_op_state(op);
    for (uint32_t i = 0; i < reading->count; i++)
        wi_part_fini(&reading->parts[i]);
    wi_free(reading->parts);
    wi_free(reading->open);
    wi_paths_fini(&reading->seen);
}

const weir_operator wi_read_operator = {.name = "read_rows",
                                        .source = true,
                                        .state_bytes = sizeof(wi_reading),
                                        .start = on_start,
                                        .run = on_run,
                                        .stop = on_stop};
