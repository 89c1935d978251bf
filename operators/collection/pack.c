/* Fields of rows packed into words; see pack.h. */
#include "pack.h"

#include "../../base/alloc.h"
#include "../../base/assert.h"
#include "../../base/type.h"

static const weir_field *field_at(const weir_type *type, uint32_t offset)
{
    const weir_field *field = weir_type_fields(type);
    for (uint32_t f = 0; f < type->field_count; f++)
        if (field[f].offset == offset && field[f].bytes)
            return &field[f];
    wi_assert(false, "a key's fields are the type's");
}

wi_packing wi_packing_new(const weir_type *in, const uint32_t *offsets, uint32_t count,
                          const weir_type *out)
{
    wi_packing packing = {.count = count, .fields = WI_NEWS(wi_packed_field, count)};
    const weir_field *all = weir_type_fields(in), *to = out ? weir_type_fields(out) : NULL;
    uint32_t used = 0;
    for (int texts = 1; texts >= 0; texts--) {
        for (uint32_t f = 0; f < count; f++) {
            const weir_field *from = offsets ? field_at(in, offsets[f]) : &all[f];
            if (wi_kind_is_text(from->kind) != texts)
                continue;
            packing.fields[f] = (wi_packed_field){.from = from->offset,
                                                  .to = to ? to[f].offset : from->offset,
                                                  .at = used,
                                                  .bytes = from->bytes};
            used += from->bytes;
        }
        if (texts)
            packing.texts = used / sizeof(weir_text);
    }
    packing.words = (used + 7) / 8;
    packing.gap = used % 8 != 0;
    return packing;
}

/* The sizes that fields mostly have are constants to the compiler. */
static inline __attribute__((always_inline)) void
move(char *to, size_t to_step, const char *from, size_t from_step, uint32_t count, size_t bytes)
{
    for (uint32_t i = 0; i < count; i++)
        memcpy(to + i * to_step, from + i * from_step, bytes);
}

void wi_pack(const wi_packing *packing, const char *rows, size_t row_bytes, uint32_t count,
             uint64_t *words_out)
{
    size_t step = 8 * (size_t)packing->words;
    if (packing->gap)
        for (uint32_t i = 0; i < count; i++)
            words_out[(i + 1) * (size_t)packing->words - 1] = 0;
    for (uint32_t f = 0; f < packing->count; f++) {
        const wi_packed_field *field = &packing->fields[f];
        char *to = (char *)words_out + field->at;
        const char *from = rows + field->from;
        if (field->bytes == 8 && step == 8)
            move(to, 8, from, row_bytes, count, 8);
        else if (field->bytes == 8)
            move(to, step, from, row_bytes, count, 8);
        else if (field->bytes == 16)
            move(to, step, from, row_bytes, count, 16);
        else if (field->bytes == 4)
            move(to, step, from, row_bytes, count, 4);
        else
            move(to, step, from, row_bytes, count, field->bytes);
    }
}

void wi_unpack(const wi_packing *packing, const uint64_t *words, weir_batch *into, char *row_out)
{
    const char *from = (const char *)words;
    for (uint32_t f = 0; f < packing->count; f++) {
        const wi_packed_field *field = &packing->fields[f];
        char *to = row_out + field->to;
        if (field->bytes == 8) {
            memcpy(to, from + field->at, 8);
        } else if (field->at < 16 * packing->texts) {
            weir_text text;
            memcpy(&text, from + field->at, sizeof text);
            weir_text_own(into, &text);
            memcpy(to, &text, sizeof text);
        } else {
            memcpy(to, from + field->at, field->bytes);
        }
    }
}

/* ---- texts in words --------------------------------------------------------------------- */

bool wi_packed_same_text(const uint64_t *a, const uint64_t *b)
{
    return wi_packed_long(a) && memcmp(wi_packed_bytes(a), wi_packed_bytes(b), (uint32_t)a[0]) == 0;
}

void wi_packed_own(uint64_t *words, uint32_t texts)
{
    for (uint32_t t = 0; t < texts; t++, words += 2) {
        if (!wi_packed_long(words))
            continue;
        size_t bytes = (uint32_t)words[0];
        char *copy = memcpy(wi_alloc(bytes), wi_packed_bytes(words), bytes);
        memcpy(&words[1], &copy, sizeof copy);
    }
}

void wi_packed_free(const uint64_t *words, uint32_t texts)
{
    for (uint32_t t = 0; t < texts; t++, words += 2)
        if (wi_packed_long(words))
            wi_free((void *)(uintptr_t)wi_packed_bytes(words));
}
