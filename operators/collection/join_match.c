/* Joining two runs; see join_match.h. Groups of rows with equal keys whose product is small
 * are noted pair by pair until a block is full; the rows are then fetched together. Large ones
 * are done a row of one side against blocks of the other, which need not be copied. */
#include "join_match.h"

#include "../../base/alloc.h"

#define SMALL_GROUP 64 /* pairs */
#define FIND_RATIO 8   /* rows of the longer run for one of the other */
#define NEAR 8         /* rows that are looked at one by one */
#define TIMES_LOOKED_AT 16

/* ---- room for blocks -------------------------------------------------------------------- */

void wi_joiner_init(wi_joiner *joiner, weir_op *op, const weir_join_kernel *kernel, void *arg,
                    const wi_layout *a, const wi_layout *b)
{
    const wi_layout *of[2] = {a, b};
    wi_pairs_init(&joiner->emit, op, kernel, arg);
    for (int s = 0; s < 2; s++) {
        joiner->words[s] = wi_alloc(WI_PAIRS * of[s]->words * sizeof(uint64_t));
        joiner->rows[s] = of[s]->plain ? NULL : wi_alloc((size_t)WI_PAIRS * of[s]->type->size + 1);
    }
}

void wi_joiner_fini(wi_joiner *joiner)
{
    wi_pairs_fini(&joiner->emit);
    for (int s = 0; s < 2; s++) {
        wi_free(joiner->words[s]);
        wi_free(joiner->rows[s]);
    }
}

/* ---- beginning -------------------------------------------------------------------------- */

/* Whether all of the table is at or before the time. Long tables of partially ordered times
 * are not looked through: pairs then ask for themselves. */
static bool all_before(const wi_run *run, const weir_time *time)
{
    if (run->time_count > TIMES_LOOKED_AT)
        return false;
    for (uint32_t t = 0; t < run->time_count; t++)
        if (!weir_time_le(&run->table[t], time))
            return false;
    return true;
}

static void find_constants(wi_match *m)
{
    const wi_run *a = m->run[0], *b = m->run[1];
    m->one_diff = !a->diffs && !b->diffs;
    m->diff = wi_diff_product(a->diff, b->diff);
    m->one_time = true;
    if (!a->times && !b->times)
        m->time = weir_time_join(&a->table[0], &b->table[0]);
    else if (!a->times && all_before(b, &a->table[0]))
        m->time = a->table[0];
    else if (!b->times && all_before(a, &b->table[0]))
        m->time = b->table[0];
    else
        m->one_time = false;
}

void wi_match_begin(wi_match *m, wi_run *a, wi_run *b)
{
    m->run[0] = a;
    m->run[1] = b;
    m->probe = a->count > b->count;
    uint64_t fewer = m->run[m->probe]->count, more = m->run[!m->probe]->count;
    if (more >= fewer * FIND_RATIO && a->layout->key_words)
        m->search = WI_SEARCH_FIND;
    else
        m->search = a->layout->key_words == 1 ? WI_SEARCH_SCAN : WI_SEARCH_SEEK;
    m->at[0] = m->at[1] = 0;
    m->end[0] = m->end[1] = 0;
    find_constants(m);
}

/* wi_run_key_end for groups that are mostly small. */
static inline uint32_t group_end(const wi_run *run, uint32_t index)
{
    if (run->layout->key_words != 1)
        return wi_run_key_end(run, index);
    uint64_t key = *wi_run_row(run, index), mask = run->layout->key_mask;
    uint32_t end = index + 1;
    for (; end < run->count && ((*wi_run_row(run, end) ^ key) & mask) == 0; end++)
        if (end - index == NEAR)
            return wi_run_key_end(run, end);
    return end;
}

/* ---- small groups ----------------------------------------------------------------------- */

/* Notes the pairs of the group [at, end), and counts them. False: it is a large one. */
static inline __attribute__((always_inline)) bool note_group(wi_match *m, wi_joiner *joiner,
                                                             const uint32_t at[2],
                                                             const uint32_t end[2], uint32_t *count)
{
    uint64_t product = (uint64_t)(end[0] - at[0]) * (end[1] - at[1]);
    if (product > SMALL_GROUP) {
        for (int s = 0; s < 2; s++) {
            m->end[s] = end[s];
            m->next[s] = at[s];
        }
        return false;
    }
    uint32_t n = *count;
    for (uint32_t i = at[0]; i < end[0]; i++)
        for (uint32_t j = at[1]; j < end[1]; j++) {
            joiner->pairs[0][n] = i;
            joiner->pairs[1][n++] = j;
        }
    *count = n;
    return true;
}

