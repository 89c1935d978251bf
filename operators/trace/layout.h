/* Layouts: how rows lie in a trace. A row becomes a few words of 64 bits: the key's fields,
 * then the others, each turned so that comparing words as unsigned numbers, first word first,
 * orders rows by their fields' values (numbers by value, texts as memcmp, shorter first).
 * Sorting, merging and looking up then know nothing of fields.
 *
 *   fixed width  packed into a word from its high end on, big-endian; signs turned
 *   text         two words: the first 8 bytes, big-endian; then, for up to 12 bytes, the next
 *                4 and the length, and for longer ones the next 2 bytes and an address
 *
 * The others begin with a word of their own, so that the key's words can be compared apart;
 * unless all of a row is one word (packed): then a mask tells the key's bits, and there is half
 * as much to sort, to merge and to keep.
 *
 * The address is of a text in the heap of the run or bin that the row is in. Two rows are
 * equal if their words are, except where long texts meet: then the texts are compared. So
 * only layouts with texts need wi_layout_compare; the rest compares words. */
#ifndef WEIR_OPERATORS_TRACE_LAYOUT_H
#define WEIR_OPERATORS_TRACE_LAYOUT_H

#include <weir/collection.h>

/* A bump allocator for long texts. All zeros is an empty heap. */
typedef struct wi_heap {
    struct wi_heap_block *blocks; /* newest first */
    size_t bytes;                 /* allocated */
} wi_heap;
void *wi_heap_take(wi_heap *heap, size_t bytes); /* aligned to 16 */
/* Moves all of `from` into `heap`; `from` is empty then. */
void wi_heap_adopt(wi_heap *heap, wi_heap *from);
void wi_heap_fini(wi_heap *heap);

typedef enum wi_coding {
    WI_CODE_UNSIGNED,
    WI_CODE_SIGNED,
    WI_CODE_FLOAT, /* f32, f64: negative ones turned around */
    WI_CODE_BYTES, /* 2, 4 or 8 elements of one byte (u8, bool, weir_byte) at once */
    WI_CODE_TEXT
} wi_coding;

/* One element of a field, or some of one byte each. */
typedef struct wi_column {
    uint32_t offset; /* in the row, bytes */
    uint32_t bytes;  /* 1, 2, 4, 8; 16 for a text */
    uint32_t word;
    uint8_t shift;
    uint8_t coding;
    bool descending; /* its bits are inverted; a text is compared the other way */
} wi_column;

typedef struct wi_layout {
    const weir_type *type;
    weir_key key;
    uint32_t key_words, words; /* words: all of a row, at least 1 */
    uint64_t key_mask;         /* of a key of one word: its bits. Those below are zero in a key,
                                  and in a row that is not packed */
    uint32_t others_at;        /* the first word with other fields: key_words, or 0 if packed */
    bool packed;               /* key and others share the row's only word */
    bool plain;                /* the words of a row are its bytes, in order */
    bool padded;               /* rows have bytes that are in no column */
    bool texts;
    bool key_texts;
    uint32_t column_count, key_column_count;
    wi_column *columns;
    uint8_t *text_at; /* by word: 1 where a text begins, 2 if it descends; 0 elsewhere. Texts
                         that descend have the same words as others: only comparing turns them */
    _Atomic uint32_t references;
} wi_layout;

/* Key fields first, then those of `order` (may be NULL) that are not in the key, then the
 * others. The key's (and order's) type may have another name than `type` but fits it. */
wi_layout *wi_layout_new(const weir_type *type, const weir_key *key, const weir_order *order);
/* The same without packing, for those who write the words after the key by themselves. */
wi_layout *wi_layout_new_apart(const weir_type *type, const weir_key *key);
/* The layout of keys alone: as the key words of rows, without other bits. */
wi_layout *wi_layout_of_key(const wi_layout *of);
/* Counted: one reference from wi_layout_new; the last drop frees. NULL is allowed. */
wi_layout *wi_layout_retain(const wi_layout *layout);
void wi_layout_drop(const wi_layout *layout);
/* Whether the keys of both have the same kinds, so that their key words can be compared. */
bool wi_layout_same_keys(const wi_layout *a, const wi_layout *b);

/* Rows to words, row after row, `stride` words (>= layout->words) from one to the next. Long
 * texts are copied to the heap. */
void wi_layout_encode(const wi_layout *layout, const void *rows, uint32_t count, uint64_t *words,
                      uint32_t stride, wi_heap *heap);
/* Words to rows of layout->type, padding zeroed. Texts borrow from the heap of the words. */
void wi_layout_decode(const wi_layout *layout, const uint64_t *words, uint32_t stride,
                      uint32_t count, void *rows);
/* Only the fields that are in the key: writes those of `type`, whose first fields are the
 * key's, into a row; leaves the others. */
void wi_layout_decode_key(const wi_layout *layout, const uint64_t *words, const weir_type *type,
                          void *row);
/* Copies the long texts of rows in place to another heap (no-op without texts). */
void wi_layout_own(const wi_layout *layout, uint64_t *words, uint32_t stride, uint32_t count,
                   wi_heap *heap);

/* The order of two rows by words [begin, end): negative, 0, positive. */
int wi_words_compare_texts(const wi_layout *layout, const uint64_t *a, const uint64_t *b,
                           uint32_t begin, uint32_t end);
static inline int wi_words_compare(const wi_layout *layout, const uint64_t *a, const uint64_t *b,
                                   uint32_t begin, uint32_t end)
{
    if (WEIR_UNLIKELY(layout->texts))
        return wi_words_compare_texts(layout, a, b, begin, end);
    for (uint32_t i = begin; i < end; i++)
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    return 0;
}
/* Of rows or keys, of this layout or another with keys of the same kinds. */
static inline int wi_key_compare(const wi_layout *layout, const uint64_t *a, const uint64_t *b)
{
    if (WEIR_LIKELY(layout->key_words == 1)) { /* a text has two */
        uint64_t x = a[0] & layout->key_mask, y = b[0] & layout->key_mask;
        return (x > y) - (x < y);
    }
    return wi_words_compare(layout, a, b, 0, layout->key_words);
}
static inline int wi_row_compare(const wi_layout *layout, const uint64_t *a, const uint64_t *b)
{
    return wi_words_compare(layout, a, b, 0, layout->words);
}

#endif
