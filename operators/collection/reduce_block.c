/* The next block of keys, and where they are in every run.
 *
 * Keys come in order, so each run is walked once: by galloping from key to key, or, where the
 * run has fewer rows in the block's range than the block has keys, from row to row; and where
 * the run is so long that most of it would be jumped over, by its directory. */
#include "reduce_state.h"

/* A run with this many times the keys that are left is looked up by its directory. */
#define SPARSE 16
#define FEW_KEYS 16

void wi_reduce_add_slot(wi_reduction *r, wi_run *run, wi_role role)
{
    if (r->slots.count == r->slots.capacity) {
        uint32_t before = r->slots.capacity;
        WI_ROOM(&r->slots, 1);
        memset(r->slots.at + before, 0, (r->slots.capacity - before) * sizeof(wi_slot));
    }
    wi_slot *slot = &r->slots.at[r->slots.count++];
    slot->run = run;
    slot->role = role;
    slot->at = 0;
    slot->before = false;
    if (!slot->begin) {
        slot->begin = wi_alloc(2 * WI_BLOCK_KEYS * sizeof *slot->begin);
        slot->end = slot->begin + WI_BLOCK_KEYS;
    }
}

/* ---- the keys --------------------------------------------------------------------------- */

static inline bool same_key(const wi_reduction *r, const uint64_t *a, const uint64_t *b)
{
    if (WEIR_LIKELY(r->key_words == 1))
        return ((a[0] ^ b[0]) & r->key_mask) == 0;
    return wi_key_compare(r->key_layout, a, b) == 0;
}

static inline uint32_t end_of_key(const wi_reduction *r, const wi_run *run, uint32_t at)
{
    uint32_t words = run->layout->words;
    const uint64_t *row = wi_run_row(run, at), *next = row + words;
    for (uint32_t i = at + 1; i < run->count && i < at + 8; i++, next += words)
        if (!same_key(r, row, next))
            return i;
    return at + 8 < run->count ? wi_run_key_end(run, at) : run->count;
}

/* Where every row has a key of its own. */
static uint32_t keys_are_rows(wi_reduction *r, wi_slot *slot)
{
    uint32_t left = slot->run->count - slot->at;
    uint32_t count = left < WI_BLOCK_KEYS ? left : WI_BLOCK_KEYS;
    for (uint32_t k = 0; k < count; k++) {
        r->key[k] = wi_run_row(slot->run, slot->at + k);
        slot->begin[k] = slot->at + k;
        slot->end[k] = slot->at + k + 1;
    }
    slot->at += count;
    return count;
}

static inline __attribute__((always_inline)) uint32_t keys_of_words(wi_reduction *r, wi_slot *slot,
                                                                    uint32_t words)
{
    const wi_run *run = slot->run;
    const uint64_t *rows = run->rows, mask = r->key_mask;
    uint32_t at = slot->at, count = run->count, k = 0;
    for (; k < WI_BLOCK_KEYS && at < count; k++) {
        uint64_t key = rows[(size_t)at * words] & mask;
        r->key_word[k] = key;
        r->key[k] = &r->key_word[k];
        slot->begin[k] = at++;
        while (at < count && (rows[(size_t)at * words] & mask) == key)
            at++;
        slot->end[k] = at;
    }
    slot->at = at;
    return k;
}

static uint32_t keys_of_one(wi_reduction *r, wi_slot *slot)
{
    const wi_run *run = slot->run;
    if (!run->times && run->layout->words == r->key_words && !run->layout->packed)
        return keys_are_rows(r, slot);
    if (r->key_words == 1) {
        if (run->layout->words == 1)
            return keys_of_words(r, slot, 1);
        if (run->layout->words == 2)
            return keys_of_words(r, slot, 2);
        return keys_of_words(r, slot, run->layout->words);
    }
    uint32_t k = 0;
    for (; k < WI_BLOCK_KEYS && slot->at < run->count; k++) {
        r->key[k] = wi_run_row(run, slot->at);
        slot->begin[k] = slot->at;
        slot->end[k] = slot->at = end_of_key(r, run, slot->at);
    }
    return k;
}

