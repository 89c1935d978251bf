/* Row types, declared and built at run time; equality, order and hash of rows; rows as
 * lines of text and back. */
#include <weir/batch.h>

#include <check.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define NOTHING(F)
#define GAPS(F) F(u8, a) F(u64, b) F(u16, c) F(f32, d) F(bool, e) F(weir_text, f) F(i8, g)
#define ARRAYS(F)        \
    F(weir_byte, id, 16) \
    F(f32, vector, 3) F(i32, matrix, 2, 3) F(bool, flags, 5) F(weir_time_us, at) F(weir_byte, one)
#define EVERY(F)                                                                             \
    F(i8, a)                                                                                 \
    F(i16, b) F(i32, c) F(i64, d) F(u8, e) F(u16, f) F(u32, g) F(u64, h) F(f32, i) F(f64, j) \
        F(bool, k) F(weir_time_ms, l) F(weir_time_us, m) F(weir_text, n) F(weir_bytes, o)
#define TALLY(F) F(weir_text, word) F(u8, count)
#define REAL(F) F(f64, wide) F(f32, narrow)
#define HUGE_ROW(F) F(u8, first) F(weir_byte, bytes, 1048576) F(u64, last)
WEIR_ROW(nothing, NOTHING)
WEIR_ROW(gaps, GAPS)
WEIR_ROW(arrays, ARRAYS)
WEIR_ROW(every, EVERY)
WEIR_ROW(tally, TALLY)
WEIR_ROW(real, REAL)
WEIR_ROW(huge, HUGE_ROW)

/* ---- types ---------------------------------------------------------------------------- */

/* A type built at run time with the fields of a declared one. */
static weir_type *rebuild(const weir_type *type)
{
    weir_field_spec specs[32] = {{0}};
    const weir_field *field = weir_type_fields(type);
    for (uint32_t f = 0; f < type->field_count; f++) {
        specs[f].name = field[f].name;
        specs[f].kind = field[f].kind;
        if (field[f].elements > 1)
            specs[f].rows = field[f].elements / field[f].columns;
        if (field[f].columns > 1)
            specs[f].columns = field[f].columns;
    }
    weir_err *err = NULL;
    weir_type *built = weir_type_new(type->name, specs, type->field_count, &err);
    ck_assert_ptr_nonnull(built);
    ck_assert_ptr_null(err);
    return built;
}

static const weir_type *const declared[] = {&nothing_type, &gaps_type, &arrays_type, &every_type,
                                            &tally_type,   &real_type, &huge_type};
#define DECLARED (int)(sizeof declared / sizeof *declared)

START_TEST(types_built_at_run_time_are_laid_out_as_in_c)
{
    for (int i = 0; i < DECLARED; i++) {
        weir_type *built = rebuild(declared[i]);
        ck_assert_uint_eq(built->size, declared[i]->size);
        ck_assert_uint_eq(built->align, declared[i]->align);
        ck_assert_uint_eq(built->text_count, declared[i]->text_count);
        ck_assert(weir_type_same(built, declared[i]));
        ck_assert_uint_eq(weir_type_hash(built), weir_type_hash(declared[i]));
        for (int j = 0; j < DECLARED; j++)
            ck_assert_int_eq(weir_type_same(built, declared[j]), i == j);
        weir_type_free(built);
    }
    ck_assert_uint_eq(nothing_type.size, 0);
    ck_assert_uint_eq(gaps_type.text_count, 1);
}
END_TEST

