/* Random rows of random types: batches written through a weir_out are compared with a plain
 * list of (row, time, diff); equality, order and hashes with each other and with a plain
 * comparison; lines with what they were printed from, and damaged ones with themselves.
 *
 *     oracle_rows [--seed S] [--cases N]
 */
#include <weir/kernel.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/out.h"

#define FIELDS_MAX 10
#define ROWS_MAX 400
#define BATCHES_MAX 2000

static uint64_t seed = 1, state;
static uint64_t this_case;

#define CHECK(condition)                                                                         \
    ((condition)                                                                                 \
         ? (void)0                                                                               \
         : (fprintf(stderr, "%s:%d: case %llu of --seed %llu: not so: %s\n", __FILE__, __LINE__, \
                    (unsigned long long)this_case, (unsigned long long)seed, #condition),        \
            exit(1)))

static uint64_t draw(uint64_t below)
{
    state += 0x9e3779b97f4a7c15u;
    uint64_t x = (state ^ state >> 32) * 0xd6e8feb86659fd93u;
    x = (x ^ x >> 32) * 0xd6e8feb86659fd93u;
    return below ? (x ^ x >> 32) % below : x ^ x >> 32;
}

/* ---- types and rows ---------------------------------------------------------------------- */

static bool is_text(const weir_field *field)
{
    return field->kind == WEIR_KIND_weir_text || field->kind == WEIR_KIND_weir_bytes;
}

static weir_type *make_type(void)
{
    static const char *const names[FIELDS_MAX] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};
    weir_field_spec specs[FIELDS_MAX] = {{0}};
    uint32_t count = (uint32_t)draw(FIELDS_MAX + 1);
    for (uint32_t f = 0; f < count; f++) {
        specs[f] = (weir_field_spec){.name = names[f], .kind = (weir_kind)draw(WEIR_KIND_count)};
        bool text = specs[f].kind == WEIR_KIND_weir_text || specs[f].kind == WEIR_KIND_weir_bytes;
        if (!text && draw(3) == 0) {
            specs[f].rows = 1 + (uint32_t)draw(5);
            specs[f].columns = (uint32_t)draw(4);
        }
    }
    weir_err *err = NULL;
    weir_type *type = weir_type_new("random", specs, count, &err);
    CHECK(type);
    return type;
}

/* Few different ones, so that equal ones meet; NaNs, infinities and extremes among them. */
static uint64_t make_value(const weir_field *field)
{
    static const uint64_t f64s[] = {0,
                                    1ull << 63,
                                    0x3ff8000000000000,
                                    0x7ff0000000000000,
                                    0xfff0000000000000,
                                    0x7ff8000000000000,
                                    0xfff8000000000000,
                                    0x7ff0000000000001,
                                    1};
    static const uint32_t f32s[] = {0,          1u << 31,   0x3fc00000, 0x7f800000, 0xff800000,
                                    0x7fc00000, 0xffc00000, 0x7f800001, 1};
    if (field->kind == WEIR_KIND_bool)
        return draw(2);
    if (draw(4) == 0)
        return draw(0);
    if (field->kind == WEIR_KIND_f64)
        return f64s[draw(9)];
    if (field->kind == WEIR_KIND_f32)
        return f32s[draw(9)];
    return draw(2) ? draw(3) : 0 - draw(3);
}

static weir_text make_text(void)
{
    uint32_t length = (uint32_t)draw(draw(50) ? 30 : 6000);
    char *bytes = malloc(length ? length : 1);
    bool alike = draw(2);
    for (uint32_t i = 0; i < length; i++)
        bytes[i] = alike ? "ab"[draw(16) == 0] : (char)draw(256);
    weir_text text = weir_text_of(bytes, length);
    if (length <= WEIR_TEXT_INLINE)
        free(bytes);
    return text;
}

static void free_row(const weir_type *type, char *row)
{
    const weir_field *field = weir_type_fields(type);
    for (uint32_t f = 0; f < type->field_count; f++) {
        weir_text *text = (weir_text *)(row + field[f].offset);
        if (is_text(&field[f]) && text->length > WEIR_TEXT_INLINE)
            free((char *)text->at);
    }
    free(row);
}