static const uint64_t *least_key(const wi_reduction *r)
{
    const uint64_t *least = NULL;
    for (uint32_t s = 0; s < r->sources; s++) {
        const wi_slot *slot = &r->slots.at[s];
        if (slot->at == slot->run->count)
            continue;
        const uint64_t *key = wi_run_row(slot->run, slot->at);
        if (!least || wi_key_compare(r->key_layout, key, least) < 0)
            least = key;
    }
    return least;
}

static uint32_t keys_of_several(wi_reduction *r)
{
    uint32_t k = 0;
    const uint64_t *key;
    for (; k < WI_BLOCK_KEYS && (key = least_key(r)); k++) {
        if (r->key_words == 1) {
            r->key_word[k] = key[0] & r->key_mask;
            key = &r->key_word[k];
        }
        r->key[k] = key;
        for (uint32_t s = 0; s < r->sources; s++) {
            wi_slot *slot = &r->slots.at[s];
            slot->begin[k] = slot->at;
            if (slot->at < slot->run->count && same_key(r, wi_run_row(slot->run, slot->at), key))
                slot->at = end_of_key(r, slot->run, slot->at);
            slot->end[k] = slot->at;
        }
    }
    return k;
}

/* ---- where they are --------------------------------------------------------------------- */

/* From the run's rows [begin, end) to the keys. */
static void match_rows(wi_reduction *r, wi_slot *slot, uint32_t begin, uint32_t end)
{
    uint32_t k = 0;
    memset(slot->begin, 0, r->keys * sizeof *slot->begin);
    memset(slot->end, 0, r->keys * sizeof *slot->end);
    while (begin < end) {
        const uint64_t *row = wi_run_row(slot->run, begin);
        uint32_t high = r->keys; /* the first key that is not before the row is in [k, high] */
        for (uint32_t step = 1; k + step < r->keys; step *= 2) {
            if (wi_key_compare(r->key_layout, r->key[k + step], row) >= 0) {
                high = k + step;
                break;
            }
        }
        while (k < high) {
            uint32_t middle = k + (high - k) / 2;
            if (wi_key_compare(r->key_layout, r->key[middle], row) < 0)
                k = middle + 1;
            else
                high = middle;
        }
        if (k == r->keys)
            return;
        if (same_key(r, r->key[k], row)) {
            slot->begin[k] = begin;
            begin = slot->end[k] = end_of_key(r, slot->run, begin);
            slot->active = true;
        } else {
            begin = wi_run_seek(slot->run, begin, r->key[k]);
        }
    }
}

static void gallop(wi_reduction *r, wi_slot *slot, uint32_t at)
{
    const wi_run *run = slot->run;
    for (uint32_t k = 0; k < r->keys; k++) {
        at = wi_run_seek(run, at, r->key[k]);
        slot->begin[k] = at;
        if (at < run->count && same_key(r, wi_run_row(run, at), r->key[k])) {
            at = end_of_key(r, run, at);
            slot->active = true;
        }
        slot->end[k] = at;
    }
}

/* The same for keys of one word, where most of the time goes. */
static inline __attribute__((always_inline)) void gallop_words(wi_reduction *r, wi_slot *slot,
                                                               uint32_t from, size_t words)
{
    const uint64_t *rows = slot->run->rows, mask = r->key_mask;
    size_t count = slot->run->count, at = from;
    bool any = false;
    for (uint32_t k = 0; k < r->keys; k++) {
        uint64_t key = r->key[k][0];
        if (at < count && rows[at * words] < key) {
            size_t step = 1;
            for (; at + step < count && rows[(at + step) * words] < key; step *= 2)
                at += step;
            for (; step; step /= 2)
                if (at + step < count && rows[(at + step) * words] < key)
                    at += step;
            at++;
        }
        slot->begin[k] = (uint32_t)at;
        for (; at < count && (rows[at * words] & mask) == key; at++)
            any = true;
        slot->end[k] = (uint32_t)at;
    }
    slot->active = any;
}

/* What is looked up only for some keys, or not at all. */
static bool is_skipped(const wi_reduction *r, const wi_slot *slot)
{
    return slot->role == WI_ROLE_OUT ? r->pending != NULL : r->knows;
}

static bool is_sparse(const wi_reduction *r, const wi_run *run)
{
    return run->count / SPARSE > r->rows_left + r->keys;
}

