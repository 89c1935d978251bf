/* Rows to words and back. Blocks of rows are turned column by column, so that what a column is
 * has been decided before the loop; rows whose words are their bytes are copied.
 *
 * A long text's second word has the address of its length and bytes in a heap, aligned to 16,
 * and 15 in the low four bits; a short one's has the length there, at most 12. Texts that
 * descend have the same words as others; only comparing turns them. */
#include "layout.h"

#include "base/assert.h"
#include "base/type.h"

#define BLOCK_ROWS 256
#define TEXT_LONG 15
#define ADDRESS_MASK 0xfffffffffff0ull

/* ---- texts ------------------------------------------------------------------------------ */

typedef struct long_text {
    uint32_t length;
    char bytes[];
} long_text;

static inline bool word_is_long(uint64_t second)
{
    return (second & 15) == TEXT_LONG;
}

static inline long_text *word_long(uint64_t second)
{
    return (long_text *)(uintptr_t)(second & ADDRESS_MASK);
}

static inline uint64_t load_big(const char *bytes)
{
    uint64_t value;
    memcpy(&value, bytes, 8);
    return __builtin_bswap64(value);
}

static inline void store_big(char *bytes, uint64_t value)
{
    value = __builtin_bswap64(value);
    memcpy(bytes, &value, 8);
}

static uint64_t text_copy(const char *bytes, uint32_t length, wi_heap *heap)
{
    long_text *copy = wi_heap_take(heap, sizeof *copy + length);
    wi_assert(((uintptr_t)copy & ~(uintptr_t)ADDRESS_MASK) == 0, "an address has 48 bits");
    copy->length = length;
    memcpy(copy->bytes, bytes, length);
    uint64_t next = (uint64_t)(uint8_t)bytes[8] << 56 | (uint64_t)(uint8_t)bytes[9] << 48;
    return next | (uintptr_t)copy | TEXT_LONG;
}

static inline void text_encode(const weir_text *text, uint64_t *words, wi_heap *heap)
{
    if (text->length > WEIR_TEXT_INLINE) {
        words[0] = load_big(text->at);
        words[1] = text_copy(text->at, text->length, heap);
        return;
    }
    const char *bytes = weir_text_at(text); /* zero beyond the length */
    uint32_t last;
    memcpy(&last, bytes + 8, 4);
    words[0] = load_big(bytes);
    words[1] = (uint64_t)__builtin_bswap32(last) << 32 | text->length;
}

/* The bytes of a text of up to 12, zero beyond its length. */
static inline void short_bytes(const uint64_t *words, char bytes_out[WEIR_TEXT_INLINE])
{
    uint32_t last = __builtin_bswap32((uint32_t)(words[1] >> 32));
    store_big(bytes_out, words[0]);
    memcpy(bytes_out + 8, &last, 4);
}

static inline void text_decode(const uint64_t *words, weir_text *text)
{
    if (word_is_long(words[1])) {
        const long_text *from = word_long(words[1]);
        text->length = from->length;
        memcpy(text->prefix, from->bytes, 4);
        text->at = from->bytes;
        return;
    }
    char bytes[WEIR_TEXT_INLINE];
    short_bytes(words, bytes);
    text->length = (uint32_t)(words[1] & 15);
    memcpy(text->prefix, bytes, 4);
    memcpy(text->rest, bytes + 4, 8);
}

/* Texts whose first ten bytes are equal, of which at least one is long. */
static int compare_long(const uint64_t *a, const uint64_t *b)
{
    weir_text a_text, b_text;
    text_decode(a, &a_text);
    text_decode(b, &b_text);
    return weir_text_compare(&a_text, &b_text);
}

static int compare_texts(const uint64_t *a, const uint64_t *b)
{
    if (a[0] != b[0])
        return a[0] < b[0] ? -1 : 1;
    if (a[1] == b[1])
        return 0;
    if (a[1] >> 48 != b[1] >> 48 || (!word_is_long(a[1]) && !word_is_long(b[1])))
        return a[1] < b[1] ? -1 : 1;
    return compare_long(a, b);
}

int wi_words_compare_texts(const wi_layout *layout, const uint64_t *a, const uint64_t *b,
                           uint32_t begin, uint32_t end)
{
    for (uint32_t i = begin; i < end; i++) {
        if (layout->text_at[i]) {
            int order = compare_texts(a + i, b + i);
            if (order)
                return layout->text_at[i] == 2 ? -order : order;
            i++;
        } else if (a[i] != b[i]) {
            return a[i] < b[i] ? -1 : 1;
        }
    }
    return 0;
}

/* ---- elements --------------------------------------------------------------------------- */

/* Floats in weir_row_compare's order: negative numbers from -inf up to -0.0, then those from 0.0
 * to inf and positive NaNs, then negative NaNs, which stay as they are. */