/* Both runs are scanned; keys are one word, rows `words` long. */
static inline __attribute__((always_inline)) uint32_t
scan(wi_match *m, wi_joiner *joiner, int64_t *fuel, size_t a_words, size_t b_words)
{
    const uint64_t *a = m->run[0]->rows, *b = m->run[1]->rows;
    const uint64_t mask = m->run[0]->layout->key_mask;
    const uint32_t a_count = m->run[0]->count, b_count = m->run[1]->count;
    uint32_t at[2] = {m->at[0], m->at[1]}, count = 0;
    int64_t left = *fuel;
    while (at[0] < a_count && at[1] < b_count && left > 0) {
        uint64_t a_key = a[at[0] * a_words] & mask, b_key = b[at[1] * b_words] & mask;
        left--;
        if (a_key != b_key) { /* without a branch, which could not be foreseen */
            at[0] += a_key < b_key;
            at[1] += b_key < a_key;
            continue;
        }
        uint32_t end[2] = {at[0] + 1, at[1] + 1};
        while (end[0] < a_count && (a[end[0] * a_words] & mask) == a_key)
            end[0]++;
        while (end[1] < b_count && (b[end[1] * b_words] & mask) == a_key)
            end[1]++;
        if (!note_group(m, joiner, at, end, &count))
            break;
        left -= end[0] - at[0] + end[1] - at[1];
        at[0] = end[0];
        at[1] = end[1];
        if (count > WI_PAIRS - SMALL_GROUP)
            break;
    }
    m->at[0] = at[0];
    m->at[1] = at[1];
    *fuel = left;
    return count;
}

/* Any keys, about as many on both sides: those of the shorter run are looked for in the other,
 * from one to the next. */
static uint32_t seek(wi_match *m, wi_joiner *joiner, int64_t *fuel)
{
    const int p = m->probe, q = !p;
    const wi_run *keys = m->run[p], *in = m->run[q];
    uint32_t at[2] = {m->at[0], m->at[1]}, end[2], count = 0;
    int64_t left = *fuel;
    while (left > 0 && at[p] < keys->count && at[q] < in->count) {
        const uint64_t *key = wi_run_row(keys, at[p]);
        at[q] = wi_run_seek(in, at[q], key);
        left -= WI_FUEL_OF_LOOKUP;
        end[p] = wi_run_key_end(keys, at[p]);
        if (at[q] < in->count && wi_key_compare(in->layout, key, wi_run_row(in, at[q])) == 0) {
            end[q] = wi_run_key_end(in, at[q]);
            if (!note_group(m, joiner, at, end, &count))
                break;
            at[q] = end[q];
        }
        at[p] = end[p];
        if (count > WI_PAIRS - SMALL_GROUP)
            break;
    }
    m->at[0] = at[0];
    m->at[1] = at[1];
    *fuel = left;
    return count;
}

/* ---- looking up ------------------------------------------------------------------------- */

/* Where the directory of a run says that a key is. */
static inline uint32_t entry_of(const wi_run *in, uint64_t first_word)
{
    if (first_word < in->directory_base)
        return 0;
    uint64_t entry = (first_word - in->directory_base) >> in->directory_shift;
    return entry < in->directory_entries ? (uint32_t)entry : in->directory_entries - 1;
}

static inline void fetch_rows(const wi_run *in, uint32_t entry)
{
    const uint64_t *row = wi_run_row(in, in->directory[entry]);
    __builtin_prefetch(row);
    __builtin_prefetch(row + 8);
}

void wi_match_fetch(wi_run *const *runs, uint32_t count, const uint64_t *key)
{
    for (uint32_t r = 0; r < count; r++)
        wi_run_prefetch(runs[r], key);
    for (uint32_t r = 0; r < count; r++)
        if (runs[r]->directory)
            fetch_rows(runs[r], entry_of(runs[r], wi_run_first_word(runs[r], key)));
}

