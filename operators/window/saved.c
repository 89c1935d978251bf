/* Saving windows by key, and reading them again; see saved.h. The bytes of a key are its hash, its
 * acc without rows (keys.h: blank), its windows with what they have sent, its cells, and its
 * queue. */
#include "saved.h"

#include "../../base/alloc.h"
#include "../../base/batch.h"
#include "../../base/type.h"
#include "../../runtime/partition.h"

/* ---- bytes ------------------------------------------------------------------------------ */

void wi_saved_init(wi_saved *saved)
{
    memset(saved, 0, sizeof *saved);
    pthread_mutex_init(&saved->lock, NULL);
}

void wi_saved_fini(wi_saved *saved)
{
    for (uint32_t b = 0; b < WI_SAVED_BINS; b++)
        wi_free(saved->bins[b].at);
    pthread_mutex_destroy(&saved->lock);
}

void wi_saved_put(wi_saved_bytes *to, const void *bytes, size_t count)
{
    wi_grow(&to->at, &to->capacity, to->count + (uint32_t)count, 1);
    memcpy(to->at + to->count, bytes, count);
    to->count += (uint32_t)count;
}

void wi_saved_get(const char **at, void *bytes_out, size_t count)
{
    memcpy(bytes_out, *at, count);
    *at += count;
}

static weir_text *text_of(char *row, uint32_t offset)
{
    return (weir_text *)(void *)(row + offset);
}

static void put_text(wi_saved_bytes *to, const char *row, uint32_t offset)
{
    const weir_text *text = text_of((char *)row, offset);
    if (text->length > WEIR_TEXT_INLINE)
        wi_saved_put(to, text->at, text->length);
}

/* The text is a copy (malloc). */
static void get_text(const char **at, char *row, uint32_t offset)
{
    weir_text *text = text_of(row, offset);
    if (text->length <= WEIR_TEXT_INLINE)
        return;
    char *bytes = wi_alloc(text->length);
    wi_saved_get(at, bytes, text->length);
    text->at = bytes;
}

/* ---- rows ------------------------------------------------------------------------------- */

void wi_saved_put_acc(const wi_windowing *call, wi_saved_bytes *to, const char *acc)
{
    wi_saved_put(to, acc, call->by.type->size);
    for (uint32_t t = 0; t < call->text_count; t++)
        put_text(to, acc, call->text_at[t]);
}

char *wi_saved_get_acc(const wi_windowing *call, const wi_window_key *key, const char **at)
{
    char *acc = wi_alloc(call->by.type->size);
    wi_saved_get(at, acc, call->by.type->size);
    for (uint32_t f = 0; f < call->by.acc.count; f++)
        if (call->by.acc.bytes[f] == WEIR_KEY_TEXT)
            *text_of(acc, call->by.acc.offsets[f]) =
                *text_of((char *)key->blank, call->by.acc.offsets[f]);
    for (uint32_t t = 0; t < call->text_count; t++)
        get_text(at, acc, call->text_at[t]);
    return acc;
}

static void put_blank(const wi_windowing *call, wi_saved_bytes *to, const wi_window_key *key)
{
    wi_saved_put(to, key->blank, call->by.type->size);
    for (uint32_t f = 0; f < call->by.acc.count; f++)
        if (call->by.acc.bytes[f] == WEIR_KEY_TEXT)
            put_text(to, key->blank, call->by.acc.offsets[f]);
}

static void get_blank(const wi_windowing *call, const char **at, wi_window_key *key)
{
    wi_saved_get(at, key->blank, call->by.type->size);
    for (uint32_t f = 0; f < call->by.acc.count; f++)
        if (call->by.acc.bytes[f] == WEIR_KEY_TEXT)
            get_text(at, key->blank, call->by.acc.offsets[f]);
}

static void put_sent(const wi_windowing *call, wi_saved_bytes *to, const wi_sent *sent)
{
    const weir_field *fields = weir_type_fields(call->out);
    for (; sent; sent = sent->next) {
        wi_saved_put(to, &(bool){true}, sizeof(bool));
        wi_saved_put(to, sent->row->rows, call->out->size);
        for (uint32_t f = 0; f < call->out->field_count; f++)
            if (wi_kind_is_text(fields[f].kind))
                put_text(to, sent->row->rows, fields[f].offset);
    }
    wi_saved_put(to, &(bool){false}, sizeof(bool));
}