static inline uint64_t float_turn(uint64_t bits, uint32_t bytes)
{
    uint64_t sign = 1ull << (8 * bytes - 1);
    uint64_t lowest = bytes == 8 ? 0xfff0000000000000u : 0xff800000u;
    if (bits > lowest)
        return bits;
    return bits >= sign ? lowest - bits : bits + (lowest - sign) + 1;
}

static inline uint64_t float_turn_back(uint64_t value, uint32_t bytes)
{
    uint64_t sign = 1ull << (8 * bytes - 1);
    uint64_t lowest = bytes == 8 ? 0xfff0000000000000u : 0xff800000u;
    if (value > lowest)
        return value;
    return value <= lowest - sign ? lowest - value : value - (lowest - sign) - 1;
}

static inline uint64_t mask_of(uint32_t bytes)
{
    return ~0ull >> (64 - 8 * bytes);
}

static inline uint64_t bytes_turn(uint64_t value, uint32_t bytes)
{
    return __builtin_bswap64(value) >> (64 - 8 * bytes);
}

static inline __attribute__((always_inline)) uint64_t element_load(const char *at, uint32_t bytes,
                                                                   wi_coding coding)
{
    uint64_t value = wi_load_unsigned(at, bytes);
    if (coding == WI_CODE_SIGNED)
        return value ^ 1ull << (8 * bytes - 1);
    if (coding == WI_CODE_FLOAT)
        return float_turn(value, bytes);
    return coding == WI_CODE_BYTES ? bytes_turn(value, bytes) : value;
}

static inline __attribute__((always_inline)) void element_store(char *at, uint64_t value,
                                                                uint32_t bytes, wi_coding coding)
{
    value &= mask_of(bytes);
    if (coding == WI_CODE_SIGNED)
        value ^= 1ull << (8 * bytes - 1);
    else if (coding == WI_CODE_FLOAT)
        value = float_turn_back(value, bytes);
    else if (coding == WI_CODE_BYTES)
        value = bytes_turn(value, bytes);
    memcpy(at, &value, bytes);
}

/* ---- columns ---------------------------------------------------------------------------- */

typedef struct block {
    const wi_column *column;
    char *rows; /* at the column's offset */
    size_t row_step;
    uint64_t *words; /* at the column's word */
    size_t word_step;
    uint32_t count;
} block;

/* The first column of a word writes all of it. */
static inline __attribute__((always_inline)) void column_encode(const block *b, uint32_t bytes,
                                                                wi_coding coding)
{
    uint32_t shift = b->column->shift;
    uint64_t turn = b->column->descending ? mask_of(bytes) : 0;
    bool first = shift == 64 - 8 * bytes;
    const char *row = b->rows;
    uint64_t *word = b->words;
    if (first)
        for (uint32_t i = 0; i < b->count; i++, row += b->row_step, word += b->word_step)
            *word = (element_load(row, bytes, coding) ^ turn) << shift;
    else
        for (uint32_t i = 0; i < b->count; i++, row += b->row_step, word += b->word_step)
            *word |= (element_load(row, bytes, coding) ^ turn) << shift;
}

static inline __attribute__((always_inline)) void column_decode(const block *b, uint32_t bytes,
                                                                wi_coding coding)
{
    uint32_t shift = b->column->shift;
    uint64_t turn = b->column->descending ? ~0ull : 0;
    char *row = b->rows;
    const uint64_t *word = b->words;
    for (uint32_t i = 0; i < b->count; i++, row += b->row_step, word += b->word_step)
        element_store(row, (*word ^ turn) >> shift, bytes, coding);
}

static void texts_encode(const block *b, wi_heap *heap)
{
    for (uint32_t i = 0; i < b->count; i++)
        text_encode((const weir_text *)(b->rows + i * b->row_step), b->words + i * b->word_step,
                    heap);
}

static void texts_decode(const block *b)
{
    for (uint32_t i = 0; i < b->count; i++)
        text_decode(b->words + i * b->word_step, (weir_text *)(b->rows + i * b->row_step));
}

#define BY_CODING(run, b, bytes)                                               \
    ((b)->column->coding == WI_CODE_UNSIGNED ? run(b, bytes, WI_CODE_UNSIGNED) \
     : (b)->column->coding == WI_CODE_SIGNED ? run(b, bytes, WI_CODE_SIGNED)   \
     : (b)->column->coding == WI_CODE_FLOAT  ? run(b, bytes, WI_CODE_FLOAT)    \
                                             : run(b, bytes, WI_CODE_BYTES))

static void block_encode(const block *b, wi_heap *heap)
{
    if (b->column->coding == WI_CODE_TEXT)
        texts_encode(b, heap);
    else if (b->column->bytes == 8)
        BY_CODING(column_encode, b, 8);
    else if (b->column->bytes == 4)
        BY_CODING(column_encode, b, 4);
    else if (b->column->bytes == 2)
        BY_CODING(column_encode, b, 2);
    else
        BY_CODING(column_encode, b, 1);
}