/* Fetches what the directory says that a key's row is, its time and its diff. */
static void fetch_row(const wi_run *run, const uint64_t *key)
{
    if (!run->directory || key[0] < run->directory_base)
        return;
    uint64_t entry = (key[0] - run->directory_base) >> run->directory_shift;
    if (entry >= run->directory_entries)
        return;
    uint32_t row = run->directory[entry];
    __builtin_prefetch(wi_run_row(run, row));
    if (run->times)
        __builtin_prefetch(&run->times[row]);
    if (run->diffs)
        __builtin_prefetch(&run->diffs[row]);
}

/* A few keys in many large runs: what is waited for is memory, so all of it is fetched at once,
 * the directories and then what they point to. */
static void fetch_few(const wi_reduction *r)
{
    for (int step = 0; step < 2; step++)
        for (uint32_t s = r->sources; s < r->slots.count; s++) {
            const wi_run *run = r->slots.at[s].run;
            bool skipped = is_skipped(r, &r->slots.at[s]);
            for (uint32_t k = 0; k < r->keys && !skipped && is_sparse(r, run); k++)
                if (step == 0)
                    wi_run_prefetch(run, r->key[k]);
                else
                    fetch_row(run, r->key[k]);
        }
}

static void look_up(wi_reduction *r, wi_slot *slot)
{
    wi_run *run = slot->run;
    for (uint32_t k = 0; k < r->keys && r->keys > FEW_KEYS; k++)
        wi_run_prefetch(run, r->key[k]);
    for (uint32_t k = 0; k < r->keys && r->keys > FEW_KEYS; k++)
        fetch_row(run, r->key[k]);
    for (uint32_t k = 0; k < r->keys; k++) {
        uint32_t at = slot->begin[k] = slot->end[k] = wi_run_find(run, r->key[k]);
        if (at < run->count && same_key(r, wi_run_row(run, at), r->key[k])) {
            slot->end[k] = end_of_key(r, run, at);
            slot->active = true;
        }
    }
}

static void locate(wi_reduction *r, wi_slot *slot)
{
    wi_run *run = slot->run;
    slot->active = false;
    if (run->count - slot->at == 0)
        return;
    if (is_sparse(r, run)) {
        look_up(r, slot);
        return;
    }
    uint32_t begin = wi_run_seek(run, slot->at, r->key[0]);
    uint32_t end = wi_run_past(run, begin, r->key[r->keys - 1]);
    slot->at = end;
    if (end - begin < r->keys / 2) {
        match_rows(r, slot, begin, end);
    } else if (r->key_words == 1) {
        if (run->layout->words == 1)
            gallop_words(r, slot, begin, 1);
        else if (run->layout->words == 2)
            gallop_words(r, slot, begin, 2);
        else
            gallop_words(r, slot, begin, run->layout->words);
    } else {
        gallop(r, slot, begin);
    }
}

void wi_reduce_look_up_said(wi_reduction *r, uint32_t k)
{
    const uint64_t *key = r->key[k];
    for (uint32_t s = r->sources; s < r->slots.count; s++) {
        wi_slot *slot = &r->slots.at[s];
        if (slot->role != WI_ROLE_OUT)
            continue;
        uint32_t at = slot->begin[k] = slot->end[k] = wi_run_find(slot->run, key);
        if (at < slot->run->count && same_key(r, wi_run_row(slot->run, at), key)) {
            slot->end[k] = end_of_key(r, slot->run, at);
            slot->active = true;
        }
    }
}

bool wi_reduce_next_block(wi_reduction *r, uint64_t *rows_out)
{
    r->keys = r->sources == 1 ? keys_of_one(r, &r->slots.at[0]) : keys_of_several(r);
    if (r->keys == 0)
        return false;
    uint64_t rows = r->keys;
    if (r->keys <= FEW_KEYS)
        fetch_few(r);
    for (uint32_t s = 0; s < r->slots.count; s++) {
        wi_slot *slot = &r->slots.at[s];
        if (s < r->sources)
            slot->active = true;
        else if (is_skipped(r, slot))
            slot->active = false;
        else
            locate(r, slot);
        for (uint32_t k = 0; slot->active && k < r->keys; k++)
            rows += slot->end[k] - slot->begin[k];
    }
    r->rows_left -= r->rows_left < r->keys ? r->rows_left : r->keys;
    *rows_out = rows;
    return true;
}