/* The rows with the key, of those in [low, high). */
static inline wi_range narrow(const wi_run *in, uint32_t low, uint32_t high, const uint64_t *key)
{
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = wi_key_compare(in->layout, wi_run_row(in, middle), key);
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    bool has = low < in->count && wi_key_compare(in->layout, wi_run_row(in, low), key) == 0;
    return (wi_range){low, has ? group_end(in, low) : low};
}

/* The same for keys of one word. Few rows are all looked at, without branches, which could not be
 * foreseen. */
static inline wi_range narrow_word(const wi_run *in, uint32_t low, uint32_t high, uint64_t key)
{
    if (WEIR_UNLIKELY(high - low > NEAR)) /* keys that lie closely */
        return narrow(in, low, high, &key);
    const uint64_t *rows = wi_run_row(in, low), mask = in->layout->key_mask;
    uint32_t words = in->layout->words, below = 0, equal = 0;
    for (uint32_t i = 0; i < high - low; i++) {
        uint64_t at = rows[(size_t)i * words] & mask;
        below += at < key;
        equal += at == key;
    }
    wi_range found = {low + below, low + below + equal};
    if (found.end == high && in->layout->packed) /* a key may go on in the next entry */
        return narrow(in, found.begin, found.begin, &key);
    return found;
}

void wi_match_find(wi_run *in, const uint64_t *const *keys, uint32_t count, wi_range *found_out)
{
    uint32_t entries[WI_FIND_BLOCK];
    if (!wi_run_directory(in)) {
        for (uint32_t k = 0; k < count; k++)
            found_out[k] = narrow(in, 0, in->count, keys[k]);
        return;
    }
    for (uint32_t k = 0; k < count; k++) {
        entries[k] = entry_of(in, wi_run_first_word(in, keys[k]));
        __builtin_prefetch(&in->directory[entries[k]]);
    }
    for (uint32_t k = 0; k < count; k++)
        fetch_rows(in, entries[k]);
    for (uint32_t k = 0; k < count; k++) {
        uint32_t low = in->directory[entries[k]], high = in->directory[entries[k] + 1];
        found_out[k] = in->layout->key_words == 1
                           ? narrow_word(in, low, high, wi_run_first_word(in, keys[k]))
                           : narrow(in, low, high, keys[k]);
    }
}

/* Few keys: each is looked up, a block of them at a time. */
static uint32_t find(wi_match *m, wi_joiner *joiner, int64_t *fuel)
{
    const int p = m->probe, q = !p;
    const wi_run *keys = m->run[p];
    wi_run *in = m->run[q];
    const uint64_t *key_of[WI_FIND_BLOCK];
    uint32_t begins[WI_FIND_BLOCK + 1], n = 0, count = 0, k;
    wi_range found[WI_FIND_BLOCK];
    begins[0] = m->at[p];
    for (; n < WI_FIND_BLOCK && begins[n] < keys->count; n++) {
        key_of[n] = wi_run_row(keys, begins[n]);
        begins[n + 1] = group_end(keys, begins[n]);
    }
    *fuel -= (int64_t)n * WI_FUEL_OF_LOOKUP;
    wi_match_find(in, key_of, n, found);
    for (k = 0; k < n && count <= WI_PAIRS - SMALL_GROUP; k++) {
        uint32_t at[2], end[2];
        if (found[k].begin == found[k].end)
            continue;
        at[p] = begins[k];
        end[p] = begins[k + 1];
        at[q] = m->at[q] = found[k].begin;
        end[q] = found[k].end;
        if (!note_group(m, joiner, at, end, &count))
            break;
    }
    m->at[p] = begins[k];
    return count;
}

/* Notes pairs until a block is full, the fuel is gone, a large group is met or all is done. */
static uint32_t note_pairs(wi_match *m, wi_joiner *joiner, int64_t *fuel)
{
    const wi_layout *a = m->run[0]->layout, *b = m->run[1]->layout;
    if (m->search == WI_SEARCH_FIND)
        return find(m, joiner, fuel);
    if (m->search == WI_SEARCH_SEEK)
        return seek(m, joiner, fuel);
    if (a->words == 2 && b->words == 2)
        return scan(m, joiner, fuel, 2, 2);
    if (a->words == 1 && b->words == 1)
        return scan(m, joiner, fuel, 1, 1);
    if (a->words == 1 && b->words == 2)
        return scan(m, joiner, fuel, 1, 2);
    if (a->words == 2 && b->words == 1)
        return scan(m, joiner, fuel, 2, 1);
    return scan(m, joiner, fuel, a->words, b->words);
}

