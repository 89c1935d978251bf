/* A side of a key: entries in chunks; see store.h. A side that has few has one chunk, that grows,
 * and no list of chunks. Of full ones, one to which entries are appended is followed by an empty
 * one, and any other becomes two halves. */
#include "store.h"

#include "../../base/alloc.h"
#include "../../base/type.h"

#define ENTRIES_MIN 2
#define CHUNKS_MIN 4

uint32_t wi_chunk_entries = 1u << WI_CHUNK_SHIFT;

/* ---- rows ------------------------------------------------------------------------------- */

wi_side_form wi_side_form_new(const weir_type *type, const weir_key *key, uint32_t time_at,
                              bool by_row)
{
    wi_side_form form = {.type = type, .key = *key, .time_at = time_at, .by_row = by_row};
    form.step = (uint32_t)((sizeof(wi_entry) + type->size + 7) / 8 * 8);
    form.text_at = wi_alloc((type->text_count + 1) * sizeof *form.text_at);
    const weir_field *fields = weir_type_fields(type);
    for (uint32_t f = 0; f < type->field_count; f++)
        if (wi_kind_is_text(fields[f].kind))
            form.text_at[form.text_count++] = fields[f].offset;
    return form;
}

static weir_text *text_at(const wi_side_form *form, char *row, uint32_t t)
{
    return (weir_text *)(void *)(row + form->text_at[t]);
}

static void own_texts(const wi_side_form *form, char *row)
{
    for (uint32_t t = 0; t < form->text_count; t++) {
        weir_text *text = text_at(form, row, t);
        if (text->length <= WEIR_TEXT_INLINE)
            continue;
        char *bytes = wi_alloc(text->length);
        memcpy(bytes, text->at, text->length);
        text->at = bytes;
    }
}

static void free_texts(const wi_side_form *form, char *row)
{
    for (uint32_t t = 0; t < form->text_count; t++) {
        const weir_text *text = text_at(form, row, t);
        if (text->length > WEIR_TEXT_INLINE)
            wi_free((void *)(uintptr_t)text->at);
    }
}

/* ---- looking for a place ---------------------------------------------------------------- */

/* Whether an entry is before a time; or, with a row, not after it. */
static inline bool is_before(const wi_side_form *form, const wi_entry *entry, int64_t time,
                             const void *row)
{
    if (entry->time != time)
        return entry->time < time;
    return row && weir_row_compare(form->type, entry->row, row) <= 0;
}

static inline const wi_entry *entry_in(const wi_side_form *form, const wi_side_part *chunk,
                                       uint32_t at)
{
    return (const wi_entry *)(const void *)(chunk->entries + (size_t)at * form->step);
}