/* A row with garbage between its fields, in memory of exactly its size. */
static char *make_row(const weir_type *type)
{
    char *row = malloc(type->size ? type->size : 1);
    for (uint32_t i = 0; i < type->size; i++)
        row[i] = (char)draw(256);
    const weir_field *field = weir_type_fields(type);
    for (uint32_t f = 0; f < type->field_count; f++) {
        char *at = row + field[f].offset;
        uint32_t bytes = field[f].bytes / field[f].elements;
        if (is_text(&field[f])) {
            weir_text text = make_text();
            memcpy(at, &text, sizeof text);
            continue;
        }
        for (uint32_t e = 0; e < field[f].elements; e++) {
            uint64_t value = make_value(&field[f]);
            memcpy(at + (size_t)e * bytes, &value, bytes);
        }
    }
    return row;
}

/* ---- batches against a plain list ------------------------------------------------------------ */

typedef struct update {
    char *row;
    weir_time time;
    int64_t diff;
} update;

typedef struct list {
    const weir_type *type;
    update updates[2 * ROWS_MAX];
    uint32_t count;
    weir_batch *batches[BATCHES_MAX];
    uint32_t batch_count;
} list;

static void seal(weir_out *out)
{
    list *to = out->owner;
    weir_batch *batch = wi_out_seal(out);
    CHECK(to->batch_count < BATCHES_MAX);
    if (batch)
        to->batches[to->batch_count++] = batch;
}

static void full(weir_out *out)
{
    CHECK(out->count == out->capacity);
    if (out->batch && draw(4) == 0) {
        wi_out_grow(out, out->capacity + 1 + (uint32_t)draw(20));
        return;
    }
    seal(out);
    wi_out_next(out, 1 + (uint32_t)draw(20));
}

static weir_time later(const weir_time *time)
{
    weir_time to = *time;
    to.at[draw(2)] += draw(3);
    return to;
}

/* Rows of a sealed batch once more; the out's own time and diff come back afterwards. */
static void copy_some(weir_out *out, list *to)
{
    weir_batch *from = to->batches[draw(to->batch_count)];
    uint32_t begin = (uint32_t)draw(from->count + 1ull);
    uint32_t end = begin + (uint32_t)draw(from->count - begin + 1ull);
    if (end - begin > ROWS_MAX / 8 || !weir_time_le(&out->opened, &from->time))
        return;
    uint32_t first = 0; /* the batch's first row in the list */
    for (uint32_t b = 0; to->batches[b] != from; b++)
        first += to->batches[b]->count;
    weir_out_copy(out, from, begin, end);
    for (uint32_t i = begin; i < end; i++)
        to->updates[to->count++] = to->updates[first + i];
}

static void write_some(weir_out *out, list *to, update *now)
{
    switch (draw(8)) {
    case 0:
        weir_out_diff(out, now->diff = (int64_t)draw(3) - 1);
        break;
    case 1:
        now->time = later(&out->opened);
        weir_out_time(out, &now->time);
        break;
    case 2:
        seal(out);
        *now = (update){.time = {{draw(4), draw(4)}}, .diff = 1};
        wi_out_open(out, &now->time, 1 + (uint32_t)draw(20));
        break;
    case 3:
        if (to->batch_count)
            copy_some(out, to);
        break;
    default:
        for (uint64_t n = draw(20); n > 0 && to->count < ROWS_MAX; n--) {
            now->row = make_row(to->type);
            weir_out_row(out, now->row);
            to->updates[to->count++] = *now;
        }
    }
}

/* Between its fields a batch's row has zeros only. */
static bool is_tidy(const weir_type *type, const char *row)
{
    const weir_field *field = weir_type_fields(type);
    uint32_t at = 0;
    for (uint32_t f = 0; f <= type->field_count; f++) {
        uint32_t end = f < type->field_count ? field[f].offset : type->size;
        for (; at < end; at++)
            if (row[at])
                return false;
        if (f < type->field_count)
            at = field[f].offset + field[f].bytes;
    }
    return true;
}

static void compare_batches(const list *with)
{
    uint32_t at = 0;
    for (uint32_t b = 0; b < with->batch_count; b++) {
        const weir_batch *batch = with->batches[b];
        CHECK(batch->count > 0 && batch->count <= batch->capacity);
        for (uint32_t i = 0; i < batch->count; i++, at++) {
            CHECK(at < with->count);
            const update *expected = &with->updates[at];
            CHECK(weir_row_equal(with->type, weir_batch_row(batch, i), expected->row));
            CHECK(is_tidy(with->type, weir_batch_row(batch, i)));
            CHECK(weir_time_eq(weir_batch_time(batch, i), &expected->time));
            CHECK(weir_time_le(&batch->time, &expected->time));
            CHECK(weir_batch_diff(batch, i) == expected->diff);
        }
    }
    CHECK(at == with->count);
}

