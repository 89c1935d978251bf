/* Fuzzes the decoder of rows (operators/io/rows.h): whatever the bytes are and however they come in
 * pieces, rows, lines that are none, and places are the same as when they come at once; and a line
 * of tab-separated fields is a row exactly if weir_row_parse takes it. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/weir.h>

#include "operators/io/rows.h"

#define EVENT(F)                                                                               \
    F(i64, at) F(weir_text, who) F(u16, port) F(f64, share) F(bool, on) F(weir_bytes, key)
#define FLOOR(F) F(i32, number) F(f32, corner, 2, 2) F(weir_text, name) F(weir_time_ms, at)
WEIR_ROW(event, EVENT)
WEIR_ROW(ground, FLOOR)

typedef struct outcome {
    uint64_t rows, bad, hash, bad_hash;
    wi_rows_place at;
    bool failed;
} outcome;

static void note_bad(void *arg, const wi_no_row *what)
{
    outcome *to = arg;
    uint64_t hash = what->line * 31 + what->length;
    for (size_t i = 0; i < what->length; i++)
        hash = hash * 131 + (unsigned char)what->text[i];
    to->bad++;
    to->bad_hash += hash * hash; /* in any order */
    if (!what->why[0])
        abort();
}

static void take(wi_rows *rows, outcome *to)
{
    weir_err *err = NULL;
    for (;;) {
        uint64_t before = wi_rows_at(rows).records;
        weir_batch *batch = wi_rows_take(rows, 3, &err);
        for (uint32_t i = 0; batch && i < batch->count; i++)
            to->hash = to->hash * 31 + weir_row_hash(batch->type, weir_batch_row(batch, i));
        to->rows += batch ? batch->count : 0;
        uint64_t taken = wi_rows_at(rows).records - before;
        if (taken > 3)
            abort();
        weir_batch_drop(batch);
        to->failed |= err != NULL;
        weir_err_free(err);
        if (!taken)
            return;
    }
}

static outcome decode(const wi_rows_how *like, const uint8_t *bytes, size_t count, size_t piece)
{
    outcome to = {.rows = 0};
    weir_err *err = NULL;
    wi_rows_how how = *like;
    how.bad = note_bad;
    how.arg = &to;
    wi_rows *rows = wi_rows_new(&how, &err);
    if (!rows)
        abort();
    for (size_t at = 0, room; at < count && !to.failed;) {
        char *into = wi_rows_room(rows, &room);
        size_t some = count - at < room ? count - at : room;
        if (!room)
            abort();
        if (some > piece)
            some = piece;
        memcpy(into, bytes + at, some);
        wi_rows_fill(rows, some);
        at += some;
        take(rows, &to);
    }
    wi_rows_end(rows);
    take(rows, &to);
    to.at = wi_rows_at(rows);
    wi_rows_free(rows);
    return to;
}

/* By weir_row_parse, line by line. */
static void compare_lines(const weir_type *type, const char *bytes, size_t count, outcome got)
{
    outcome to = {.rows = 0};
    weir_batch *arena = weir_batch_new(type, 1);
    if (count >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0)
        bytes += 3, count -= 3;
    for (const char *end = bytes + count, *at = bytes; at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t length = newline ? (size_t)(newline - at) : (size_t)(end - at);
        const char *next = newline ? newline + 1 : end;
        length -= length && at[length - 1] == '\r';
        weir_err *err = weir_row_parse(type, at, length, arena->rows, arena);
        if (!err)
            to.hash = to.hash * 31 + weir_row_hash(type, arena->rows);
        to.rows += !err;
        to.bad += err != NULL;
        weir_err_free(err);
        at = next;
    }
    weir_batch_drop(arena);
    if (to.rows != got.rows || to.bad != got.bad || to.hash != got.hash)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    if (!count)
        return 0;
    uint8_t ways = bytes[0];
    bytes++;
    count--;
    wi_rows_how how = {.type = ways & 1 ? &event_type : &ground_type,
                       .format = (weir_row_format)((ways >> 1) % 3),
                       .header = (ways >> 3) % 4 == 0,
                       .extra = ways >> 5 & 1,
                       .line_by_line = ways >> 6 & 1,
                       .row_bytes_max = ways >> 7 ? 100 : 0};
    outcome whole = decode(&how, bytes, count, SIZE_MAX);
    static const uint32_t rooms[] = {1, 7, 64, 200};
    for (int i = 0; i < 2; i++) {
        how.room_bytes = rooms[(ways + count + (size_t)i) % 4];
        how.batch_rows = 1 + (uint32_t)(count % 5);
        outcome parts = decode(&how, bytes, count, 1 + (count + (size_t)i) % 40);
        if (parts.failed != whole.failed)
            abort();
        if (!whole.failed && memcmp(&parts, &whole, sizeof parts) != 0)
            abort();
    }
    if (!whole.failed && (whole.at.bytes != count || whole.at.records != whole.rows + whole.bad))
        abort();
    if (how.format == WEIR_TSV && !how.header && !how.row_bytes_max)
        compare_lines(how.type, (const char *)bytes, count, whole);
    return 0;
}

/* ---- valid inputs ----------------------------------------------------------------------- */

static const char *const events[] = {
    "#\tann\t#\t0.5\ttrue\tc0ffee\n", "-#\tone, longer than twelve\t#\t1e3\t0\t\n",
    "#,ann,#,0.25,false,00\n",        "#,\"a \"\"b\"\",\n\",#,-7.125,1,\n",
    "{\"at\":#,\"who\":\"ann\",\"port\":#,\"share\":1.5,\"on\":true,\"key\":\"ff\"}\n",
    "{\"who\":\"\\u00e9\\n more than twelve\",\"at\":#,\"key\":\"\",\"on\":false,\"port\":#}\r\n"};
static const char *const grounds[] = {
    "#\t[[1,2],[3,4.5]]\tn\t#\n",     "#\t[[1,2],[3,4.5]]\tn\\\\n\\t\t-#\r\n",
    "#,\"[[1,2],[-3,4e2]]\",\"\",#\n", "\"#\",\"[[inf,nan],[0.1,4]]\",a name,\"#\"\r\n",
    "{\"number\":#,\"corner\":[[1,2],[3,4]],\"name\":\"n\",\"at\":#}\n",
    "{\"at\":-# , \"name\":\"\",\"corner\" : [ [1,2],[3e1,\"inf\"]],\"number\":#}\n"};

/* A form with a number for each #. */
static size_t put_line(uint8_t *to, const char *form, uint64_t *seed)
{
    size_t used = 0;
    for (; *form; form++) {
        *seed = *seed * 6364136223846793005u + 1442695040888963407u;
        if (*form == '#')
            used += (size_t)sprintf((char *)to + used, "%llu",
                                    (unsigned long long)(*seed >> (*seed >> 58)));
        else
            to[used++] = (uint8_t)*form;
    }
    return used;
}

size_t fuzz_valid_input(uint64_t seed, uint8_t *bytes_out, size_t bytes_max)
{
    uint8_t ways = (uint8_t)(seed >> 7);
    if (seed % 3)
        ways = (uint8_t)(ways | 8); /* mostly without a header */
    const char *const *forms = ways & 1 ? events : grounds;
    unsigned form = (ways >> 1) % 3 * 2;
    size_t used = 1;
    bytes_out[0] = ways;
    for (uint64_t lines = seed >> 20 & 15; lines > 0 && used + 200 < bytes_max; lines--)
        used += put_line(bytes_out + used, forms[form + (seed >> 60 & 1)], &seed);
    return used;
}
