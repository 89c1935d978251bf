/* See batches.h. */
#include "batches.h"

#include <check.h>
#include <string.h>

#include "base/alloc.h"
#include "base/batch.h"
#include "base/type.h"

#define NARROW(F) F(u8, a)
#define ALL_KINDS(F)                                                                           \
    F(weir_text, name) F(bool, yes) F(i8, a) F(i16, b) F(i32, c) F(i64, d) F(u8, e) F(u16, f)  \
    F(u32, g) F(u64, h) F(f32, i) F(f64, j) F(weir_time_ms, ms) F(weir_time_us, us)            \
    F(weir_byte, id, 5) F(f32, matrix, 2, 3) F(weir_bytes, blob) F(u16, last)
#define LONG_TEXTS(F) F(weir_text, a) F(weir_bytes, b)
WEIR_ROW(narrow, NARROW)
WEIR_ROW(all_kinds, ALL_KINDS)
WEIR_ROW(long_texts, LONG_TEXTS)

const weir_type *test_batch_type(uint32_t index)
{
    static weir_type *nothing;
    if (index == 0)
        return &narrow_type;
    if (index == 1)
        return &all_kinds_type;
    if (index == 2)
        return &long_texts_type;
    if (!nothing)
        nothing = weir_type_new("nothing", NULL, 0, NULL);
    return nothing;
}

/* ---- making ----------------------------------------------------------------------------- */

/* Memory that texts are taken from, one after the other, if the batch adopts some. */
typedef struct arena {
    char *at;
    size_t left;
} arena;

static weir_text draw_text(uint64_t *seed, weir_batch *batch, arena *adopted, uint32_t text_max)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    uint64_t how = test_draw(seed, 100);
    uint32_t length = (uint32_t)(how < 1    ? test_draw(seed, text_max + 1)
                                 : how < 50 ? test_draw(seed, WEIR_TEXT_INLINE + 1)
                                            : test_draw(seed, 60));
    char *bytes = wi_alloc(length + 1);
    for (uint32_t i = 0; i < length; i++)
        bytes[i] = letters[test_draw(seed, sizeof letters - 1)];
    weir_text text;
    if (length > WEIR_TEXT_INLINE && adopted->left >= length && test_draw(seed, 2)) {
        memcpy(adopted->at, bytes, length);
        text = weir_text_of(adopted->at, length);
        adopted->at += length;
        adopted->left -= length;
    } else {
        text = weir_text_new(batch, bytes, length);
    }
    wi_free(bytes);
    return text;
}

static void draw_row(uint64_t *seed, weir_batch *batch, arena *adopted, char *row,
                     uint32_t text_max)
{
    const weir_field *field = weir_type_fields(batch->type);
    for (uint32_t f = 0; f < batch->type->field_count; f++, field++) {
        char *at = row + field->offset;
        if (wi_kind_is_text(field->kind)) {
            weir_text text = draw_text(seed, batch, adopted, text_max);
            memcpy(at, &text, sizeof text);
            continue;
        }
        for (uint32_t i = 0; i < field->bytes; i++)
            at[i] = (char)test_draw(seed, field->kind == WEIR_KIND_bool ? 2 : 256);
    }
}

static weir_time draw_time(uint64_t *seed, const weir_time *from)
{
    weir_time time = *from;
    for (int i = 0; i < WEIR_DIMS_MAX; i++)
        time.at[i] += test_draw(seed, 3);
    return time;
}

static void draw_columns(uint64_t *seed, weir_batch *batch)
{
    static const weir_time first;
    batch->time = draw_time(seed, &first);
    batch->diff = (int64_t)test_draw(seed, 5) - 2;
    if (test_draw(seed, 3) == 0)
        weir_batch_add_times(batch);
    for (uint32_t i = 0; batch->times && i < batch->count; i++)
        batch->times[i] = draw_time(seed, &batch->time);
    if (test_draw(seed, 3) == 0)
        weir_batch_add_diffs(batch);
    for (uint32_t i = 0; batch->diffs && i < batch->count; i++)
        batch->diffs[i] = (int64_t)test_draw(seed, 7) - 3;
}