static weir_batch *get_row(const weir_type *type, const char **at)
{
    weir_batch *made = weir_batch_new(type, 1);
    const weir_field *fields = weir_type_fields(type);
    wi_saved_get(at, made->rows, type->size);
    for (uint32_t f = 0; f < type->field_count; f++) {
        weir_text *text = text_of(made->rows, fields[f].offset);
        if (!wi_kind_is_text(fields[f].kind) || text->length <= WEIR_TEXT_INLINE)
            continue;
        text->at = *at;
        *at += text->length;
    }
    made->count = 1;
    wi_batch_own_texts(made, made->rows, 1);
    return made;
}

static wi_sent *get_sent(const wi_windowing *call, const char **at)
{
    wi_sent *first = NULL, **end = &first;
    for (bool more;;) {
        wi_saved_get(at, &more, sizeof more);
        if (!more)
            return first;
        *end = WI_NEW(wi_sent);
        (*end)->row = get_row(call->out, at);
        end = &(*end)->next;
    }
}

/* ---- keys ------------------------------------------------------------------------------- */

static void put_key(const wi_windowing *call, wi_saved_bytes *to, const wi_window_key *key)
{
    put_blank(call, to, key);
    const wi_sorted *windows = &key->windows, *cells = &key->cells;
    wi_saved_put(to, &windows->count, sizeof windows->count);
    for (uint32_t i = wi_sorted_first(windows); i < wi_sorted_end(windows);
         i = wi_sorted_next(windows, i)) {
        const wi_window *window = wi_window_at(key, i);
        wi_saved_put(to, window, sizeof *window);
        wi_saved_put_acc(call, to, window->acc);
        put_sent(call, to, window->sent);
    }
    wi_saved_put(to, &cells->count, sizeof cells->count);
    for (uint32_t i = wi_sorted_first(cells); i < wi_sorted_end(cells);
         i = wi_sorted_next(cells, i)) {
        const wi_cell *cell = wi_sorted_at(cells, sizeof *cell, i);
        wi_saved_put(to, &cell->time, sizeof cell->time);
        wi_saved_put_acc(call, to, cell->acc);
    }
    wi_queue_write(call, key->queue, to);
}

static void get_key(const wi_windowing *call, const char **at, wi_window_key *key)
{
    get_blank(call, at, key);
    uint32_t count;
    for (wi_saved_get(at, &count, sizeof count); count; count--) {
        uint32_t place = wi_sorted_end(&key->windows);
        wi_window *window = wi_sorted_insert(&key->windows, sizeof *window, &place);
        wi_saved_get(at, window, sizeof *window);
        key->due = window->due < key->due ? window->due : key->due;
        window->acc = wi_saved_get_acc(call, key, at);
        window->sent = get_sent(call, at);
    }
    for (wi_saved_get(at, &count, sizeof count); count; count--) {
        uint32_t place = wi_sorted_end(&key->cells);
        wi_cell *cell = wi_sorted_insert(&key->cells, sizeof *cell, &place);
        wi_saved_get(at, &cell->time, sizeof cell->time);
        cell->acc = wi_saved_get_acc(call, key, at);
    }
    key->queue = wi_queue_read(call, key, at);
}

void wi_saved_write(wi_saved *to, const wi_windowing *call, const wi_window_keys *keys)
{
    pthread_mutex_lock(&to->lock);
    for (uint32_t b = 0; keys->buckets && b <= keys->mask; b++)
        for (const wi_window_key *key = keys->buckets[b]; key; key = key->next) {
            wi_saved_bytes *bin = &to->bins[key->hash >> 56];
            uint32_t begin = bin->count, bytes = 0;
            wi_saved_put(bin, &key->hash, sizeof key->hash);
            wi_saved_put(bin, &bytes, sizeof bytes);
            put_key(call, bin, key);
            bytes = bin->count - begin;
            memcpy(bin->at + begin + sizeof key->hash, &bytes, sizeof bytes);
        }
    pthread_mutex_unlock(&to->lock);
}

void wi_saved_read(wi_now *now, const wi_saved *from)
{
    const weir_worker *worker = weir_op_worker(now->op);
    uint32_t index = weir_worker_index(worker), workers = weir_worker_count(worker);
    for (uint32_t b = 0; b < WI_SAVED_BINS; b++) {
        const char *at = from->bins[b].at, *end = at + from->bins[b].count;
        for (uint32_t bytes; at < end; at += bytes) {
            uint64_t hash;
            const char *next = at;
            wi_saved_get(&next, &hash, sizeof hash);
            wi_saved_get(&next, &bytes, sizeof bytes);
            if (wi_worker_of(hash, workers) != index)
                continue;
            wi_window_key *key = wi_window_keys_add(now->call, now->keys, hash);
            get_key(now->call, &next, key);
            wi_now_ask_next(now, key);
        }
    }
}