/* Writes a list in random ways; rows that are only copies are not owned twice. */
static void fill(list *to)
{
    weir_out out;
    update now = {.diff = 1};
    wi_out_init(&out, to->type, full, to);
    wi_out_open(&out, &now.time, 1 + (uint32_t)draw(20));
    for (uint64_t steps = draw(60); steps > 0 && to->count < ROWS_MAX; steps--)
        write_some(&out, to, &now);
    seal(&out);
    wi_out_fini(&out);
}

static int by_address(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t)((const update *)a)->row, y = (uintptr_t)((const update *)b)->row;
    return (x > y) - (x < y);
}

static void clear(list *of)
{
    for (uint32_t b = 0; b < of->batch_count; b++)
        weir_batch_drop(of->batches[b]);
    qsort(of->updates, of->count, sizeof *of->updates, by_address);
    for (uint32_t i = 0; i < of->count; i++)
        if (i == 0 || of->updates[i].row != of->updates[i - 1].row)
            free_row(of->type, of->updates[i].row);
}

/* ---- equality, order, hashes --------------------------------------------------------------------
 */

static int sign(int64_t x)
{
    return (x > 0) - (x < 0);
}

/* The order's key of a float, as its definition says: value, then sign of zero, then bits. */
static int plain_floats(double a, double b, uint64_t a_bits, uint64_t b_bits)
{
    int a_nan = a != a, b_nan = b != b;
    if (a_nan || b_nan)
        return a_nan != b_nan ? a_nan - b_nan : sign((a_bits > b_bits) - (a_bits < b_bits));
    if (a != b)
        return a < b ? -1 : 1;
    return !!__builtin_signbit(b) - !!__builtin_signbit(a);
}

static int plain_element(weir_kind kind, const char *a, const char *b, uint32_t bytes)
{
    uint64_t x = 0, y = 0;
    memcpy(&x, a, bytes);
    memcpy(&y, b, bytes);
    if (kind == WEIR_KIND_f64)
        return plain_floats(*(const double *)a, *(const double *)b, x, y);
    if (kind == WEIR_KIND_f32)
        return plain_floats((double)*(const float *)a, (double)*(const float *)b, x, y);
    bool is_signed =
        kind <= WEIR_KIND_i64 || kind == WEIR_KIND_weir_time_ms || kind == WEIR_KIND_weir_time_us;
    if (is_signed) { /* moves the negative ones below the others */
        x ^= 1ull << (8 * bytes - 1);
        y ^= 1ull << (8 * bytes - 1);
    }
    return (x > y) - (x < y);
}

static int plain_text(const weir_text *a, const weir_text *b)
{
    for (uint32_t i = 0; i < a->length && i < b->length; i++) {
        unsigned char x = (unsigned char)weir_text_at(a)[i], y = (unsigned char)weir_text_at(b)[i];
        if (x != y)
            return x < y ? -1 : 1;
    }
    return sign((int64_t)a->length - b->length);
}

static int plain_order(const weir_type *type, const char *a, const char *b)
{
    const weir_field *field = weir_type_fields(type);
    int order = 0;
    for (uint32_t f = 0; f < type->field_count && !order; f++) {
        const char *x = a + field[f].offset, *y = b + field[f].offset;
        uint32_t bytes = field[f].bytes / field[f].elements;
        if (is_text(&field[f]))
            order = plain_text((const weir_text *)x, (const weir_text *)y);
        for (uint32_t e = 0; e < field[f].elements && !is_text(&field[f]) && !order; e++)
            order =
                plain_element(field[f].kind, x + (size_t)e * bytes, y + (size_t)e * bytes, bytes);
    }
    return order;
}

static void compare_rows(const list *of)
{
    const weir_type *type = of->type;
    for (uint32_t n = 0; n < 50 && of->count; n++) {
        const char *a = of->updates[draw(of->count)].row, *b = of->updates[draw(of->count)].row;
        int order = plain_order(type, a, b);
        CHECK(weir_row_compare(type, a, b) == order);
        CHECK(weir_row_compare(type, b, a) == -order);
        CHECK(weir_row_equal(type, a, b) == (order == 0));
        CHECK((weir_row_hash(type, a) == weir_row_hash(type, b)) == (order == 0));
    }
}

