/* The limit of the figures of sessions: a tight C loop over the same rows, one thread. A key has
 * its open sessions, which are few, in a list; each waits in the bucket of a wheel, one for each
 * instant. When the watermark has come there and the session has grown meanwhile, it waits in
 * another, otherwise it is closed. */
#include "bench_w_rows.h"

#include "base/alloc.h"

enum { WHEEL = 1024, NONE = 0 }; /* instants; more than the gap and the spread */
_Static_assert(WHEEL > BENCH_W_GAP + 2 * BENCH_W_SPREAD, "a session's end is in the wheel");

struct session {
    int64_t start, end;
    uint64_t rows, sum, key;
    uint32_t next_of_key, next_in_wheel;
    bool gone; /* merged into another */
};

struct sessions {
    bench_w_sum *keys; /* a hash table; `sum` is the key's first session */
    uint64_t mask;
    unsigned shift;
    struct session *at; /* from 1 on */
    uint32_t count, capacity, unused, wheel[WHEEL];
    uint64_t totals[2];
};

static bench_w_sum *find(const struct sessions *all, uint64_t key)
{
    uint64_t at = key * BENCH_GOLDEN >> all->shift;
    while (all->keys[at].rows && all->keys[at].key != key)
        at = (at + 1) & all->mask;
    all->keys[at].key = key;
    all->keys[at].rows = 1;
    return &all->keys[at];
}

static void put_in_wheel(struct sessions *all, uint32_t index)
{
    uint32_t *bucket = &all->wheel[(uint64_t)all->at[index].end % WHEEL];
    all->at[index].next_in_wheel = *bucket;
    *bucket = index;
}

static uint32_t new_session(struct sessions *all, bench_w_sum *key)
{
    uint32_t index = all->unused;
    if (index) {
        all->unused = all->at[index].next_of_key;
    } else {
        wi_grow(&all->at, &all->capacity, all->count + 2, sizeof *all->at);
        index = ++all->count;
    }
    all->at[index] = (struct session){.key = key->key, .next_of_key = (uint32_t)key->sum};
    key->sum = index;
    return index;
}

/* Takes into the session of a row all others that it touches now. */
static void merge(struct sessions *all, uint32_t into)
{
    struct session *to = &all->at[into];
    uint32_t *link = &to->next_of_key;
    while (*link) {
        struct session *from = &all->at[*link];
        if (from->start > to->end || to->start > from->end) {
            link = &from->next_of_key;
            continue;
        }
        to->start = from->start < to->start ? from->start : to->start;
        to->end = from->end > to->end ? from->end : to->end;
        to->rows += from->rows;
        to->sum += from->sum;
        from->gone = true;
        *link = from->next_of_key;
    }
}

static inline void add(struct sessions *all, const bench_w_row *row)
{
    bench_w_sum *key = find(all, row->key);
    int64_t end = row->ts + BENCH_W_GAP;
    uint32_t first = (uint32_t)key->sum;
    struct session *it = &all->at[first];
    if (!first || row->ts > it->end || end < it->start) {
        uint32_t index = new_session(all, key);
        it = &all->at[index];
        it->start = row->ts;
        it->end = end;
        it->rows = 1;
        it->sum = row->value;
        put_in_wheel(all, index);
        merge(all, index);
        return;
    }
    it->start = row->ts < it->start ? row->ts : it->start;
    it->end = end > it->end ? end : it->end;
    it->rows++;
    it->sum += row->value;
    if (it->next_of_key)
        merge(all, first);
}

static void close_session(struct sessions *all, uint32_t index)
{
    struct session *it = &all->at[index];
    if (!it->gone) {
        bench_w_sum *key = find(all, it->key);
        all->totals[0]++;
        all->totals[1] += bench_w_hash(it->key, it->start, it->end, it->rows, it->sum);
        uint32_t at = (uint32_t)key->sum, before = NONE;
        for (; at != index; at = all->at[at].next_of_key)
            before = at;
        if (before)
            all->at[before].next_of_key = it->next_of_key;
        else
            key->sum = it->next_of_key;
    }
    it->next_of_key = all->unused;
    all->unused = index;
}

static void close_until(struct sessions *all, int64_t *reached, int64_t watermark)
{
    for (; *reached <= watermark; ++*reached) {
        uint32_t *bucket = &all->wheel[(uint64_t)*reached % WHEEL], next;
        uint32_t index = *bucket;
        *bucket = NONE;
        for (; index; index = next) {
            next = all->at[index].next_in_wheel;
            if (all->at[index].gone || all->at[index].end <= *reached)
                close_session(all, index);
            else
                put_in_wheel(all, index);
        }
    }
}

static void start(struct sessions *all, uint64_t keys)
{
    unsigned bits = 4;
    while (keys * 2 > UINT64_C(1) << bits)
        bits++;
    all->keys = WI_NEWS(bench_w_sum, UINT64_C(1) << bits);
    all->mask = (UINT64_C(1) << bits) - 1;
    all->shift = 64 - bits;
    wi_grow(&all->at, &all->capacity, 2, sizeof *all->at);
}

void bench_w_limit_sessions(const struct bench_args *args, struct bench_result *result_out)
{
    static bench_w_row rows[BENCH_W_ROWS_A_CALL];
    struct sessions *all = WI_NEW(struct sessions);
    uint64_t begin_ns = bench_now_ns();
    start(all, args->keys);
    int64_t reached = bench_w_reached(0);
    for (uint64_t n = 0; n < args->rows;) {
        uint32_t count = 0;
        for (; count < BENCH_W_ROWS_A_CALL && n < args->rows; count++)
            rows[count] = bench_w_make(n++, args->keys);
        for (uint32_t i = 0; i < count; i++)
            add(all, &rows[i]);
        close_until(all, &reached, bench_w_reached(n));
    }
    close_until(all, &reached, reached + WHEEL);
    result_out->value = (double)args->rows / ((double)(bench_now_ns() - begin_ns) / 1e9);
    result_out->check = bench_check_fold(all->totals, 2);
    wi_free(all->keys);
    wi_free(all->at);
    wi_free(all);
}
