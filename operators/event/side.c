/* A side of a key: entries in order; see store.h. */
#include "store.h"

#include "../../base/alloc.h"
#include "../../base/type.h"

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

/* ---- entries ---------------------------------------------------------------------------- */

typedef struct row_place {
    const wi_side_form *form;
    int64_t time;
    const void *row;
} row_place;

/* Whether an entry is not after a row. */
static bool is_not_after(const void *item, const void *what)
{
    const wi_entry *entry = item;
    const row_place *place = what;
    if (entry->time != place->time)
        return entry->time < place->time;
    return weir_row_compare(place->form->type, entry->row, place->row) <= 0;
}

uint32_t wi_side_from(const wi_store *store, const wi_match_key *key, uint32_t side, int64_t time)
{
    return wi_sorted_from(&key->sides[side], store->forms[side].step, offsetof(wi_entry, time),
                          time);
}

void wi_side_insert(wi_store *store, wi_match_key *key, uint32_t side, const void *row,
                    int64_t time, int64_t stamp, int64_t diff)
{
    const wi_side_form *form = &store->forms[side];
    wi_sorted *to = &key->sides[side];
    uint32_t place;
    if (form->by_row)
        place = wi_sorted_place(to, form->step, is_not_after, &(row_place){form, time, row});
    else
        place = wi_side_after(store, key, side, time);
    wi_entry *entry = wi_sorted_insert(to, form->step, &place);
    *entry = (wi_entry){.time = time, .stamp = stamp, .diff = diff};
    memcpy(entry->row, row, form->type->size);
    own_texts(form, entry->row);
    store->entries++;
}

uint32_t wi_side_remove(wi_store *store, wi_match_key *key, uint32_t side, uint32_t begin,
                        uint32_t end)
{
    const wi_side_form *form = &store->forms[side];
    wi_sorted *of = &key->sides[side];
    uint32_t before = of->count;
    for (uint32_t i = begin; form->text_count && i < end; i = wi_sorted_next(of, i))
        free_texts(form, wi_entry_at(store, key, side, i)->row);
    uint32_t place = wi_sorted_remove(of, form->step, begin, end);
    store->entries -= before - of->count;
    if (of->count)
        return place;
    wi_sorted_fini(of); /* S4 */
    return 0;
}