/* A key's hashes are those of rows that have nothing but the key's fields. */
static void compare_keys(const list *of)
{
    const weir_field *field = weir_type_fields(of->type);
    const char *names[WEIR_KEY_FIELDS_MAX];
    weir_field_spec specs[WEIR_KEY_FIELDS_MAX] = {{0}};
    uint32_t count = 0;
    for (uint32_t f = 0; f < of->type->field_count && count < WEIR_KEY_FIELDS_MAX; f++) {
        if (draw(2))
            continue;
        names[count] = field[f].name;
        specs[count] = (weir_field_spec){.name = field[f].name, .kind = field[f].kind};
        if (field[f].elements > 1) {
            specs[count].rows = field[f].elements / field[f].columns;
            specs[count].columns = field[f].columns;
        }
        count++;
    }
    weir_err *err = NULL;
    weir_type *alone = weir_type_new("alone", specs, count, &err);
    weir_key key = weir_key_new(of->type, names, count, &err),
             own = weir_key_new(alone, names, count, &err);
    CHECK(!err);
    for (uint32_t b = 0; b < of->batch_count; b++) {
        const weir_batch *batch = of->batches[b];
        uint64_t *hashes = malloc(batch->count * sizeof *hashes), hash;
        char *row = malloc(alone->size + 1);
        weir_key_hash(&key, batch->rows, batch->count, hashes);
        for (uint32_t i = 0; i < batch->count; i++) {
            memset(row, 0x3c, alone->size);
            for (uint32_t f = 0; f < count; f++)
                memcpy(row + own.offsets[f],
                       (const char *)weir_batch_row(batch, i) + key.offsets[f],
                       weir_type_fields(alone)[f].bytes);
            CHECK(weir_key_equal(&key, weir_batch_row(batch, i), &own, row));
            CHECK(weir_row_hash(alone, row) == hashes[i]);
            weir_key_hash(&own, row, 1, &hash);
            CHECK(hash == hashes[i]);
            bool same = weir_key_equal(&key, weir_batch_row(batch, 0), &own, row);
            CHECK(same == (hashes[0] == hashes[i]));
        }
        free(hashes);
        free(row);
    }
    weir_type_free(alone);
}

/* ---- lines
 * ------------------------------------------------------------------------------------------ */

/* A line that can be parsed gives a row that prints and parses to itself. */
static bool parses(const weir_type *type, const char *line, size_t length, const char *expected)
{
    char *exact = malloc(length ? length : 1), *row = malloc(type->size + 1);
    memcpy(exact, line, length);
    weir_batch *arena = weir_batch_new(type, 0);
    weir_err *err = weir_row_parse(type, exact, length, row, arena);
    if (!err) {
        CHECK(is_tidy(type, row));
        CHECK(!expected || weir_row_equal(type, row, expected));
        size_t again_length;
        char *again = weir_row_text(type, row, &again_length);
        if (expected)
            CHECK(again_length == length && memcmp(again, line, length) == 0);
        else
            CHECK(parses(type, again, again_length, row));
        free(again);
    }
    bool fine = !err;
    weir_err_free(err);
    weir_batch_drop(arena);
    free(exact);
    free(row);
    return fine;
}

static void damage(char *line, size_t *length)
{
    static const char likely[] = "\t\\,[]-.0129aen \n";
    size_t at = draw(*length);
    switch (draw(3)) {
    case 0:
        *length = at;
        break;
    case 1:
        memmove(line + at, line + at + 1, *length - at - 1);
        --*length;
        break;
    default:
        line[at] = draw(2) ? likely[draw(sizeof likely - 1)] : (char)draw(256);
    }
}

static void print_and_parse(const list *of)
{
    for (uint32_t n = 0; n < 10 && of->count; n++) {
        const char *row = of->updates[draw(of->count)].row;
        size_t length;
        char *line = weir_row_text(of->type, row, &length);
        CHECK(parses(of->type, line, length, row));
        for (uint64_t times = draw(4); times > 0 && length; times--) {
            damage(line, &length);
            parses(of->type, line, length, NULL);
        }
        free(line);
    }
}

static void run_case(void)
{
    weir_type *type = make_type();
    list *rows = calloc(1, sizeof *rows);
    rows->type = type;
    fill(rows);
    compare_batches(rows);
    compare_rows(rows);
    compare_keys(rows);
    print_and_parse(rows);
    clear(rows);
    free(rows);
    weir_type_free(type);
}

int main(int argc, char **argv)
{
    uint64_t cases = 5000;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seed") == 0)
            seed = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--cases") == 0)
            cases = strtoull(argv[i + 1], NULL, 10);
    }
    printf("rows: %llu cases, --seed %llu\n", (unsigned long long)cases, (unsigned long long)seed);
    for (this_case = 0; this_case < cases; this_case++) {
        state = seed * 0x100000001b3u + this_case;
        run_case();
    }
    return 0;
}
