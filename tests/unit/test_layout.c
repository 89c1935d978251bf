/* Layouts: random types of every kind, keys and orders. Encoding and decoding is the identity,
 * and words are in the order that weir_row_compare gives the fields.
 * The seed is printed; an argument gives another. */
#include "operators/trace/layout.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define FIELDS_MAX 7
#define ROWS 80

static uint64_t seed = 1;
static uint64_t state;

static uint64_t random_word(void)
{
    uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint32_t random_below(uint32_t limit)
{
    return (uint32_t)(random_word() % limit);
}

/* ---- random types and rows ------------------------------------------------------------ */

static const char *const names[FIELDS_MAX] = {"a", "b", "c", "d", "e", "f", "g"};

static bool is_text(weir_kind kind)
{
    return kind == WEIR_KIND_weir_text || kind == WEIR_KIND_weir_bytes;
}

static weir_type *random_type(void)
{
    weir_field_spec specs[FIELDS_MAX] = {{0}};
    uint32_t count = 1 + random_below(FIELDS_MAX);
    bool simple = random_below(8) == 0;
    for (uint32_t f = 0; f < count; f++) {
        specs[f].name = names[f];
        specs[f].kind = simple ? WEIR_KIND_u64 : (weir_kind)random_below(WEIR_KIND_count);
        if (!simple && !is_text(specs[f].kind) && random_below(4) == 0) {
            specs[f].rows = 1 + random_below(19);
            specs[f].columns = random_below(3);
        }
    }
    weir_err *err = NULL;
    weir_type *type = weir_type_new("some", specs, count, &err);
    ck_assert_ptr_null(err);
    return type;
}

/* Some fields of a type, in some order, none twice. */
static weir_key random_key(const weir_type *type)
{
    weir_key key = {.type = type};
    const weir_field *field = weir_type_fields(type);
    uint32_t used = 0;
    for (uint32_t tries = random_below(5); tries; tries--) {
        uint32_t f = random_below(type->field_count);
        if (used >> f & 1)
            continue;
        used |= 1u << f;
        key.offsets[key.count] = field[f].offset;
        key.bytes[key.count++] = is_text(field[f].kind) ? WEIR_KEY_TEXT : field[f].bytes;
    }
    return key;
}

/* Bits that lie near the places where orders turn. */
static uint64_t random_bits(weir_kind kind)
{
    static const uint64_t doubles[] = {0,
                                       0x8000000000000000u,
                                       0x7ff0000000000000u,
                                       0xfff0000000000000u,
                                       0x7ff0000000000001u,
                                       0xfff0000000000001u,
                                       0x7fffffffffffffffu,
                                       0xffffffffffffffffu,
                                       0x7ff8000000000000u,
                                       0xfff8000000000000u,
                                       0x3ff0000000000000u,
                                       0xbff0000000000000u};
    static const uint32_t floats[] = {0,          0x80000000u, 0x7f800000u, 0xff800000u,
                                      0x7f800001, 0xff800001u, 0x7fffffffu, 0xffffffffu,
                                      0x7fc00000, 0xffc00000u, 0x3f800000u, 0xbf800000u};
    static const uint64_t numbers[] = {0, 1, 0x7f, 0x80, 0xff, 0x100, 0x8000, 0x80000000u, ~0ull};
    uint32_t pick = random_below(12);
    if (kind == WEIR_KIND_bool)
        return pick & 1;
    if (random_below(3) == 0)
        return random_word();
    if (kind == WEIR_KIND_f64)
        return doubles[pick] + (random_below(4) == 0 ? random_word() % 3 - 1 : 0);
    if (kind == WEIR_KIND_f32)
        return floats[pick];
    return random_below(2) ? random_below(3) : numbers[pick % 9];
}

/* Texts that often begin alike, and whose lengths lie around 8, 10, 12 and 16. */
static weir_text random_text(void)
{
    static char pool[ROWS * FIELDS_MAX * 4][40];
    static uint32_t next;
    char *bytes = pool[next++ % (ROWS * FIELDS_MAX * 4)];
    uint32_t length = random_below(4) ? 6 + random_below(12) : random_below(40);
    for (uint32_t i = 0; i < length; i++)
        bytes[i] = random_below(16) ? 'a' : (char)(random_below(3) - 1);
    return weir_text_of(bytes, length);
}

static void random_row(const weir_type *type, char *row)
{
    const weir_field *field = weir_type_fields(type);
    memset(row, 0, type->size);
    for (uint32_t f = 0; f < type->field_count; f++, field++) {
        uint32_t step = field->elements ? field->bytes / field->elements : 0;
        for (uint32_t i = 0; i < field->elements; i++) {
            char *at = row + field->offset + (size_t)i * step;
            if (is_text(field->kind)) {
                weir_text text = random_text();
                memcpy(at, &text, sizeof text);
            } else {
                uint64_t bits = random_bits(field->kind);
                memcpy(at, &bits, step);
            }
        }
    }
}

/* ---- the order, naively --------------------------------------------------------------- */

static weir_type one_field(const weir_type *type, uint32_t offset, weir_field *field_out)
{
    const weir_field *field = weir_type_fields(type);
    while (field->offset != offset)
        field++;
    *field_out = *field;
    return (weir_type){
        .name = "one", .size = type->size, .align = 8, .field_count = 1, .table = field_out};
}

static int compare_field(const weir_type *type, uint32_t offset, const char *a, const char *b)
{
    weir_field field;
    weir_type one = one_field(type, offset, &field);
    return weir_row_compare(&one, a, b);
}

static bool has(const weir_key *key, uint32_t offset)
{
    for (uint32_t f = 0; f < key->count; f++)
        if (key->offsets[f] == offset)
            return true;
    return false;
}

static int compare_keys(const weir_key *key, const char *a, const char *b)
{
    int order = 0;
    for (uint32_t f = 0; f < key->count && !order; f++)
        order = compare_field(key->type, key->offsets[f], a, b);
    return order;
}

static int compare_rows(const weir_key *key, const weir_order *by, const char *a, const char *b)
{
    int order = compare_keys(key, a, b);
    for (uint32_t f = 0; f < by->by.count && !order; f++) {
        if (has(key, by->by.offsets[f]))
            continue;
        order = compare_field(key->type, by->by.offsets[f], a, b);
        if (by->descending >> f & 1)
            order = -order;
    }
    const weir_field *field = weir_type_fields(key->type);
    for (uint32_t f = 0; f < key->type->field_count && !order; f++)
        if (!has(key, field[f].offset) && !has(&by->by, field[f].offset))
            order = compare_field(key->type, field[f].offset, a, b);
    return order;
}

/* ---- one random layout ---------------------------------------------------------------- */

static void check_identity(const wi_layout *layout, const char *rows, const uint64_t *words,
                           uint32_t stride)
{
    const weir_type *type = layout->type;
    char *back = malloc((size_t)ROWS * type->size + 1);
    memset(back, 0x5a, (size_t)ROWS * type->size);
    wi_layout_decode(layout, words, stride, ROWS, back);
    for (uint32_t i = 0; i < ROWS; i++)
        ck_assert(weir_row_equal(type, rows + i * type->size, back + i * type->size));
    if (!type->text_count)
        ck_assert_mem_eq(rows, back, (size_t)ROWS * type->size);
    free(back);
}

/* Key words alone, and the key's fields in a row of another type. */
static void check_keys(const wi_layout *layout, const char *rows, const uint64_t *words,
                       uint32_t stride)
{
    wi_layout *keys = wi_layout_of_key(layout);
    wi_heap heap = {0};
    ck_assert(wi_layout_same_keys(layout, keys));
    uint64_t *key_words = calloc((size_t)ROWS * keys->words, 8);
    wi_layout_encode(keys, rows, ROWS, key_words, keys->words, &heap);
    weir_field fields[FIELDS_MAX];
    weir_type only = {
        .name = "only", .size = 1024, .field_count = layout->key.count, .table = fields};
    for (uint32_t f = 0, at = 0; f < only.field_count; f++) {
        one_field(layout->type, layout->key.offsets[f], &fields[f]);
        fields[f].offset = at = (at + 15) & ~15u;
        at += fields[f].bytes;
    }
    for (uint32_t i = 0; i < ROWS; i++) {
        const uint64_t *row_words = words + (size_t)i * stride;
        ck_assert_int_eq(wi_key_compare(layout, row_words, key_words + i * keys->words), 0);
        _Alignas(16) char row[FIELDS_MAX * 512], before[FIELDS_MAX * 512];
        memset(row, 0x5a, sizeof row);
        memset(before, 0x5a, sizeof before);
        wi_layout_decode_key(layout, row_words, &only, row);
        for (uint32_t f = 0; f < only.field_count; f++) {
            weir_field from;
            one_field(layout->type, layout->key.offsets[f], &from);
            const char *at = rows + i * layout->type->size + from.offset;
            if (is_text(from.kind))
                ck_assert(weir_text_equal((const weir_text *)at,
                                          (const weir_text *)(row + fields[f].offset)));
            else
                ck_assert_mem_eq(at, row + fields[f].offset, from.bytes);
            memset(row + fields[f].offset, 0x5a, from.bytes);
        }
        ck_assert_mem_eq(row, before, sizeof row);
    }
    free(key_words);
    wi_heap_fini(&heap);
    wi_layout_drop(keys);
}

static void check_order(const wi_layout *layout, const weir_order *by, const char *rows,
                        const uint64_t *words, uint32_t stride)
{
    uint32_t size = layout->type->size;
    for (uint32_t i = 0; i < ROWS; i++)
        for (uint32_t j = 0; j < ROWS; j++) {
            const uint64_t *a = words + (size_t)i * stride, *b = words + (size_t)j * stride;
            const char *a_row = rows + i * size, *b_row = rows + j * size;
            if (wi_row_compare(layout, a, b) != compare_rows(&layout->key, by, a_row, b_row) ||
                wi_key_compare(layout, a, b) != compare_keys(&layout->key, a_row, b_row))
                ck_abort_msg("rows %u and %u are in another order", i, j);
        }
}

static void try_layout(void)
{
    weir_type *type = random_type();
    weir_key key = random_key(type);
    weir_order by = {.by = random_key(type), .descending = (uint32_t)random_word()};
    wi_layout *layout = wi_layout_new(type, &key, by.by.count ? &by : NULL);
    ck_assert_uint_ge(layout->words, 1);
    ck_assert_int_eq(layout->texts, type->text_count > 0);
    char *rows = malloc((size_t)ROWS * type->size + 1);
    for (uint32_t i = 0; i < ROWS; i++) {
        if (i && random_below(4) == 0) /* the same but for one field, perhaps */
            memcpy(rows + i * type->size, rows + (i - 1) * type->size, type->size);
        else
            random_row(type, rows + i * type->size);
    }
    uint32_t stride = layout->words + random_below(3);
    uint64_t *words = malloc((size_t)ROWS * stride * 8);
    wi_heap heap = {0}, other = {0};
    for (uint32_t at = 0; at < ROWS;) { /* in pieces */
        uint32_t count = 1 + random_below(ROWS - at);
        wi_layout_encode(layout, rows + at * type->size, count, words + (size_t)at * stride, stride,
                         &heap);
        at += count;
    }
    check_identity(layout, rows, words, stride);
    check_order(layout, &by, rows, words, stride);
    check_keys(layout, rows, words, stride);
    wi_layout_own(layout, words, stride, ROWS, &other);
    wi_heap_fini(&heap);
    check_identity(layout, rows, words, stride);
    wi_heap_fini(&other);
    free(words);
    free(rows);
    wi_layout_drop(layout);
    weir_type_free(type);
}

START_TEST(random_types_keep_their_rows_and_order)
{
    state = seed;
    for (int i = 0; i < 1000; i++)
        try_layout();
}
END_TEST

/* ---- known ones ----------------------------------------------------------------------- */

#define NOTHING(F)
#define EDGE(F) F(u64, src) F(u64, dst)
#define SIGNED(F) F(i64, src) F(i64, dst)
#define SMALL(F) F(u8, a) F(u32, b) F(u16, c) F(i8, d)
WEIR_ROW(nothing, NOTHING)
WEIR_ROW(edge, EDGE)
WEIR_ROW(two_signed, SIGNED)
WEIR_ROW(small, SMALL)

START_TEST(plain_rows_are_their_words)
{
    weir_key by_src = WEIR_BY(edge, src), by_dst = WEIR_BY(edge, dst);
    weir_key by_none = WEIR_BY_NOTHING(edge), by_signed = WEIR_BY(two_signed, src);
    weir_order down = WEIR_DESCENDING(edge, dst);
    const struct {
        const weir_type *type;
        const weir_key *key;
        const weir_order *order;
        bool plain;
    } cases[] = {{&edge_type, &by_src, NULL, true},
                 {&edge_type, &by_dst, NULL, false},
                 {&edge_type, &by_none, NULL, true},
                 {&edge_type, &by_src, &down, false},
                 {&two_signed_type, &by_signed, NULL, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        wi_layout *layout = wi_layout_new(cases[i].type, cases[i].key, cases[i].order);
        ck_assert_int_eq(layout->plain, cases[i].plain);
        ck_assert_uint_eq(layout->words, 2);
        wi_layout_drop(layout);
    }
}
END_TEST

START_TEST(small_fields_share_words_but_not_with_the_key)
{
    weir_key key = WEIR_BY(small, a);
    wi_layout *layout = wi_layout_new_apart(&small_type, &key);
    ck_assert_uint_eq(layout->key_words, 1);
    ck_assert_uint_eq(layout->words, 2);
    small row = {.a = 1, .b = 2, .c = 3, .d = 4};
    uint64_t words[2];
    wi_layout_encode(layout, &row, 1, words, 2, NULL);
    ck_assert_uint_eq(words[0], 1ull << 56);
    ck_assert_uint_eq(words[1], 2ull << 32 | 3 << 16 | (4 + 128) << 8);
    wi_layout_drop(layout);
}
END_TEST

START_TEST(rows_of_a_word_are_packed)
{
    weir_key key = WEIR_BY(small, a);
    wi_layout *layout = wi_layout_new(&small_type, &key, NULL);
    ck_assert(layout->packed);
    ck_assert_uint_eq(layout->words, 1);
    ck_assert_uint_eq(layout->others_at, 0);
    ck_assert_uint_eq(layout->key_mask, 0xffull << 56);
    small row = {.a = 1, .b = 2, .c = 3, .d = 4};
    uint64_t word;
    wi_layout_encode(layout, &row, 1, &word, 1, NULL);
    ck_assert_uint_eq(word, 1ull << 56 | 2ull << 24 | 3 << 8 | (4 + 128));
    wi_layout *keys = wi_layout_of_key(layout);
    ck_assert(!keys->packed);
    ck_assert_uint_eq(keys->key_mask, layout->key_mask);
    wi_layout_encode(keys, &row, 1, &word, 1, NULL);
    ck_assert_uint_eq(word, 1ull << 56);
    wi_layout_drop(keys);
    wi_layout_drop(layout);
}
END_TEST

START_TEST(rows_without_fields_have_a_word)
{
    weir_key key = WEIR_BY_NOTHING(nothing);
    wi_layout *layout = wi_layout_new(&nothing_type, &key, NULL);
    uint64_t words[3] = {7, 7, 7};
    wi_layout_encode(layout, words, 3, words, 1, NULL);
    ck_assert_uint_eq(layout->words, 1);
    ck_assert_uint_eq(words[0] | words[1] | words[2], 0);
    wi_layout_decode(layout, words, 1, 3, words);
    wi_layout_drop(layout);
}
END_TEST

START_TEST(keys_of_other_kinds_are_told_apart)
{
    weir_key keys[] = {WEIR_BY(edge, src), WEIR_BY(edge, dst), WEIR_BY(edge, src, dst),
                       WEIR_BY(two_signed, src)};
    wi_layout *layouts[4];
    for (int i = 0; i < 4; i++)
        layouts[i] = wi_layout_new(keys[i].type, &keys[i], NULL);
    ck_assert(wi_layout_same_keys(layouts[0], layouts[1]));
    ck_assert(!wi_layout_same_keys(layouts[0], layouts[2]));
    ck_assert(!wi_layout_same_keys(layouts[0], layouts[3]));
    for (int i = 0; i < 4; i++)
        wi_layout_drop(layouts[i]);
}
END_TEST

START_TEST(heaps_keep_what_they_adopt)
{
    state = seed;
    wi_heap heap = {0};
    char *taken[400];
    uint32_t bytes[400];
    for (int i = 0; i < 400;) {
        wi_heap other = {0};
        for (uint32_t some = 1 + random_below(30); some && i < 400; some--, i++) {
            bytes[i] = 1 + random_below(random_below(20) ? 64 : 100000);
            taken[i] = wi_heap_take(random_below(4) ? &other : &heap, bytes[i]);
            ck_assert_uint_eq((uintptr_t)taken[i] % 16, 0);
            memset(taken[i], i & 255, bytes[i]);
        }
        wi_heap_adopt(&heap, &other);
        ck_assert_ptr_null(other.blocks);
    }
    for (int i = 0; i < 400; i++)
        for (uint32_t b = 0; b < bytes[i]; b++)
            ck_assert_int_eq((unsigned char)taken[i][b], i & 255);
    wi_heap_fini(&heap);
    ck_assert_uint_eq(heap.bytes, 0);
}
END_TEST

int main(int argc, char **argv)
{
    if (argc > 1)
        seed = strtoull(argv[1], NULL, 10);
    printf("seed %llu\n", (unsigned long long)seed);
    Suite *suite = suite_create("layout");
    TCase *tests = tcase_create("layout");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, random_types_keep_their_rows_and_order);
    tcase_add_test(tests, plain_rows_are_their_words);
    tcase_add_test(tests, small_fields_share_words_but_not_with_the_key);
    tcase_add_test(tests, rows_of_a_word_are_packed);
    tcase_add_test(tests, rows_without_fields_have_a_word);
    tcase_add_test(tests, keys_of_other_kinds_are_told_apart);
    tcase_add_test(tests, heaps_keep_what_they_adopt);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
