/* Walking through texts: words and fields; and lower case. Which bytes belong to a word is
 * found for up to 64 of them at once; the loop over the words, in the header, then takes
 * them out of one machine word. (The texts that live in a batch's heap are batch.c's.) */
#include <weir/text.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* ---- which bytes belong to a word ------------------------------------------------------- */

#ifdef __SSE2__

typedef __m128i sixteen;

static inline sixteen load(const void *at)
{
    return _mm_loadu_si128(at);
}

/* Signed comparisons: a range is moved to the bottom of the signed bytes. */
static inline sixteen between(sixteen bytes, int first, int last)
{
    return _mm_cmplt_epi8(_mm_add_epi8(bytes, _mm_set1_epi8((char)(-128 - first))),
                          _mm_set1_epi8((char)(-128 + last - first + 1)));
}

static inline sixteen letters_in(sixteen bytes)
{
    return between(_mm_or_si128(bytes, _mm_set1_epi8(32)), 'a', 'z');
}

static inline uint64_t letters(sixteen bytes)
{
    return (unsigned)_mm_movemask_epi8(letters_in(bytes));
}

static inline uint64_t word_bytes(sixteen bytes)
{
    sixteen digits = between(bytes, '0', '9');
    sixteen underscores = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('_'));
    sixteen any = _mm_or_si128(_mm_or_si128(letters_in(bytes), digits),
                               _mm_or_si128(underscores, bytes));
    return (unsigned)_mm_movemask_epi8(any); /* a byte above 127 has the sign bit itself */
}

#else

typedef struct sixteen {
    unsigned char at[16];
} sixteen;

static inline sixteen load(const void *at)
{
    sixteen bytes;
    memcpy(&bytes, at, sizeof bytes);
    return bytes;
}

static inline bool is_letter(unsigned char c)
{
    return (c | 32u) - 'a' < 26;
}

static inline uint64_t letters(sixteen bytes)
{
    uint64_t mask = 0;
    for (unsigned i = 0; i < 16; i++)
        mask |= (uint64_t)is_letter(bytes.at[i]) << i;
    return mask;
}

static inline uint64_t word_bytes(sixteen bytes)
{
    uint64_t mask = 0;
    for (unsigned i = 0; i < 16; i++) {
        unsigned char c = bytes.at[i];
        mask |= (uint64_t)(is_letter(c) || c - (unsigned)'0' < 10 || c == '_' || c > 127) << i;
    }
    return mask;
}

#endif

/* By sixteens. The last ones overlap those before them; if there are none, zeros, which
 * belong to no word, stand in for what is beyond the end. */
static inline __attribute__((always_inline)) uint64_t mask_of(const char *bytes, size_t count,
                                                              uint64_t (*mask_16)(sixteen))
{
    uint64_t mask = 0, words[2];
    size_t done = 0;
    for (; done + 16 <= count; done += 16)
        mask |= mask_16(load(bytes + done)) << done;
    if (done == count)
        return mask;
    if (done)
        return mask | mask_16(load(bytes + count - 16)) << (count - 16);
    weir_i_load(bytes, (uint32_t)count, words);
    return mask_16(load(words));
}

uint64_t weir_i_word_bytes(const char *bytes, size_t count)
{
    return mask_of(bytes, count, word_bytes);
}

uint64_t weir_i_letters(const char *bytes, size_t count)
{
    return mask_of(bytes, count, letters);
}

const char *weir_i_word_end(const char *at, const char *end, weir_i_kind *kind)
{
    while (at < end) {
        size_t count = end - at < 64 ? (size_t)(end - at) : 64;
        uint64_t outside = ~kind(at, count);
        if (count < 64)
            outside &= (UINT64_C(1) << count) - 1;
        if (outside)
            return at + __builtin_ctzll(outside);
        at += count;
    }
    return end;
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
    cursor->kind = NULL;
    *field_out = weir_i_token(begin, (uint32_t)(end - begin), end > begin ? cursor->last_16 : NULL);
    return true;
}

/* ---- lower case ------------------------------------------------------------------------- */

/* Eight bytes at once. With the sign bits away no sum carries into the next byte. */
static void lower_8(char *at)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), sign = 128 * ones;
    uint64_t bytes, low;
    memcpy(&bytes, at, 8);
    low = bytes & ~sign;
    uint64_t from_a = low + (128 - 'A') * ones, beyond_z = low + (127 - 'Z') * ones;
    bytes |= (from_a & ~beyond_z & ~bytes & sign) >> 2;
    memcpy(at, &bytes, 8);
}

/* At least eight; the last ones overlap those before them. */
static void lower(char *bytes, uint32_t length)
{
    uint32_t at = 0;
#ifdef __SSE2__
    for (; at + 16 <= length; at += 16) {
        sixteen from = load(bytes + at);
        sixteen upper = _mm_and_si128(between(from, 'A', 'Z'), _mm_set1_epi8(32));
        _mm_storeu_si128((void *)(bytes + at), _mm_or_si128(from, upper));
    }
#endif
    for (; at + 8 <= length; at += 8)
        lower_8(bytes + at);
    lower_8(bytes + length - 8);
}

weir_text weir_text_lower(struct weir_batch *batch, const weir_text *text)
{
    weir_text made = weir_text_new(batch, weir_text_at(text), text->length);
    bool in_handle = made.length <= WEIR_TEXT_INLINE;
    lower((char *)weir_text_at(&made), in_handle ? WEIR_TEXT_INLINE : made.length);
    if (!in_handle)
        memcpy(made.prefix, made.at, sizeof made.prefix);
    return made;
}