START_TEST(a_change_anywhere_makes_another_type)
{
    weir_field_spec spec[] = {{.name = "a", .kind = WEIR_KIND_i32, .rows = 2, .columns = 3},
                              {.name = "b", .kind = WEIR_KIND_i32}};
    weir_err *err = NULL;
    weir_type *types[7];
    types[0] = weir_type_new("t", spec, 2, &err);
    types[1] = weir_type_new("u", spec, 2, &err);
    types[2] = weir_type_new("t", spec, 1, &err);
    spec[1].kind = WEIR_KIND_u32;
    types[3] = weir_type_new("t", spec, 2, &err);
    spec[1].kind = WEIR_KIND_i32;
    spec[1].name = "c";
    types[4] = weir_type_new("t", spec, 2, &err);
    spec[1].name = "b";
    spec[0].rows = 3;
    spec[0].columns = 2;
    types[5] = weir_type_new("t", spec, 2, &err);
    spec[0].rows = 6;
    spec[0].columns = 0;
    types[6] = weir_type_new("t", spec, 2, &err);
    for (int i = 0; i < 7; i++)
        for (int j = 0; j < 7; j++) {
            ck_assert_int_eq(weir_type_same(types[i], types[j]), i == j);
            ck_assert_int_eq(weir_type_hash(types[i]) == weir_type_hash(types[j]), i == j);
        }
    for (int i = 0; i < 7; i++)
        weir_type_free(types[i]);
}
END_TEST

static void check_text(const weir_type *type, const char *expected)
{
    char *text = weir_type_text(type);
    ck_assert_str_eq(text, expected);
    free(text);
}

START_TEST(types_as_text)
{
    check_text(&tally_type, "tally(word text, count u8)");
    check_text(&nothing_type, "nothing()");
    check_text(&arrays_type, "arrays(id byte[16], vector f32[3], matrix i32[2][3], flags bool[5], "
                             "at time_us, one byte)");
}
END_TEST

static void check_refused(const char *name, weir_field_spec *specs, uint32_t count,
                          const char *expected)
{
    weir_err *err = NULL;
    ck_assert_ptr_null(weir_type_new(name, specs, count, &err));
    ck_assert_ptr_nonnull(err);
    ck_assert_str_eq(weir_err_message(err), expected);
    weir_err_free(err);
}

START_TEST(impossible_types_are_refused)
{
    weir_field_spec fields[] = {{.name = "a", .kind = WEIR_KIND_u64},
                                {.name = "b", .kind = WEIR_KIND_u64}};
    check_refused("", fields, 2, "a type needs a name");
    fields[1].name = "a";
    check_refused("t", fields, 2, "type `t`: two fields are named `a`");
    fields[1].name = "";
    check_refused("t", fields, 2, "type `t`: field 2 has no name");
    fields[1].name = "b";
    fields[1].kind = WEIR_KIND_count;
    check_refused("t", fields, 2, "type `t`: field `b` has no known kind (16)");
    fields[1].kind = WEIR_KIND_weir_bytes;
    fields[1].rows = 3;
    check_refused("t", fields, 2,
                  "type `t`: field `b` is of any length (bytes) and cannot be an array");
    fields[1] = (weir_field_spec){.name = "b", .kind = WEIR_KIND_u64, .columns = 3};
    check_refused("t", fields, 2, "type `t`: field `b` has columns but no rows");
    fields[1].rows = UINT32_MAX;
    fields[1].columns = UINT32_MAX;
    check_refused("t", fields, 2, "type `t`: with field `b` a row is longer than 1 GiB");
    fields[0].rows = fields[1].rows = 1 << 26;
    fields[1].columns = 1;
    check_refused("t", fields, 2, "type `t`: with field `b` a row is longer than 1 GiB");
}
END_TEST

START_TEST(fields_are_found_by_name)
{
    const weir_field *field = weir_type_find(&arrays_type, "matrix");
    ck_assert_ptr_nonnull(field);
    ck_assert_uint_eq(field->offset, offsetof(arrays, matrix));
    ck_assert_uint_eq(field->elements, 6);
    ck_assert_uint_eq(field->columns, 3);
    ck_assert_uint_eq(field->bytes, 24);
    ck_assert_ptr_null(weir_type_find(&arrays_type, "matri"));
    ck_assert_ptr_null(weir_type_find(&nothing_type, "a"));
    ck_assert_str_eq(weir_kind_name(WEIR_KIND_weir_time_ms), "time_ms");
    ck_assert_str_eq(weir_kind_name(WEIR_KIND_count), "?");
}
END_TEST

/* ---- rows ------------------------------------------------------------------------------- */

static void set_gaps(gaps *row, const char *text)
{
    row->a = 1;
    row->b = 2;
    row->c = 3;
    row->d = 4;
    row->e = true;
    row->f = weir_text_c(text);
    row->g = -7;
}

