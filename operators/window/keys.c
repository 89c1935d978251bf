/* Keys and their windows; see keys.h. A hash table with chains, since keys come and go.
 *
 * Long texts that kernels put into an acc are borrowed from rows that will be gone, so the acc
 * gets copies of its own (malloc), which are replaced when the kernel changes any of them. */
#include "keys.h"

#include "../../base/alloc.h"
#include "../../base/type.h"

#define BUCKETS_MIN 64

/* ---- texts of an acc -------------------------------------------------------------------- */

static weir_text *text_of(char *row, uint32_t offset)
{
    return (weir_text *)(void *)(row + offset);
}

static void own_text(weir_text *text)
{
    if (text->length <= WEIR_TEXT_INLINE)
        return;
    char *bytes = wi_alloc(text->length);
    memcpy(bytes, text->at, text->length);
    text->at = bytes;
}

static void free_text(const weir_text *text)
{
    if (text->length > WEIR_TEXT_INLINE)
        wi_free((void *)(uintptr_t)text->at);
}

static void free_texts(const wi_windowing *call, char *acc)
{
    for (uint32_t t = 0; t < call->text_count; t++)
        free_text(text_of(acc, call->text_at[t]));
}

/* Runs a kernel for one row. Its texts may move between the fields of the acc, so all are copied
 * before any that were there are freed. */
static void run(const wi_windowing *call, wi_window_keys *keys, const weir_fold_kernel *kernel,
                char *acc, const void *row, int64_t diff)
{
    void *accs[] = {acc};
    if (!call->text_count) {
        kernel->run(row, accs, NULL, diff, 1, call->arg);
        return;
    }
    if (!keys->scratch)
        keys->scratch = wi_alloc(call->by.type->size);
    memcpy(keys->scratch, acc, call->by.type->size);
    kernel->run(row, accs, NULL, diff, 1, call->arg);
    bool changed = false;
    for (uint32_t t = 0; t < call->text_count; t++)
        changed |= memcmp(acc + call->text_at[t], keys->scratch + call->text_at[t],
                          sizeof(weir_text)) != 0;
    if (!changed)
        return;
    for (uint32_t t = 0; t < call->text_count; t++)
        own_text(text_of(acc, call->text_at[t]));
    free_texts(call, keys->scratch);
}

void wi_acc_fold(const wi_windowing *call, wi_window_keys *keys, char *acc, const void *row,
                 int64_t diff)
{
    run(call, keys, call->fold, acc, row, diff);
    wi_acc_add_rows(call, acc, diff);
}

void wi_acc_combine(const wi_windowing *call, wi_window_keys *keys, char *acc, const char *other,
                    int64_t diff)
{
    run(call, keys, call->how.combine, acc, other, diff);
    wi_acc_add_rows_of(call, acc, other, diff);
}

static void free_contents(const wi_windowing *call, char *acc)
{
    if (call->how.release)
        call->how.release(acc, call->arg);
    free_texts(call, acc);
}

char *wi_acc_new(const wi_windowing *call, const wi_window_key *key)
{
    char *acc = wi_alloc(call->by.type->size);
    memcpy(acc, key->blank, call->by.type->size);
    return acc;
}

void wi_acc_free(const wi_windowing *call, char *acc)
{
    free_contents(call, acc);
    wi_free(acc);
}

void wi_acc_reset(const wi_windowing *call, const wi_window_key *key, char *acc)
{
    free_contents(call, acc);
    memcpy(acc, key->blank, call->by.type->size);
}

bool wi_acc_is_new(const wi_windowing *call, const char *acc)
{
    for (uint32_t at = call->rows_at + sizeof(int64_t); at < call->by.type->size; at++)
        if (acc[at])
            return false;
    return true;
}

/* ---- windows of a key ------------------------------------------------------------------- */

uint32_t wi_windows_from(const wi_window_key *key, int64_t last)
{
    return wi_sorted_from(&key->windows, sizeof(wi_window), offsetof(wi_window, last), last);
}

/* At the ends of the integers some have the same start. */
uint32_t wi_windows_place(const wi_window_key *key, int64_t start, int64_t last)
{
    const wi_sorted *windows = &key->windows;
    uint32_t place =
        wi_sorted_from(windows, sizeof(wi_window), offsetof(wi_window, start), start);
    while (place < wi_sorted_end(windows) && wi_window_at(key, place)->start == start &&
           wi_window_at(key, place)->last < last)
        place = wi_sorted_next(windows, place);
    return place;
}

wi_window *wi_windows_insert(const wi_windowing *call, wi_window_key *key, uint32_t *place,
                             int64_t start, int64_t last)
{
    wi_window *window = wi_sorted_insert(&key->windows, sizeof *window, place);
    *window = (wi_window){.start = start,
                          .last = last,
                          .acc = wi_acc_new(call, key),
                          .due = WI_NEVER,
                          .changed = true};
    return window;
}