static void block_decode(const block *b)
{
    if (b->column->coding == WI_CODE_TEXT)
        texts_decode(b);
    else if (b->column->bytes == 8)
        BY_CODING(column_decode, b, 8);
    else if (b->column->bytes == 4)
        BY_CODING(column_decode, b, 4);
    else if (b->column->bytes == 2)
        BY_CODING(column_decode, b, 2);
    else
        BY_CODING(column_decode, b, 1);
}

/* ---- rows ------------------------------------------------------------------------------- */

static void plain_encode(const wi_layout *layout, const char *rows, uint32_t count, uint64_t *words,
                         uint32_t stride)
{
    size_t row = layout->words;
    if (stride == row) {
        if (count)
            memcpy(words, rows, row * 8 * count);
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        memcpy(words + (size_t)i * stride, rows + i * row * 8, row * 8);
}

void wi_layout_encode(const wi_layout *layout, const void *rows, uint32_t count, uint64_t *words,
                      uint32_t stride, wi_heap *heap)
{
    if (layout->plain) {
        plain_encode(layout, rows, count, words, stride);
        return;
    }
    size_t step = layout->type->size;
    for (uint32_t at = 0; at < count; at += BLOCK_ROWS) {
        uint32_t rows_now = count - at < BLOCK_ROWS ? count - at : BLOCK_ROWS;
        uint64_t *to = words + (size_t)at * stride;
        if (layout->column_count == 0)
            for (uint32_t i = 0; i < rows_now; i++)
                to[(size_t)i * stride] = 0;
        for (uint32_t c = 0; c < layout->column_count; c++) {
            const wi_column *column = &layout->columns[c];
            block b = {.column = column,
                       .rows = (char *)rows + at * step + column->offset,
                       .row_step = step,
                       .words = to + column->word,
                       .word_step = stride,
                       .count = rows_now};
            block_encode(&b, heap);
        }
    }
}

static void plain_decode(const wi_layout *layout, const uint64_t *words, uint32_t stride,
                         uint32_t count, char *rows)
{
    size_t row = layout->words;
    if (stride == row) {
        if (count)
            memcpy(rows, words, row * 8 * count);
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        memcpy(rows + i * row * 8, words + (size_t)i * stride, row * 8);
}

void wi_layout_decode(const wi_layout *layout, const uint64_t *words, uint32_t stride,
                      uint32_t count, void *rows)
{
    if (layout->plain) {
        plain_decode(layout, words, stride, count, rows);
        return;
    }
    size_t step = layout->type->size;
    for (uint32_t at = 0; at < count && step; at += BLOCK_ROWS) {
        uint32_t rows_now = count - at < BLOCK_ROWS ? count - at : BLOCK_ROWS;
        const uint64_t *from = words + (size_t)at * stride;
        char *to = (char *)rows + at * step;
        if (layout->padded)
            memset(to, 0, rows_now * step);
        for (uint32_t c = 0; c < layout->column_count; c++) {
            const wi_column *column = &layout->columns[c];
            block b = {.column = column,
                       .rows = to + column->offset,
                       .row_step = step,
                       .words = (uint64_t *)from + column->word,
                       .word_step = stride,
                       .count = rows_now};
            block_decode(&b);
        }
    }
}

void wi_layout_decode_key(const wi_layout *layout, const uint64_t *words, const weir_type *type,
                          void *row)
{
    const weir_field *field = weir_type_fields(type);
    const wi_column *column = layout->columns;
    for (uint32_t f = 0; f < layout->key.count; f++) {
        uint32_t begin = layout->key.offsets[f], bytes = layout->key.bytes[f];
        if (bytes == WEIR_KEY_TEXT)
            bytes = sizeof(weir_text);
        for (uint32_t done = 0; done < bytes; done += column->bytes, column++) {
            block b = {.column = column,
                       .rows = (char *)row + field[f].offset + (column->offset - begin),
                       .words = (uint64_t *)words + column->word,
                       .count = 1};
            block_decode(&b);
        }
    }
}

void wi_layout_own(const wi_layout *layout, uint64_t *words, uint32_t stride, uint32_t count,
                   wi_heap *heap)
{
    for (uint32_t c = 0; c < layout->column_count && layout->texts; c++) {
        if (layout->columns[c].coding != WI_CODE_TEXT)
            continue;
        uint64_t *word = words + layout->columns[c].word + 1;
        for (uint32_t i = 0; i < count; i++, word += stride)
            if (word_is_long(*word))
                *word = text_copy(word_long(*word)->bytes, word_long(*word)->length, heap);
    }
}