START_TEST(what_lies_between_fields_does_not_count)
{
    gaps one, two;
    char text[] = "the same text, elsewhere", same[] = "the same text, elsewhere";
    memset(&one, 0x55, sizeof one);
    memset(&two, 0xaa, sizeof two);
    set_gaps(&one, text);
    set_gaps(&two, same);
    ck_assert(memcmp(&one, &two, sizeof one) != 0);
    ck_assert(weir_row_equal(&gaps_type, &one, &two));
    ck_assert_int_eq(weir_row_compare(&gaps_type, &one, &two), 0);
    ck_assert_uint_eq(weir_row_hash(&gaps_type, &one), weir_row_hash(&gaps_type, &two));
    two.g = 7;
    ck_assert(!weir_row_equal(&gaps_type, &one, &two));
    ck_assert_int_eq(weir_row_compare(&gaps_type, &one, &two), -1);
    ck_assert_uint_ne(weir_row_hash(&gaps_type, &one), weir_row_hash(&gaps_type, &two));
}
END_TEST

START_TEST(rows_without_fields_are_all_equal)
{
    nothing one, two;
    ck_assert(weir_row_equal(&nothing_type, &one, &two));
    ck_assert_int_eq(weir_row_compare(&nothing_type, &one, &two), 0);
    ck_assert_uint_eq(weir_row_hash(&nothing_type, &one), weir_row_hash(&nothing_type, &two));
}
END_TEST

static double f64_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

START_TEST(floats_have_a_total_order)
{
    double ordered[] = {-INFINITY,
                        -2,
                        -1e-310,
                        -0.0,
                        0.0,
                        1e-310,
                        2,
                        INFINITY,
                        f64_of(0x7ff0000000000001),
                        f64_of(0x7ff8000000000000),
                        f64_of(0xfff8000000000000),
                        f64_of(0xffffffffffffffff)};
    int count = sizeof ordered / sizeof *ordered;
    for (int i = 0; i < count; i++)
        for (int j = 0; j < count; j++) {
            real a = {.wide = ordered[i]}, b = {.wide = ordered[j]};
            ck_assert_int_eq(weir_row_compare(&real_type, &a, &b), (i > j) - (i < j));
            ck_assert_int_eq(weir_row_equal(&real_type, &a, &b), i == j);
        }
    float narrow[] = {-INFINITY, -1, -0.0f, 0.0f, 1, INFINITY, NAN, -NAN};
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 8; j++) {
            real a = {.narrow = narrow[i]}, b = {.narrow = narrow[j]};
            ck_assert_int_eq(weir_row_compare(&real_type, &a, &b), (i > j) - (i < j));
        }
}
END_TEST

START_TEST(numbers_are_ordered_by_value)
{
    every a = {.a = -1}, b = {.a = 1};
    ck_assert_int_eq(weir_row_compare(&every_type, &a, &b), -1);
    a = (every){.d = INT64_MIN}, b = (every){.d = INT64_MAX};
    ck_assert_int_eq(weir_row_compare(&every_type, &a, &b), -1);
    a = (every){.h = UINT64_MAX}, b = (every){.h = 1};
    ck_assert_int_eq(weir_row_compare(&every_type, &a, &b), 1);
    a = (every){.e = 200}, b = (every){.e = 100};
    ck_assert_int_eq(weir_row_compare(&every_type, &a, &b), 1);
    a = (every){.l = -5}, b = (every){.l = 5};
    ck_assert_int_eq(weir_row_compare(&every_type, &a, &b), -1);
    arrays c = {.matrix = {{1, 2, 3}, {4, 5, -6}}}, d = {.matrix = {{1, 2, 3}, {4, 5, 6}}};
    ck_assert_int_eq(weir_row_compare(&arrays_type, &c, &d), -1);
}
END_TEST

/* ---- as text -------------------------------------------------------------------------------- */

