/* Numbers as text.
 *
 * Floats are printed with as few digits as %g needs to read back the same value: 15, 16 or 17
 * (6 to 9 for f32). Trying that with the C library costs about a microsecond, and most numbers
 * in files are short decimals, which are found without it: if r and 10^k are integers that a
 * double holds, r / 10^k is rounded once, as reading the decimal "r with k digits behind the
 * point" is; so if that gives the value back, it is a way to write it. Two decimals of 15 digits
 * are never the same double: it is the one that %g would have given. */
#include "number_text.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- integers --------------------------------------------------------------------------- */

static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                            "25262728293031323334353637383940414243444546474849"
                            "50515253545556575859606162636465666768697071727374"
                            "75767778798081828384858687888990919293949596979899";

/* clang-format off */
static const uint64_t tens[] = {
    0, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000, 10000000000,
    100000000000, 1000000000000, 10000000000000, 100000000000000, 1000000000000000,
    10000000000000000, 100000000000000000, 1000000000000000000, UINT64_C(10000000000000000000)};
/* clang-format on */

static unsigned digits_of(uint64_t value)
{
    unsigned bits = 64 - (unsigned)__builtin_clzll(value | 1);
    unsigned guess = bits * 1233 >> 12; /* times log10(2) */
    return guess + (value >= tens[guess]);
}

/* So many digits, with zeros in front. */
static void put_digits(char *to, uint64_t value, unsigned digits)
{
    char *at = to + digits;
    for (; digits >= 2; digits -= 2, value /= 100)
        memcpy(at -= 2, &pairs[value % 100 * 2], 2);
    if (digits)
        *--at = (char)('0' + value % 10);
}

char *wi_put_u64(char *to, uint64_t value)
{
    unsigned digits = digits_of(value);
    put_digits(to, value, digits);
    return to + digits;
}

char *wi_put_i64(char *to, int64_t value)
{
    if (value < 0)
        *to++ = '-';
    return wi_put_u64(to, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

/* ---- floats ----------------------------------------------------------------------------- */

static const double powers[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,
                                1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19};

static char *put_string(char *to, const char *text)
{
    size_t length = strlen(text);
    memcpy(to, text, length);
    return to + length;
}

static char *put_decimal(char *to, uint64_t digits, unsigned behind)
{
    uint64_t power = behind ? tens[behind] : 1;
    to = wi_put_u64(to, digits / power);
    if (!behind)
        return to;
    *to++ = '.';
    put_digits(to, digits % power, behind);
    return to + behind;
}

/* Always there, never freed: the C library gives the same object each time. */
static locale_t c_locale(void)
{
    return newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

static char *put_nan(char *to, uint64_t bits, uint64_t quiet, uint64_t sign)
{
    if ((bits & ~sign) == quiet)
        return put_string(to, bits & sign ? "-nan" : "nan");
    return to + sprintf(to, "nan(0x%llx)", (unsigned long long)bits);
}

static char *put_special(char *to, double value)
{
    return put_string(to, value < 0 ? "-inf" : "inf");
}

/* With the first of these numbers of digits that reads back. */
static char *put_wide(char *to, double value, int digits)
{
    locale_t before = uselocale(c_locale());
    int length;
    do
        length = snprintf(to, WI_NUMBER_BYTES, "%.*g", digits, value);
    while (strtod(to, NULL) != value && ++digits <= 17);
    uselocale(before);
    return to + length;
}

static char *put_narrow(char *to, float value, int digits)
{
    locale_t before = uselocale(c_locale());
    int length;
    do
        length = snprintf(to, WI_NUMBER_BYTES, "%.*g", digits, (double)value);
    while (strtof(to, NULL) != value && ++digits <= 9);
    uselocale(before);
    return to + length;
}

char *wi_put_f64(char *to, double value)
{
    double size = fabs(value);
    if (isnan(value)) {
        uint64_t bits;
        memcpy(&bits, &value, sizeof bits);
        return put_nan(to, bits, UINT64_C(0x7ff8000000000000), UINT64_C(1) << 63);
    }
    if (isinf(value))
        return put_special(to, value);
    if (size != 0 && (size < 1e-4 || size >= 1e15))
        return put_wide(to, value, 15);
    for (unsigned behind = 0; behind < 20; behind++) {
        double digits = (double)(uint64_t)(size * powers[behind] + 0.5);
        if (digits >= 1e15)
            break;
        if (digits / powers[behind] != size)
            continue;
        if (signbit(value))
            *to++ = '-';
        return put_decimal(to, (uint64_t)digits, behind);
    }
    return put_wide(to, value, 16);
}

/* As above; with more than 8 digits behind the point, rounding to a double and then to a float
 * could differ from rounding once. */
char *wi_put_f32(char *to, float value)
{
    double size = fabs((double)value);
    if (isnan(value)) {
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        return put_nan(to, bits, 0x7fc00000u, 1u << 31);
    }
    if (isinf(value))
        return put_special(to, (double)value);
    if (size != 0 && (size < 1e-4 || size >= 1e6))
        return put_narrow(to, value, 6);
    for (unsigned behind = 0; behind <= 8; behind++) {
        double digits = (double)(uint64_t)(size * powers[behind] + 0.5);
        if (digits >= 1e6)
            break;
        if ((double)(float)(digits / powers[behind]) != size)
            continue;
        if (signbit(value))
            *to++ = '-';
        return put_decimal(to, (uint64_t)digits, behind);
    }
    return put_narrow(to, value, 6);
}