weir_batch *test_batch_random(uint64_t *seed, const weir_type *type, uint32_t rows_max,
                              uint32_t text_max)
{
    uint32_t count = 1 + (uint32_t)test_draw(seed, rows_max);
    weir_batch *batch = weir_batch_new(type, count);
    arena adopted = {0};
    if (type->text_count && test_draw(seed, 3) == 0) {
        adopted.left = 1 + test_draw(seed, 20000);
        adopted.at = wi_alloc(adopted.left);
        memset(adopted.at, '.', adopted.left);
        wi_batch_adopt(batch, adopted.at, adopted.left);
    }
    batch->count = count;
    if (type->size)
        memset(batch->rows, 0, (size_t)count * type->size);
    for (uint32_t i = 0; i < count; i++)
        draw_row(seed, batch, &adopted, (char *)batch->rows + (size_t)i * type->size, text_max);
    draw_columns(seed, batch);
    for (uint64_t views = test_draw(seed, 6); views > 3; views--) {
        weir_batch *view = weir_batch_view(batch);
        weir_batch_drop(batch);
        batch = view;
        draw_columns(seed, batch);
    }
    return batch;
}

/* ---- comparing -------------------------------------------------------------------------- */

/* libcheck writes to a file for each check that holds. */
#define FAIL_UNLESS(holds, ...)                                                                \
    do                                                                                         \
        if (!(holds))                                                                          \
            ck_abort_msg(__VA_ARGS__);                                                         \
    while (0)

void test_batch_same(const weir_batch *a, const weir_batch *b, const char *where)
{
    FAIL_UNLESS(weir_type_fits(a->type, b->type), "%s: the types differ", where);
    FAIL_UNLESS(a->count == b->count, "%s: %u rows, not %u", where, b->count, a->count);
    FAIL_UNLESS(weir_time_eq(&a->time, &b->time), "%s: the times differ", where);
    FAIL_UNLESS(!a->times == !b->times, "%s: only one has a column of times", where);
    FAIL_UNLESS(!a->diffs == !b->diffs, "%s: only one has a column of diffs", where);
    for (uint32_t i = 0; i < a->count; i++) {
        FAIL_UNLESS(weir_row_equal(a->type, weir_batch_row(a, i), weir_batch_row(b, i)),
                      "%s: row %u of %u differs", where, i, a->count);
        FAIL_UNLESS(weir_time_eq(weir_batch_time(a, i), weir_batch_time(b, i)),
                      "%s: the time of row %u differs", where, i);
        FAIL_UNLESS(weir_batch_diff(a, i) == weir_batch_diff(b, i),
                      "%s: the diff of row %u differs", where, i);
    }
}

bool test_batch_texts_in(const weir_batch *batch, const char *bytes, size_t count)
{
    const weir_field *field = weir_type_fields(batch->type);
    for (uint32_t f = 0; f < batch->type->field_count; f++, field++)
        for (uint32_t i = 0; wi_kind_is_text(field->kind) && i < batch->count; i++) {
            weir_text text;
            memcpy(&text, (const char *)weir_batch_row(batch, i) + field->offset, sizeof text);
            size_t at = (uintptr_t)text.at - (uintptr_t)bytes;
            if (text.length > WEIR_TEXT_INLINE && (at > count || text.length > count - at))
                return false;
        }
    return true;
}

uint64_t test_batch_hash(const weir_batch *batch)
{
    uint64_t hash = (uint64_t)batch->diff;
    for (uint32_t i = 0; i < batch->count && i < 100000; i++)
        hash = hash * 31 + weir_row_hash(batch->type, weir_batch_row(batch, i)) +
               (uint64_t)weir_batch_diff(batch, i) + weir_batch_time(batch, i)->at[0];
    return hash;
}
