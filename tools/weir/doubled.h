/* Floating-point numbers of twice the digits: the unrounded sum of two f64. Sums of theirs are
 * rounded some 50 bits behind what is printed, so that what is printed does not depend on the order
 * of what was added. (T. J. Dekker, A floating-point technique for extending the available
 * precision, 1971.) Once a sum is no finite number, it is what f64 have it to be. */
#ifndef WEIR_TOOLS_DOUBLED_H
#define WEIR_TOOLS_DOUBLED_H

#include <math.h>

typedef struct doubled {
    double high, low; /* high is their sum, rounded */
} doubled;

static inline doubled doubled_of(double high, double low)
{
    double sum = high + low;
    return (doubled){sum, isfinite(sum) ? low - (sum - high) : 0};
}

static inline doubled doubled_add(doubled a, doubled b)
{
    double sum = a.high + b.high, of_b = sum - a.high;
    if (!isfinite(sum))
        return (doubled){sum, 0};
    double lost = (a.high - (sum - of_b)) + (b.high - of_b);
    return doubled_of(sum, lost + (a.low + b.low));
}

static inline doubled doubled_times(doubled a, doubled b)
{
    double product = a.high * b.high;
    if (!isfinite(product))
        return (doubled){product, 0};
    double lost = fma(a.high, b.high, -product);
    return doubled_of(product, lost + (a.high * b.low + a.low * b.high));
}

#endif