static void check_line(const weir_type *type, const void *row, const char *expected)
{
    size_t length;
    char *line = weir_row_text(type, row, &length);
    ck_assert_str_eq(line, expected);
    ck_assert_uint_eq(length, strlen(expected));
    char buffer[1024] = "";
    FILE *file = fmemopen(buffer, sizeof buffer, "w");
    weir_row_print(type, row, file);
    fclose(file);
    ck_assert_str_eq(buffer, expected);
    free(line);
}

/* Parsing the line gives the row, and printing that the line. */
static void check_both_ways(const weir_type *type, const void *row, const char *expected)
{
    check_line(type, row, expected);
    void *parsed = malloc(type->size + 1);
    memset(parsed, 0x5a, type->size);
    weir_batch *arena = weir_batch_new(type, 0);
    weir_err *err = weir_row_parse(type, expected, strlen(expected), parsed, arena);
    ck_assert_msg(!err, "%s", weir_err_message(err));
    ck_assert(weir_row_equal(type, row, parsed));
    check_line(type, parsed, expected);
    weir_batch_drop(arena);
    free(parsed);
}

START_TEST(rows_as_lines)
{
    check_both_ways(&nothing_type, &(nothing){}, "");
    check_both_ways(&tally_type, &(tally){weir_text_c(""), 0}, "\t0");
    check_both_ways(&tally_type, &(tally){weir_text_c("a\tb\nc\rd\\e"), 255},
                    "a\\tb\\nc\\rd\\\\e\t255");
    every most = {INT8_MIN,
                  INT16_MIN,
                  INT32_MIN,
                  INT64_MIN,
                  UINT8_MAX,
                  UINT16_MAX,
                  UINT32_MAX,
                  UINT64_MAX,
                  0.1f,
                  0.1,
                  true,
                  -1,
                  INT64_MAX,
                  weir_text_c("na\xc3\xafve \xff text of some length"),
                  weir_text_of("\x00\x01\xab\xff", 4)};
    check_both_ways(&every_type, &most,
                    "-128\t-32768\t-2147483648\t-9223372036854775808\t255\t65535\t4294967295\t"
                    "18446744073709551615\t0.1\t0.1\ttrue\t-1\t9223372036854775807\t"
                    "na\xc3\xafve \xff text of some length\t0001abff");
    arrays some = {.id = "0123456789abcdef",
                   .vector = {1, -2.5, 1e30f},
                   .matrix = {{1, 2, 3}, {-4, 5, 6}},
                   .flags = {true, false, true},
                   .at = -3,
                   .one = 0x0f};
    check_both_ways(&arrays_type, &some,
                    "30313233343536373839616263646566\t[1,-2.5,1e+30]\t[[1,2,3],[-4,5,6]]\t"
                    "[true,false,true,false,false]\t-3\t0f");
}
END_TEST

START_TEST(floats_read_back_as_the_same_bits)
{
    const uint64_t bits[] = {0,
                             1,
                             0x8000000000000000,
                             0x3fd5555555555555,
                             0x7fefffffffffffff,
                             0x7ff0000000000000,
                             0xfff0000000000000,
                             0x7ff8000000000000,
                             0xfff8000000000000,
                             0x7ff0000000000001,
                             0xffffffffffffffff};
    const char *expected[] = {"0",
                              "4.94065645841247e-324",
                              "-0",
                              "0.3333333333333333",
                              "1.7976931348623157e+308",
                              "inf",
                              "-inf",
                              "nan",
                              "-nan",
                              "nan(0x7ff0000000000001)",
                              "nan(0xffffffffffffffff)"};
    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++) {
        char line[64];
        snprintf(line, sizeof line, "%s\t0", expected[i]);
        check_both_ways(&real_type, &(real){.wide = f64_of(bits[i])}, line);
    }
    real narrow = {.narrow = 16777217.0f / 3};
    check_both_ways(&real_type, &narrow, "0\t5592405.5");
    uint32_t odd_nan = 0x7f800001;
    memcpy(&narrow.narrow, &odd_nan, 4);
    check_both_ways(&real_type, &narrow, "0\tnan(0x7f800001)");
}
END_TEST

