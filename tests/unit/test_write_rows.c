/* Rows as lines of TSV, CSV and JSON, and numbers as text, against slower ways to say the same.
 * The same lines are read by Python's modules in tests/sinks/lines.py. */
#include "operators/io/write_rows.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/number_text.h"
#include "tests/support/execution.h"

#define MIXED(F)                                                                               \
    F(i64, a) F(u8, b) F(f64, c) F(f32, d) F(bool, e) F(weir_text, f) F(weir_bytes, g)         \
        F(weir_byte, h, 3) F(i16, i, 2) F(f32, j, 2, 2) F(weir_time_ms, k)
#define ONE(F) F(weir_text, only)
#define NONE(F)
WEIR_ROW(mixed, MIXED)
WEIR_ROW(one, ONE)
WEIR_ROW(none, NONE)

static uint64_t seed;

static uint64_t next(void)
{
    seed += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = seed;
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static void new_seed(void)
{
    const char *given = getenv("SEED");
    seed = given ? strtoull(given, NULL, 0) : (uint64_t)(test_seconds() * 1e9);
    printf("SEED=%llu\n", (unsigned long long)seed);
}

/* ---- numbers ---------------------------------------------------------------------------- */

/* The first number of digits with which %g reads back. */
static void slowly_f64(double value, char *text)
{
    for (int digits = 15; digits <= 17; digits++) {
        sprintf(text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            return;
    }
}

static void slowly_f32(float value, char *text)
{
    for (int digits = 6; digits <= 9; digits++) {
        sprintf(text, "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value)
            return;
    }
}

static void check_f64(double value)
{
    char expected[64], text[WI_NUMBER_BYTES + 1];
    if (isnan(value))
        return;
    slowly_f64(value, expected);
    *wi_put_f64(text, value) = 0;
    ck_assert_str_eq(text, expected);
}

static void check_f32(float value)
{
    char expected[64], text[WI_NUMBER_BYTES + 1];
    if (isnan(value))
        return;
    slowly_f32(value, expected);
    *wi_put_f32(text, value) = 0;
    ck_assert_str_eq(text, expected);
}

START_TEST(floats_have_as_few_digits_as_read_back)
{
    static const double some[] = {
        0,      -0.0, 1,         -1,  0.1,    1e15,  999999999999999, 1e-4,
        9.9e-5, 1e22, 1e23,      0.3, 5e-324, 1e300, INFINITY,        -INFINITY,
        1e14,   1e16, 123456.75, 2.5e-4, 1.7976931348623157e308};
    new_seed();
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        check_f64(some[i]);
        check_f64(nextafter(some[i], 1e9));
        check_f32((float)some[i]);
        check_f32(nextafterf((float)some[i], 1e9f));
    }
    int times = test_sanitized() ? 10000 : 50000;
    for (int i = 0; i < times; i++) {
        uint64_t bits = next();
        double wide;
        float narrow;
        uint32_t half = (uint32_t)bits;
        memcpy(&wide, &bits, sizeof wide);
        memcpy(&narrow, &half, sizeof narrow);
        check_f64(wide);
        check_f32(narrow);
        double whole = (double)(int64_t)(next() >> (next() % 60));
        double decimal = whole / pow(10, (double)(next() % 20));
        check_f64(decimal);
        check_f64(-nextafter(decimal, 0));
        check_f32((float)decimal);
        check_f32(nextafterf((float)decimal, 0));
    }
}
END_TEST

START_TEST(integers_have_their_digits)
{
    char expected[64], text[2 * WI_NUMBER_BYTES];
    new_seed();
    for (int i = 0; i < 300000; i++) {
        uint64_t value = i < 2 ? UINT64_MAX - (uint64_t)i : next() >> (next() % 64);
        if (i >= 1000 && i < 1100)
            value = (uint64_t)pow(10, (i - 1000) % 20) - (i >= 1050);
        sprintf(expected, "%llu %lld", (unsigned long long)value, (long long)value);
        char *at = wi_put_u64(text, value);
        *at++ = ' ';
        *wi_put_i64(at, (int64_t)value) = 0;
        ck_assert_str_eq(text, expected);
    }
}
END_TEST

/* ---- lines ------------------------------------------------------------------------------ */

/* A line, or "refused". */
static char *line_of(const weir_type *type, const void *row, int64_t diff, wi_lines_how how)
{
    wi_row_writer *writer = wi_row_writer_new(type, &how);
    wi_bytes bytes = {0};
    wi_write_header(writer, &bytes);
    for (int64_t lines = wi_write_lines(writer, &diff); lines > 0; lines--)
        if (!wi_write_row(writer, &bytes, row, diff))
            wi_bytes_put(&bytes, "refused", 7);
    wi_bytes_put(&bytes, "", 1);
    wi_row_writer_free(writer);
    return bytes.at;
}

static void expect(const weir_type *type, const void *row, int64_t diff, wi_lines_how how,
                   const char *expected)
{
    char *line = line_of(type, row, diff, how);
    ck_assert_str_eq(line, expected);
    wi_free(line);
}

static mixed some_row(void)
{
    return (mixed){.a = INT64_MIN,
                   .b = 255,
                   .c = 0.1,
                   .d = -INFINITY,
                   .e = true,
                   .f = weir_text_of("tab\there, \"quote\"\n\\\x01\xff", 21),
                   .g = weir_text_of("\0\xff", 2),
                   .h = {1, 2, 254},
                   .i = {-1, 2},
                   .j = {{1, 2.5f}, {NAN, 4}},
                   .k = 9007199254740993};
}

START_TEST(each_kind_in_each_format)
{
    mixed row = some_row();
    expect(&mixed_type, &row, 1, (wi_lines_how){WEIR_TSV, true, WEIR_DIFFS_OTHERS},
           "a\tb\tc\td\te\tf\tg\th\ti\tj\tk\n"
           "-9223372036854775808\t255\t0.1\t-inf\ttrue\t"
           "tab\\there, \"quote\"\\n\\\\\x01\xff\t00ff\t"
           "0102fe\t[-1,2]\t[[1,2.5],[nan,4]]\t9007199254740993\n");
    expect(&mixed_type, &row, -2, (wi_lines_how){WEIR_CSV, true, WEIR_DIFFS_ALL},
           "diff,a,b,c,d,e,f,g,h,i,j,k\n"
           "-2,-9223372036854775808,255,0.1,-inf,true,"
           "\"tab\there, \"\"quote\"\"\n\\\x01\xff\",00ff,"
           "0102fe,\"[-1,2]\",\"[[1,2.5],[nan,4]]\",9007199254740993\n");
    expect(&mixed_type, &row, 1, (wi_lines_how){WEIR_JSON, true, WEIR_DIFFS_OTHERS},
           "{\"a\":-9223372036854775808,\"b\":255,\"c\":0.1,\"d\":\"-inf\",\"e\":true,"
           "\"f\":\"tab\\there, \\\"quote\\\"\\n\\\\\\u0001\xef\xbf\xbd\",\"g\":\"00ff\","
           "\"h\":\"0102fe\",\"i\":[-1,2],\"j\":[[1,2.5],[\"nan\",4]],\"k\":9007199254740993}\n");
}
END_TEST

START_TEST(diffs_have_a_place_or_are_refused)
{
    one row = {weir_text_of("x", 1)};
    expect(&one_type, &row, -1, (wi_lines_how){.format = WEIR_TSV}, "-1\tx\n");
    expect(&one_type, &row, 2, (wi_lines_how){.format = WEIR_TSV}, "+2\tx\n");
    expect(&one_type, &row, 2, (wi_lines_how){.format = WEIR_TSV, .header = true}, "only\nrefused");
    expect(&one_type, &row, -1, (wi_lines_how){.format = WEIR_CSV}, "refused");
    expect(&one_type, &row, 1, (wi_lines_how){.format = WEIR_CSV, .diffs = WEIR_DIFFS_ALL},
           "1,x\n");
    expect(&one_type, &row, INT64_MIN, (wi_lines_how){.format = WEIR_JSON},
           "{\"diff\":-9223372036854775808,\"only\":\"x\"}\n");
    expect(&one_type, &row, 1, (wi_lines_how){.format = WEIR_JSON, .diffs = WEIR_DIFFS_ALL},
           "{\"diff\":1,\"only\":\"x\"}\n");
    wi_lines_how lines = {.format = WEIR_CSV, .header = true, .diffs = WEIR_DIFFS_LINES};
    expect(&one_type, &row, 3, lines, "only\nx\nx\nx\n");
    expect(&one_type, &row, 0, lines, "only\n");
    expect(&one_type, &row, -1, lines, "only\nrefused");
    expect(&one_type, &row, -1, (wi_lines_how){.diffs = WEIR_DIFFS_LINES}, "refused");
}
END_TEST

START_TEST(lines_without_text)
{
    one row = {weir_text_of("", 0)};
    none nothing;
    expect(&one_type, &row, 1, (wi_lines_how){.format = WEIR_TSV}, "\n");
    expect(&one_type, &row, 1, (wi_lines_how){.format = WEIR_CSV}, "\"\"\n");
    expect(&one_type, &row, 1, (wi_lines_how){.format = WEIR_CSV, .diffs = WEIR_DIFFS_ALL},
           "1,\n");
    expect(&none_type, &nothing, 1, (wi_lines_how){.format = WEIR_TSV}, "\n");
    expect(&none_type, &nothing, -1, (wi_lines_how){.format = WEIR_TSV}, "-1\n");
    expect(&none_type, &nothing, -1, (wi_lines_how){.format = WEIR_JSON}, "{\"diff\":-1}\n");
    expect(&none_type, &nothing, 1, (wi_lines_how){.format = WEIR_JSON}, "{}\n");
}
END_TEST

/* Texts of all lengths, about the lengths of what is scanned and written at once, too. */
static weir_text some_text(char *room, size_t most)
{
    static const char usual[] = "abc,\"\n\r\t\\\0\x1f\x7f\x80\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80";
    size_t length = next() % 8 ? next() % 60 : next() % most;
    bool plain = next() % 2;
    for (size_t i = 0; i < length; i++)
        room[i] = plain || next() % 4 ? (char)('a' + next() % 26)
                                      : usual[next() % (sizeof usual - 1)];
    return weir_text_of(room, (uint32_t)length);
}

START_TEST(tsv_is_what_rows_are_printed_as)
{
    enum { MOST = 10000 };
    char *text = malloc(MOST), *bytes = malloc(MOST);
    new_seed();
    for (int i = 0; i < 20000; i++) {
        mixed row = some_row();
        row.a = (int64_t)(next() >> next() % 64);
        row.f = some_text(text, MOST);
        row.g = some_text(bytes, MOST);
        row.c = (double)(int64_t)next() / 1e12;
        size_t length;
        char *expected = weir_row_text(&mixed_type, &row, &length);
        wi_row_writer *writer = wi_row_writer_new(&mixed_type, &(wi_lines_how){.format = WEIR_TSV});
        wi_bytes line = {0};
        ck_assert(wi_write_row(writer, &line, &row, 1));
        ck_assert_uint_eq(line.length, length + 1);
        ck_assert_mem_eq(line.at, expected, length);
        ck_assert_int_eq(line.at[length], '\n');
        wi_bytes_fini(&line);
        wi_row_writer_free(writer);
        wi_free(expected);
    }
    free(text);
    free(bytes);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("cases");
    tcase_set_timeout(cases, 300);
    tcase_add_test(cases, floats_have_as_few_digits_as_read_back);
    tcase_add_test(cases, integers_have_their_digits);
    tcase_add_test(cases, each_kind_in_each_format);
    tcase_add_test(cases, diffs_have_a_place_or_are_refused);
    tcase_add_test(cases, lines_without_text);
    tcase_add_test(cases, tsv_is_what_rows_are_printed_as);
    return test_main("write_rows", cases);
}
