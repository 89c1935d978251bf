/* Numbers from text, the usual forms: digits eight at a time, and floats that are exact products or
 * quotients of two floats. What they do not take may be a number yet; then wi_field_parse says.
 *
 * They read up to 24 bytes from `at` on, whatever the length. */
#ifndef WEIR_OPERATORS_IO_NUMBERS_H
#define WEIR_OPERATORS_IO_NUMBERS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define WI_DIGITS_MAX 19 /* so many always fit 64 bits */

static const uint64_t wi_pow10[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};

/* One to eight digits, the first in the lowest byte of the word. The word is moved up until they
 * fill it, with zeros in front of them; then neighbours are added up to pairs, fours and all. */
static inline bool wi_digits_8(const char *at, size_t count, uint64_t *number_out)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), pairs = UINT64_C(0x000000FF000000FF);
    uint64_t word;
    memcpy(&word, at, 8);
    word = (word ^ ones * '0') << (64 - 8 * count);
    bool fine = !((word | (word + 0x76 * ones)) & 0x80 * ones);
    word = word * 10 + (word >> 8);
    *number_out = ((word & pairs) * (100 + (UINT64_C(1000000) << 32)) +
                   (word >> 16 & pairs) * (1 + (UINT64_C(10000) << 32))) >>
                  32;
    return fine;
}

/* Digits and nothing else. */
static inline bool wi_digits(const char *at, size_t count, uint64_t *number_out)
{
    uint64_t low, middle;
    if (count - 1 < 8)
        return wi_digits_8(at, count, number_out);
    if (count - 1 < 16) {
        bool first = wi_digits_8(at, 8, number_out), rest = wi_digits_8(at + 8, count - 8, &low);
        *number_out = *number_out * wi_pow10[count - 8] + low;
        return first & rest; /* no branch */
    }
    if (count - 1 >= WI_DIGITS_MAX)
        return false;
    bool first = wi_digits_8(at, 8, number_out), second = wi_digits_8(at + 8, 8, &middle);
    bool rest = wi_digits_8(at + 16, count - 16, &low);
    *number_out = (*number_out * wi_pow10[8] + middle) * wi_pow10[count - 16] + low;
    return first & second & rest;
}

/* An integer of `bytes` bytes, as two's complement; false, too, if it does not fit. */
static inline bool wi_read_unsigned(const char *at, size_t length, uint32_t bytes,
                                    uint64_t *number_out)
{
    return wi_digits(at, length, number_out) && *number_out <= UINT64_MAX >> (64 - 8 * bytes);
}

static inline bool wi_read_signed(const char *at, size_t length, uint32_t bytes,
                                  uint64_t *number_out)
{
    bool minus = *at == '-';
    if (!wi_digits(at + minus, length - minus, number_out) ||
        *number_out > (UINT64_MAX >> (65 - 8 * bytes)) + minus)
        return false;
    *number_out = minus ? 0 - *number_out : *number_out;
    return true;
}

static inline void wi_store(char *to, uint64_t number, uint32_t bytes)
{
    if (bytes == 8)
        memcpy(to, &number, 8);
    else if (bytes == 4)
        memcpy(to, &number, 4);
    else
        memcpy(to, &number, bytes);
}

/* A decimal number as a mantissa of at most 19 digits times a power of ten. */
typedef struct wi_decimal {
    uint64_t mantissa;
    int32_t exponent;
    bool minus;
} wi_decimal;

static inline bool wi_read_decimal(const char *at, const char *end, wi_decimal *out)
{
    bool minus = at < end && *at == '-';
    const char *begin = at += minus;
    uint64_t mantissa = 0;
    int32_t exponent = 0, digits = 0;
    for (; at < end && (unsigned char)(*at - '0') < 10; at++)
        mantissa = mantissa * 10 + (unsigned char)(*at - '0');
    digits = (int32_t)(at - begin);
    if (at < end && *at == '.') {
        const char *point = at++;
        for (; at < end && (unsigned char)(*at - '0') < 10; at++)
            mantissa = mantissa * 10 + (unsigned char)(*at - '0');
        exponent = (int32_t)(point + 1 - at);
        digits -= exponent;
    }
    if (at < end && (*at | 32) == 'e') {
        at++;
        bool down = at < end && *at == '-';
        at += down || (at < end && *at == '+');
        int32_t by = 0;
        const char *first = at;
        for (; at < end && at < first + 4 && (unsigned char)(*at - '0') < 10; at++)
            by = by * 10 + (unsigned char)(*at - '0');
        digits = at == first ? 0 : digits;
        exponent += down ? -by : by;
    }
    *out = (wi_decimal){mantissa, exponent, minus};
    return at == end && digits > 0 && digits <= WI_DIGITS_MAX;
}

/* Correctly rounded, since there is one operation on two numbers that are exact. */
static inline bool wi_read_f64(const char *at, size_t length, double *out)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    wi_decimal d;
    if (length > 64 || !wi_read_decimal(at, at + length, &d) || d.mantissa >> 53 ||
        d.exponent < -22 || d.exponent > 22)
        return false;
    double value = (double)d.mantissa;
    value = d.exponent < 0 ? value / powers[-d.exponent] : value * powers[d.exponent];
    *out = d.minus ? -value : value;
    return true;
}

static inline bool wi_read_f32(const char *at, size_t length, float *out)
{
    static const float powers[] = {1e0f, 1e1f, 1e2f, 1e3f, 1e4f, 1e5f,
                                   1e6f, 1e7f, 1e8f, 1e9f, 1e10f};
    wi_decimal d;
    if (length > 64 || !wi_read_decimal(at, at + length, &d) || d.mantissa >> 24 ||
        d.exponent < -10 || d.exponent > 10)
        return false;
    float value = (float)d.mantissa;
    value = d.exponent < 0 ? value / powers[-d.exponent] : value * powers[d.exponent];
    *out = d.minus ? -value : value;
    return true;
}

#endif