START_TEST(a_decimal_comma_elsewhere_changes_nothing)
{
    if (!setlocale(LC_ALL, "de_DE.UTF-8") && !setlocale(LC_ALL, "fr_FR.UTF-8"))
        return; /* none installed here */
    check_both_ways(&real_type, &(real){.wide = 0.5, .narrow = 2.25}, "0.5\t2.25");
    setlocale(LC_ALL, "C");
}
END_TEST

START_TEST(nul_and_invalid_utf8_are_carried)
{
    const char bytes[] = "a\0b\xff\xfe\0 a long text with NULs";
    tally row = {weir_text_of(bytes, sizeof bytes), 1}, parsed;
    size_t length;
    char *line = weir_row_text(&tally_type, &row, &length);
    ck_assert_uint_eq(length, sizeof bytes + 2);
    ck_assert_ptr_null(weir_row_parse(&tally_type, line, length, &parsed, NULL));
    ck_assert(weir_row_equal(&tally_type, &row, &parsed));
    ck_assert_ptr_eq(parsed.word.at, line); /* borrowed */
    free(line);
}
END_TEST

static void check_bad(const weir_type *type, const char *line, const char *expected)
{
    every row; /* the largest of those used */
    ck_assert_uint_le(type->size, sizeof row);
    weir_batch *arena = weir_batch_new(type, 0);
    weir_err *err = weir_row_parse(type, line, strlen(line), &row, arena);
    ck_assert_msg(err != NULL, "`%s` was parsed", line);
    ck_assert_str_eq(weir_err_message(err), expected);
    weir_err_free(err);
    weir_batch_drop(arena);
}

START_TEST(bad_lines_are_named)
{
    check_bad(&tally_type, "a\t300", "field 2 `count`: 300 does not fit u8");
    check_bad(&tally_type, "a\t99999999999999999999999999",
              "field 2 `count`: 99999999999999999999999999 does not fit u8");
    check_bad(&tally_type, "a\t-1", "field 2 `count`: -1 does not read as u8");
    check_bad(&tally_type, "a\t1x", "field 2 `count`: 1x does not read as u8");
    check_bad(&tally_type, "a\t 1", "field 2 `count`:  1 does not read as u8");
    check_bad(&tally_type, "a\t", "field 2 `count`: (nothing) does not read as u8");
    check_bad(&tally_type, "a", "field 2 `count` is missing: the line has 1, `tally` has 2");
    check_bad(&tally_type, "a\t1\t", "the line goes on after the last of the 2 fields of `tally`");
    check_bad(&nothing_type, "x", "the line goes on after the last of the 0 fields of `nothing`");
    check_bad(&tally_type, "a\\x\t1", "field 1 `word`: a\\x has an unknown escape in text");
    check_bad(&tally_type, "a\\\t1", "field 1 `word`: a\\ has an unknown escape in text");
    check_bad(&tally_type, "a\tone hundred and twenty-three thousand four hundred",
              "field 2 `count`: one hundred and twenty-three thousand fo... does not read as u8");
    check_bad(&real_type, "1e999\t0", "field 1 `wide`: 1e999 does not fit f64");
    check_bad(&real_type, "0\t1e39", "field 2 `narrow`: 1e39 does not fit f32");
    check_bad(&real_type, "0x10\t0", "field 1 `wide`: 0x10 does not read as f64");
    check_bad(&real_type, "+1\t0", "field 1 `wide`: +1 does not read as f64");
    check_bad(&real_type, "infinity\t0", "field 1 `wide`: infinity does not read as f64");
    check_bad(&real_type, "nan(0x1)\t0", "field 1 `wide`: nan(0x1) does not read as f64");
    check_bad(&real_type, "1.5.2\t0", "field 1 `wide`: 1.5.2 does not read as f64");
    check_bad(&every_type, "128", "field 1 `a`: 128 does not fit i8");
    check_bad(&every_type, "-129", "field 1 `a`: -129 does not fit i8");
    check_bad(&every_type, "-", "field 1 `a`: - does not read as i8");
    check_bad(&every_type, "0\t0\t0\t-9223372036854775809",
              "field 4 `d`: -9223372036854775809 does not fit i64");
    check_bad(&every_type, "0\t0\t0\t0\t0\t0\t0\t18446744073709551616",
              "field 8 `h`: 18446744073709551616 does not fit u64");
    check_bad(&every_type, "0\t0\t0\t0\t0\t0\t0\t0\t0\t0\tyes",
              "field 11 `k`: yes does not read as bool");
    check_bad(&every_type, "0\t0\t0\t0\t0\t0\t0\t0\t0\t0\ttrue\t0\t0\t\tabc",
              "field 15 `o`: abc is not hexadecimal, as needed for bytes");
}
END_TEST