static void emit_noted(wi_match *m, wi_joiner *joiner, uint32_t count)
{
    const wi_run *a = m->run[0], *b = m->run[1];
    const uint32_t *i = joiner->pairs[0], *j = joiner->pairs[1];
    wi_pairs *emit = &joiner->emit;
    const void *a_rows = wi_pairs_gather(a, i, count, joiner->words[0], joiner->rows[0]);
    const void *b_rows = wi_pairs_gather(b, j, count, joiner->words[1], joiner->rows[1]);
    if (!m->one_time)
        for (uint32_t k = 0; k < count; k++)
            emit->times[k] = weir_time_join(wi_run_time(a, i[k]), wi_run_time(b, j[k]));
    if (!m->one_diff)
        for (uint32_t k = 0; k < count; k++)
            emit->diffs[k] = wi_diff_product(wi_run_diff(a, i[k]), wi_run_diff(b, j[k]));
    wi_pairs_send(emit, a_rows, a->layout->type->size, b_rows, b->layout->type->size, count,
                  m->one_time ? &m->time : NULL, m->one_diff ? &m->diff : NULL);
}

/* ---- large groups ----------------------------------------------------------------------- */

/* Row `one` of run `of` against `count` rows of the other side from `first` on. */
static void emit_product(wi_match *m, wi_joiner *joiner, int of, uint32_t one, uint32_t first,
                         uint32_t count, const void *others)
{
    wi_pairs *emit = &joiner->emit;
    const wi_run *single = m->run[of], *many = m->run[!of];
    const void *row = wi_pairs_rows(single, one, 1, joiner->rows[of]);
    const weir_time *single_time = wi_run_time(single, one);
    weir_time time = weir_time_join(single_time, &many->table[0]);
    int64_t single_diff = wi_run_diff(single, one), diff = wi_diff_product(single_diff, many->diff);
    bool one_time = !many->times || m->one_time;
    if (m->one_time)
        time = m->time;
    for (uint32_t k = 0; !one_time && k < count; k++)
        emit->times[k] = weir_time_join(single_time, wi_run_time(many, first + k));
    for (uint32_t k = 0; many->diffs && k < count; k++)
        emit->diffs[k] = wi_diff_product(single_diff, many->diffs[first + k]);
    size_t step = many->layout->type->size;
    wi_pairs_send(emit, of == 0 ? row : others, of == 0 ? 0 : step, of == 0 ? others : row,
                  of == 0 ? step : 0, count, one_time ? &time : NULL, many->diffs ? NULL : &diff);
}

static void work_on_product(wi_match *m, wi_joiner *joiner, int64_t *fuel)
{
    int few = m->end[0] - m->at[0] > m->end[1] - m->at[1], many = !few;
    while (m->next[many] < m->end[many] && *fuel > 0) {
        uint32_t first = m->next[many], count = m->end[many] - first;
        if (count > WI_PAIRS)
            count = WI_PAIRS;
        const void *others = wi_pairs_rows(m->run[many], first, count, joiner->rows[many]);
        for (; m->next[few] < m->end[few] && *fuel > 0; m->next[few]++) {
            emit_product(m, joiner, few, m->next[few], first, count, others);
            *fuel -= count;
        }
        if (m->next[few] < m->end[few])
            return;
        m->next[few] = m->at[few];
        m->next[many] += count;
    }
    if (m->next[many] < m->end[many])
        return;
    m->at[0] = m->end[0];
    m->at[1] = m->end[1];
    m->end[0] = m->end[1] = 0;
}

/* ---- all of it -------------------------------------------------------------------------- */

bool wi_match_work(wi_match *m, wi_joiner *joiner, const weir_time *at, int64_t *fuel)
{
    joiner->emit.at = m->one_time ? m->time : *at;
    while (*fuel > 0) {
        if (m->end[0]) {
            work_on_product(m, joiner, fuel);
            continue;
        }
        if (m->at[0] == m->run[0]->count || m->at[1] == m->run[1]->count)
            return true;
        uint32_t count = note_pairs(m, joiner, fuel);
        if (count)
            emit_noted(m, joiner, count);
    }
    return !m->end[0] && (m->at[0] == m->run[0]->count || m->at[1] == m->run[1]->count);
}