static void free_window(const wi_windowing *call, wi_window *window)
{
    wi_acc_free(call, window->acc);
    for (wi_sent *sent = window->sent, *next; sent; sent = next) {
        next = sent->next;
        weir_batch_drop(sent->row);
        wi_free(sent);
    }
}

uint32_t wi_windows_remove(const wi_windowing *call, wi_window_key *key, uint32_t begin,
                           uint32_t end)
{
    for (uint32_t i = begin; i < end; i = wi_sorted_next(&key->windows, i))
        free_window(call, wi_window_at(key, i));
    return wi_sorted_remove(&key->windows, sizeof(wi_window), begin, end);
}

/* ---- keys ------------------------------------------------------------------------------- */

static wi_window_key *empty_key(const wi_windowing *call, uint64_t hash)
{
    wi_window_key *key = wi_calloc(1, sizeof *key + call->by.type->size);
    key->hash = hash;
    key->due = WI_NEVER;
    return key;
}

static wi_window_key *new_key(const wi_windowing *call, const char *row, uint64_t hash)
{
    wi_window_key *key = empty_key(call, hash);
    for (uint32_t f = 0; f < call->by.in.count; f++) {
        bool text = call->by.in.bytes[f] == WEIR_KEY_TEXT;
        char *to = key->blank + call->by.acc.offsets[f];
        memcpy(to, row + call->by.in.offsets[f], text ? sizeof(weir_text) : call->by.in.bytes[f]);
        if (text)
            own_text(text_of(key->blank, call->by.acc.offsets[f]));
    }
    return key;
}

static void free_key(const wi_windowing *call, wi_window_key *key)
{
    wi_windows_remove(call, key, wi_sorted_first(&key->windows), wi_sorted_end(&key->windows));
    wi_cells_forget(call, key, INT64_MAX);
    wi_queue_free(call, key->queue);
    for (uint32_t f = 0; f < call->by.acc.count; f++)
        if (call->by.acc.bytes[f] == WEIR_KEY_TEXT)
            free_text(text_of(key->blank, call->by.acc.offsets[f]));
    wi_sorted_fini(&key->windows);
    wi_sorted_fini(&key->cells);
    wi_free(key->marks);
    wi_free(key);
}

static void grow(wi_window_keys *keys)
{
    uint32_t old = keys->buckets ? keys->mask + 1 : 0, size = old ? old * 2 : BUCKETS_MIN;
    wi_window_key **buckets = WI_NEWS(wi_window_key *, size);
    for (uint32_t b = 0; b < old; b++)
        for (wi_window_key *key = keys->buckets[b], *next; key; key = next) {
            next = key->next;
            key->next = buckets[(uint32_t)key->hash & (size - 1)];
            buckets[(uint32_t)key->hash & (size - 1)] = key;
        }
    wi_free(keys->buckets);
    keys->buckets = buckets;
    keys->mask = size - 1;
}

static void link(wi_window_keys *keys, wi_window_key *key)
{
    wi_window_key **bucket = &keys->buckets[(uint32_t)key->hash & keys->mask];
    key->next = *bucket;
    *bucket = key;
    keys->count++;
}

wi_window_key *wi_window_keys_add(const wi_windowing *call, wi_window_keys *keys, uint64_t hash)
{
    if (!keys->buckets || keys->count > keys->mask)
        grow(keys);
    wi_window_key *key = empty_key(call, hash);
    link(keys, key);
    return key;
}

wi_window_key *wi_window_keys_find(const wi_windowing *call, wi_window_keys *keys, const void *row,
                                   uint64_t hash)
{
    if (!keys->buckets || keys->count > keys->mask)
        grow(keys);
    wi_window_key **bucket = &keys->buckets[(uint32_t)hash & keys->mask];
    for (wi_window_key *key = *bucket; key; key = key->next)
        if (key->hash == hash && weir_key_equal(&call->by.acc, key->blank, &call->by.in, row))
            return key;
    wi_window_key *key = new_key(call, row, hash);
    link(keys, key);
    return key;
}

void wi_window_keys_tidy(const wi_windowing *call, wi_window_keys *keys, wi_window_key *key)
{
    if (key->windows.count || key->references || key->queue)
        return;
    wi_window_key **at = &keys->buckets[(uint32_t)key->hash & keys->mask];
    while (*at != key)
        at = &(*at)->next;
    *at = key->next;
    keys->count--;
    free_key(call, key);
}

void wi_window_keys_fini(const wi_windowing *call, wi_window_keys *keys)
{
    for (uint32_t b = 0; keys->buckets && b <= keys->mask; b++)
        for (wi_window_key *key = keys->buckets[b], *next; key; key = next) {
            next = key->next;
            free_key(call, key);
        }
    wi_free(keys->buckets);
    wi_free(keys->scratch);
}