/* The first chunk whose last entry is not before. */
static uint32_t find_chunk(const wi_side_form *form, const wi_side *of, int64_t time,
                           const void *row)
{
    uint32_t low = of->begin, high = of->end;
    const wi_side_part *last = wi_part_at(of, high - 1);
    if (is_before(form, entry_in(form, last, last->end - 1), time, row))
        return high; /* what comes is mostly the latest */
    for (high--; low < high;) {
        uint32_t middle = low + (high - low) / 2;
        const wi_side_part *chunk = wi_part_at(of, middle);
        if (is_before(form, entry_in(form, chunk, chunk->end - 1), time, row))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static uint32_t find_place(const wi_side_form *form, const wi_side *of, int64_t time,
                           const void *row)
{
    if (!of->end)
        return 0;
    uint32_t found = find_chunk(form, of, time, row);
    if (found == of->end)
        return found << WI_CHUNK_SHIFT;
    const wi_side_part *chunk = wi_part_at(of, found);
    uint32_t low = chunk->begin, high = chunk->end;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (is_before(form, entry_in(form, chunk, middle), time, row))
            low = middle + 1;
        else
            high = middle;
    }
    return found << WI_CHUNK_SHIFT | low;
}

uint32_t wi_side_from(const wi_store *store, const wi_match_key *key, uint32_t side, int64_t time)
{
    return find_place(&store->forms[side], &key->sides[side], time, NULL);
}

/* ---- making room ------------------------------------------------------------------------ */

static wi_side_part *new_chunk(const wi_side_form *form, uint32_t capacity)
{
    wi_side_part *chunk = wi_alloc(sizeof *chunk + (size_t)capacity * form->step);
    *chunk = (wi_side_part){.capacity = capacity};
    return chunk;
}

/* Puts a chunk behind another, which is at `after`; returns where it is. */
static uint32_t add_chunk(wi_side *to, uint32_t after, wi_side_part *chunk)
{
    if (!to->capacity) {
        wi_side_part **many = WI_NEWS(wi_side_part *, CHUNKS_MIN);
        many[0] = to->only;
        to->many = many;
        to->capacity = CHUNKS_MIN;
    } else if (to->end == to->capacity && to->begin >= to->capacity / 2) {
        memmove(to->many, to->many + to->begin, (to->end - to->begin) * sizeof *to->many);
        after -= to->begin;
        to->end -= to->begin;
        to->begin = 0;
    } else if (to->end == to->capacity) {
        to->capacity *= 2;
        to->many = wi_realloc(to->many, to->capacity * sizeof *to->many);
    }
    uint32_t at = after + 1;
    memmove(to->many + at + 1, to->many + at, (to->end - at) * sizeof *to->many);
    to->many[at] = chunk;
    to->end++;
    return at;
}

static void replace_chunk(wi_side *to, uint32_t at, wi_side_part *chunk)
{
    if (to->capacity)
        to->many[at] = chunk;
    else
        to->only = chunk;
}

/* Room for one more entry before *place in a full chunk: in this one, or in another. */
static void split(const wi_side_form *form, wi_side *to, uint32_t *chunk_at, uint32_t *place)
{
    wi_side_part *chunk = wi_part_at(to, *chunk_at);
    wi_side_part *other = new_chunk(form, wi_chunk_entries);
    if (*place == chunk->end && *chunk_at + 1 == to->end) {
        *chunk_at = add_chunk(to, *chunk_at, other);
        *place = 0;
        return;
    }
    uint32_t kept = (chunk->begin + chunk->end) / 2;
    other->end = chunk->end - kept;
    memcpy(other->entries, chunk->entries + (size_t)kept * form->step,
           (size_t)other->end * form->step);
    chunk->end = kept;
    uint32_t added = add_chunk(to, *chunk_at, other);
    *chunk_at = *place > kept ? added : added - 1;
    *place -= *place > kept ? kept : 0;
}

/* The same for any chunk: what was freed at its beginning is used again if it is half of it. */
static void make_room(const wi_side_form *form, wi_side *to, uint32_t *chunk_at, uint32_t *place)
{
    wi_side_part *chunk = wi_part_at(to, *chunk_at);
    if (chunk->end < chunk->capacity)
        return;
    if (chunk->begin && chunk->begin >= chunk->capacity / 2) {
        memmove(chunk->entries, chunk->entries + (size_t)chunk->begin * form->step,
                (size_t)(chunk->end - chunk->begin) * form->step);
        *place -= chunk->begin;
        chunk->end -= chunk->begin;
        chunk->begin = 0;
    } else if (chunk->capacity < wi_chunk_entries) {
        chunk->capacity *= 2;
        if (chunk->capacity > wi_chunk_entries)
            chunk->capacity = wi_chunk_entries;
        chunk = wi_realloc(chunk, sizeof *chunk + (size_t)chunk->capacity * form->step);
        replace_chunk(to, *chunk_at, chunk);
    } else {
        split(form, to, chunk_at, place);
    }
}

/* ---- putting in, and taking out --------------------------------------------------------- */

/* Behind what is not after it: a chunk, and a place in it, which may be its end. */
static void find_room(const wi_side_form *form, const wi_side *to, int64_t time, const void *row,
                      uint32_t *chunk_out, uint32_t *place_out)
{
    uint32_t found = to->end << WI_CHUNK_SHIFT;
    if (form->by_row)
        found = find_place(form, to, time, row);
    else if (time < INT64_MAX)
        found = find_place(form, to, time + 1, NULL);
    uint32_t at = found >> WI_CHUNK_SHIFT, place = found & WI_CHUNK_MASK;
    if (at == to->end || (at > to->begin && place == wi_part_at(to, at)->begin))
        place = wi_part_at(to, --at)->end;
    *chunk_out = at;
    *place_out = place;
}

void wi_side_insert(wi_store *store, wi_match_key *key, uint32_t side, const void *row,
                    int64_t time, int64_t stamp, int64_t diff)
{
    const wi_side_form *form = &store->forms[side];
    wi_side *to = &key->sides[side];
    uint32_t chunk_at = 0, place = 0;
    if (to->end)
        find_room(form, to, time, row, &chunk_at, &place);
    else
        *to = (wi_side){.only = new_chunk(form, ENTRIES_MIN), .end = 1};
    make_room(form, to, &chunk_at, &place);
    wi_side_part *chunk = wi_part_at(to, chunk_at);
    char *at = chunk->entries + (size_t)place * form->step;
    memmove(at + form->step, at, (size_t)(chunk->end - place) * form->step);
    chunk->end++;
    wi_entry *entry = (wi_entry *)(void *)at;
    *entry = (wi_entry){.time = time, .stamp = stamp, .diff = diff};
    memcpy(entry->row, row, form->type->size);
    own_texts(form, entry->row);
    store->entries++;
}

/* Frees entries [begin, end) of a chunk. */
static void remove_entries(const wi_side_form *form, wi_side_part *chunk, uint32_t begin,
                           uint32_t end)
{
    char *at = chunk->entries + (size_t)begin * form->step;
    for (uint32_t i = 0; form->text_count && i < end - begin; i++)
        free_texts(form, ((wi_entry *)(void *)(at + (size_t)i * form->step))->row);
    if (begin == chunk->begin) {
        chunk->begin = end;
        return;
    }
    memmove(at, at + (size_t)(end - begin) * form->step, (size_t)(chunk->end - end) * form->step);
    chunk->end -= end - begin;
}

/* Of an empty one. Whether those behind it have moved to its place. */
static bool remove_chunk(wi_side *of, uint32_t at)
{
    wi_free(wi_part_at(of, at));
    if (at == of->begin) {
        of->begin++;
        return false;
    }
    memmove(of->many + at, of->many + at + 1, (of->end - at - 1) * sizeof *of->many);
    of->end--;
    return true;
}

uint32_t wi_side_remove(wi_store *store, wi_match_key *key, uint32_t side, uint32_t begin,
                        uint32_t end)
{
    wi_side *of = &key->sides[side];
    uint32_t at = begin >> WI_CHUNK_SHIFT, first = begin & WI_CHUNK_MASK;
    uint32_t last_at = end >> WI_CHUNK_SHIFT, last = end & WI_CHUNK_MASK;
    while (at < last_at) {
        wi_side_part *chunk = wi_part_at(of, at);
        store->entries -= chunk->end - first;
        remove_entries(&store->forms[side], chunk, first, chunk->end);
        if (chunk->begin == chunk->end && remove_chunk(of, at))
            last_at--;
        else
            at++;
        first = at < of->end ? wi_part_at(of, at)->begin : 0;
    }
    if (begin < end && first < last) { /* the entry at `last` stays */
        wi_side_part *chunk = wi_part_at(of, at);
        bool from_front = first == chunk->begin;
        store->entries -= last - first;
        remove_entries(&store->forms[side], chunk, first, last);
        first = from_front ? last : first;
    }
    if (of->begin < of->end)
        return at << WI_CHUNK_SHIFT | first;
    if (of->capacity)
        wi_free(of->many);
    *of = (wi_side){.only = NULL};
    return 0;
}