START_TEST(bad_arrays_are_named)
{
    const char *id = "30313233343536373839616263646566";
    const char *vectors[] = {"",          "1,2,3",  "[1,2]",  "[1,2,3,4]", "[1,2,3", "[1,2,3]]",
                             "[[1,2,3]]", "[1,2,]", "[,1,2]", "[1 ,2,3]",  "[]"};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        char line[256];
        snprintf(line, sizeof line, "%s\t%s\t[[1,2,3],[4,5,6]]\t[1,0,1,0,1]\t0\t00", id,
                 vectors[i]);
        arrays row;
        weir_err *err = weir_row_parse(&arrays_type, line, strlen(line), &row, NULL);
        ck_assert_msg(err != NULL, "`%s` was parsed", vectors[i]);
        ck_assert_ptr_nonnull(strstr(weir_err_message(err), "field 2 `vector`"));
        weir_err_free(err);
    }
    check_bad(&arrays_type, "3031", "field 1 `id`: 3031 is not 32 hexadecimal digits for byte");
    check_bad(&arrays_type, "30313233343536373839616263646566\t[1,2]",
              "field 2 `vector`: [1,2] is not an array of 3 f32");
    check_bad(&arrays_type, "30313233343536373839616263646566\t[1,2,3]\t[1,2,3,4,5,6]",
              "field 3 `matrix`: [1,2,3,4,5,6] is not a matrix of 2 rows of 3 i32");
}
END_TEST

START_TEST(a_row_of_one_megabyte)
{
    huge *one = calloc(1, sizeof *one), *two = calloc(1, sizeof *two);
    for (size_t i = 0; i < sizeof one->bytes; i++)
        one->bytes[i] = (weir_byte)(i * 7);
    size_t length;
    char *line = weir_row_text(&huge_type, one, &length);
    ck_assert_uint_eq(length, 2 + 2 * sizeof one->bytes + 2);
    ck_assert_ptr_null(weir_row_parse(&huge_type, line, length, two, NULL));
    ck_assert(weir_row_equal(&huge_type, one, two));
    ck_assert_uint_eq(weir_row_hash(&huge_type, one), weir_row_hash(&huge_type, two));
    two->bytes[1048575]++;
    ck_assert_int_eq(weir_row_compare(&huge_type, one, two), -1);
    ck_assert_uint_ne(weir_row_hash(&huge_type, one), weir_row_hash(&huge_type, two));
    free(line);
    free(one);
    free(two);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("row");
    TCase *tests = tcase_create("row");
    tcase_add_test(tests, types_built_at_run_time_are_laid_out_as_in_c);
    tcase_add_test(tests, a_change_anywhere_makes_another_type);
    tcase_add_test(tests, types_as_text);
    tcase_add_test(tests, impossible_types_are_refused);
    tcase_add_test(tests, fields_are_found_by_name);
    tcase_add_test(tests, what_lies_between_fields_does_not_count);
    tcase_add_test(tests, rows_without_fields_are_all_equal);
    tcase_add_test(tests, floats_have_a_total_order);
    tcase_add_test(tests, numbers_are_ordered_by_value);
    tcase_add_test(tests, rows_as_lines);
    tcase_add_test(tests, floats_read_back_as_the_same_bits);
    tcase_add_test(tests, a_decimal_comma_elsewhere_changes_nothing);
    tcase_add_test(tests, nul_and_invalid_utf8_are_carried);
    tcase_add_test(tests, bad_lines_are_named);
    tcase_add_test(tests, bad_arrays_are_named);
    tcase_add_test(tests, a_row_of_one_megabyte);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
