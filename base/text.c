/* Walking through texts: words and fields. Tokens of at most 12 bytes are made without a
 * copy of variable length, since that is where a word count spends its time. (The texts
 * that live in a batch's heap are batch.c's.) */
#include <weir/text.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* A window of 12 bytes onto these, `length` before the middle, keeps a token's bytes and
 * drops what follows. (The lengths of words cannot be predicted: they should decide no
 * branch.) */
static const unsigned char window[2 * WEIR_TEXT_INLINE] = {[0 ... WEIR_TEXT_INLINE - 1] = 0xff};

/* A token from the middle of a text that goes on until `end`. */
static inline weir_text token_of(const char *bytes, size_t length, const char *end)
{
    if (length > WEIR_TEXT_INLINE || end - bytes < WEIR_TEXT_INLINE)
        return weir_text_of(bytes, (uint32_t)length);
    uint32_t head, head_kept;
    uint64_t tail, tail_kept;
    memcpy(&head, bytes, 4);
    memcpy(&tail, bytes + 4, 8);
    memcpy(&head_kept, window + WEIR_TEXT_INLINE - length, 4);
    memcpy(&tail_kept, window + WEIR_TEXT_INLINE - length + 4, 8);
    head &= head_kept;
    tail &= tail_kept;
    weir_text text = {.length = (uint32_t)length};
    memcpy(text.prefix, &head, 4);
    memcpy(text.rest, &tail, 8);
    return text;
}

/* ---- words ------------------------------------------------------------------------------ */

#ifdef __SSE2__

/* One bit for each of 16 bytes: whether it belongs to a word. Signed comparisons: a range is
 * moved to the bottom of the signed bytes. */
static inline unsigned word_mask(__m128i bytes)
{
    __m128i lower = _mm_or_si128(bytes, _mm_set1_epi8(32));
    __m128i letter = _mm_cmplt_epi8(_mm_add_epi8(lower, _mm_set1_epi8((char)(128 - 'a'))),
                                    _mm_set1_epi8(-128 + 26));
    __m128i digit = _mm_cmplt_epi8(_mm_add_epi8(bytes, _mm_set1_epi8((char)(128 - '0'))),
                                   _mm_set1_epi8(-128 + 10));
    __m128i underscore = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('_'));
    __m128i any = _mm_or_si128(_mm_or_si128(letter, digit), _mm_or_si128(underscore, bytes));
    return (unsigned)_mm_movemask_epi8(any); /* a byte above 127 has the sign bit itself */
}

/* The mask of the next 16 bytes; NULs, which belong to no word, stand in for those beyond
 * the end. */
static inline unsigned mask_at(const char *at, const char *end)
{
    if (WEIR_LIKELY(end - at >= 16))
        return word_mask(_mm_loadu_si128((const __m128i *)(const void *)at));
    uint64_t words[2] = {0, 0};
    if (at < end)
        weir_i_load(at, (uint32_t)(end - at), words);
    return word_mask(_mm_set_epi64x((int64_t)words[1], (int64_t)words[0]));
}

#else

static inline unsigned mask_at(const char *at, const char *end)
{
    unsigned mask = 0;
    for (unsigned i = 0; i < 16 && i < end - at; i++) {
        unsigned char c = (unsigned char)at[i];
        bool word = (c | 32u) - 'a' < 26 || c - (unsigned)'0' < 10 || c == '_' || c >= 128;
        mask |= (unsigned)word << i;
    }
    return mask;
}

#endif

/* The end of the word that goes on at `at`. */
static const char *word_end(const char *at, const char *end)
{
    for (;; at += 16) {
        unsigned other = ~mask_at(at, end) & 0xffff;
        if (other)
            return at + __builtin_ctz(other);
    }
}

bool weir_next_word(weir_cursor *cursor, weir_text *token_out)
{
    const char *begin = cursor->at, *end = cursor->end;
    unsigned mask = mask_at(begin, end);
    while (WEIR_UNLIKELY(!mask)) {
        if (end - begin <= 16)
            return false;
        begin += 16;
        mask = mask_at(begin, end);
    }
    unsigned skipped = (unsigned)__builtin_ctz(mask);
    unsigned length = (unsigned)__builtin_ctz(~(mask >> skipped));
    begin += skipped;
    const char *stop = begin + length;
    if (WEIR_UNLIKELY(skipped + length == 16)) /* it may go on in the next 16 bytes */
        stop = word_end(stop, end);
    *token_out = token_of(begin, (size_t)(stop - begin), end);
    cursor->at = stop;
    return true;
}

/* ---- fields ----------------------------------------------------------------------------- */

/* The last field ends with the text; after it the cursor stands beyond the end. */
bool weir_next_field(weir_cursor *cursor, char separator, weir_text *field_out)
{
    const char *begin = cursor->at;
    if (begin > cursor->end)
        return false;
    const char *end = memchr(begin, separator, (size_t)(cursor->end - begin));
    if (!end)
        end = cursor->end;
    cursor->at = end + 1;
    *field_out = token_of(begin, (size_t)(end - begin), cursor->end);
    return true;
}
