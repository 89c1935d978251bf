/* Scans: a snapshot's rows in order, merged from all runs that may have some, with the diffs
 * of a row added up as of the snapshot's time. The runs' next rows lie in a heap, so that each
 * row costs a few comparisons however many runs there are. */
#include "../../base/alloc.h"
#include "../../runtime/partition.h"
#include "view.h"

typedef struct cursor {
    const wi_run *run;
    uint32_t at, end;
} cursor;

struct weir_scan {
    const wi_layout *layout;
    weir_time as_of;
    cursor *heap; /* binary; the first has the least row */
    uint32_t count;
    uint64_t *words; /* of CHUNK rows, before they are decoded */
};

#define CHUNK 64

/* ---- the heap --------------------------------------------------------------------------- */

static bool is_before(const weir_scan *scan, const cursor *a, const cursor *b)
{
    return wi_row_compare(scan->layout, wi_run_row(a->run, a->at), wi_run_row(b->run, b->at)) < 0;
}

/* Lets the cursor at a place sink to where it belongs. */
static void sift(weir_scan *scan, uint32_t at)
{
    cursor moved = scan->heap[at];
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= scan->count)
            break;
        if (child + 1 < scan->count && is_before(scan, &scan->heap[child + 1], &scan->heap[child]))
            child++;
        if (!is_before(scan, &scan->heap[child], &moved))
            break;
        scan->heap[at] = scan->heap[child];
        at = child;
    }
    scan->heap[at] = moved;
}

/* ---- beginning -------------------------------------------------------------------------- */

static weir_scan *scan_new(const weir_snapshot *of)
{
    weir_scan *scan = WI_NEW(weir_scan);
    scan->layout = of->share->layout;
    scan->as_of = of->as_of;
    scan->heap = WI_NEWS(cursor, of->begins[of->share->workers] + 1u);
    return scan;
}

static void add(weir_scan *scan, const wi_run *run, uint32_t begin, uint32_t end)
{
    if (begin < end)
        scan->heap[scan->count++] = (cursor){run, begin, end};
}

static weir_scan *ready(weir_scan *scan)
{
    for (uint32_t at = scan->count / 2; at-- > 0;)
        sift(scan, at);
    return scan;
}

/* The key's words; NULL if there is no row. To be freed. */
static uint64_t *encode(const weir_snapshot *of, const void *row, wi_heap *heap)
{
    const wi_layout *layout = of->share->key_layout;
    if (!row)
        return NULL;
    uint64_t *words = WI_NEWS(uint64_t, layout->words);
    wi_layout_encode(layout, row, 1, words, layout->words, heap);
    return words;
}

weir_scan *weir_scan_key(const weir_snapshot *of, const void *key)
{
    uint64_t hash;
    weir_key_hash(&of->share->layout->key, key, 1, &hash);
    uint32_t shard = wi_worker_of(hash, of->share->all_workers) - of->share->first_worker;
    weir_scan *scan = scan_new(of);
    if (shard >= of->share->workers) /* another process has it */
        return ready(scan);
    wi_heap heap = {0};
    uint64_t *words = encode(of, key, &heap);
    for (uint32_t r = of->begins[shard]; r < of->begins[shard + 1]; r++) {
        uint32_t begin = wi_run_seek(of->runs[r], 0, words);
        add(scan, of->runs[r], begin, wi_run_past(of->runs[r], begin, words));
    }
    wi_heap_fini(&heap);
    wi_free(words);
    return ready(scan);
}

weir_scan *weir_scan_range(const weir_snapshot *of, const void *from, const void *to)
{
    weir_scan *scan = scan_new(of);
    wi_heap heap = {0};
    uint64_t *first = encode(of, from, &heap), *last = encode(of, to, &heap);
    for (uint32_t r = 0; r < of->begins[of->share->workers]; r++) {
        const wi_run *run = of->runs[r];
        uint32_t begin = first ? wi_run_seek(run, 0, first) : 0;
        add(scan, run, begin, last ? wi_run_seek(run, begin, last) : run->count);
    }
    wi_heap_fini(&heap);
    wi_free(first);
    wi_free(last);
    return ready(scan);
}

void weir_scan_free(weir_scan *scan)
{
    if (!scan)
        return;
    wi_free(scan->heap);
    wi_free(scan->words);
    wi_free(scan);
}

/* ---- going on --------------------------------------------------------------------------- */

/* Takes all updates of the least row; how often it is there. */
static int64_t take_row(weir_scan *scan, const uint64_t *row)
{
    int64_t total = 0;
    do {
        cursor *first = &scan->heap[0];
        do {
            if (weir_time_le(wi_run_time(first->run, first->at), &scan->as_of))
                total += wi_run_diff(first->run, first->at);
            first->at++;
        } while (first->at < first->end &&
                 wi_row_compare(scan->layout, wi_run_row(first->run, first->at), row) == 0);
        if (first->at == first->end)
            *first = scan->heap[--scan->count];
        if (scan->count)
            sift(scan, 0);
    } while (scan->count &&
             wi_row_compare(scan->layout, wi_run_row(scan->heap[0].run, scan->heap[0].at), row) ==
                 0);
    return total;
}

static void decode(const weir_scan *scan, uint32_t count, void *rows)
{
    wi_layout_decode(scan->layout, scan->words, scan->layout->words, count, rows);
}

uint32_t weir_scan_next(weir_scan *scan, void *rows_out, int64_t *counts_out, uint32_t capacity)
{
    uint32_t words = scan->layout->words, made = 0, waiting = 0;
    size_t size = scan->layout->type->size;
    char *to = rows_out;
    if (!scan->words)
        scan->words = WI_NEWS(uint64_t, (size_t)CHUNK * words);
    while (made < capacity && scan->count) {
        const uint64_t *row = wi_run_row(scan->heap[0].run, scan->heap[0].at);
        counts_out[made] = take_row(scan, row);
        if (!counts_out[made])
            continue;
        memcpy(scan->words + (size_t)waiting * words, row, words * sizeof *row);
        made++;
        if (++waiting == CHUNK) {
            decode(scan, waiting, to);
            to += waiting * size;
            waiting = 0;
        }
    }
    decode(scan, waiting, to);
    return made;
}
