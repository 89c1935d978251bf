/* What the kernels compute, on cells, stated once for both sides. */
#ifndef WEIR_TESTS_ORACLE_FUNCTIONS_H
#define WEIR_TESTS_ORACLE_FUNCTIONS_H

#include <math.h>

#include "collections.h"

static inline int64_t modulo(int64_t n, int64_t by)
{
    return ((n % by) + by) % by;
}

/* Brings any numbers into the domain. */
static inline cell fit(int64_t k, int64_t v, int64_t w, const params *with)
{
    domain in = with->in;
    return (cell){(int32_t)modulo(k, in.k), in.v ? (int32_t)(modulo(v + in.v, 2 * in.v) - in.v) : 0,
                  (int32_t)modulo(w, in.w)};
}

#define MAP_MODES 5
static inline cell mapped(cell c, const params *with)
{
    switch (with->mode % MAP_MODES) {
    case 0:
        return fit(c.k, c.v + with->a, c.w, with);
    case 1:
        return fit(c.v, c.k, c.w, with);
    case 2:
        return fit(c.k + with->a, c.v, c.w + 1, with);
    case 3:
        return fit(c.k, c.v / 2, 0, with);
    default:
        return fit(with->a, c.v, c.w, with);
    }
}

static inline bool kept(cell c, const params *with)
{
    return modulo(c.k * 3 + c.v * 5 + c.w + with->a, with->b % 3 + 2) != 0;
}

static inline int64_t copies(cell c, const params *with)
{
    return modulo(c.v + with->b, 3);
}

static inline cell copied(cell c, int64_t copy, const params *with)
{
    return fit(c.k + copy, c.v - copy * with->a, c.w, with);
}

#define JOIN_MODES 6
static inline cell joined(cell a, cell b, const params *with)
{
    int64_t further = b.v < 0 ? a.v + 1 : a.v + b.v % 3;
    switch (with->mode % JOIN_MODES) {
    case 0:
        return fit(a.k, a.v + b.v, a.w + b.w, with);
    case 1: /* along an edge from b.k to b.v */
        return fit(b.v, a.k, a.w, with);
    case 2: /* the label a.v, along an edge */
        return fit(b.v, a.v, b.w, with);
    case 3:
        return fit(a.v, b.v, 0, with);
    case 4: /* the distance a.v, along an edge; it stops growing */
        return fit(b.v + b.w, further < with->in.v ? further : with->in.v - 1, 0, with);
    default:
        return fit(a.k, a.v, b.w, with);
    }
}

static inline bool joins(cell a, cell b, const params *with)
{
    return modulo(a.v + b.v + a.w + with->a, 3) != 0;
}

static inline cell alone(cell c, const params *with)
{
    return fit(c.k, c.v + 1, c.w, with);
}

static inline cell b_alone(cell c, const params *with)
{
    return fit(c.k, c.v - 1, c.w + 1, with);
}

#define THRESHOLD_MODES 5
static inline int64_t thresholded(int64_t count, const params *with)
{
    switch (with->mode % THRESHOLD_MODES) {
    case 0:
        return count > 0 ? 1 : 0;
    case 1:
        return count % 3;
    case 2:
        return count;
    case 3:
        return count >= 2 ? 1 : 0;
    default:
        return -count;
    }
}

/* What a group becomes: cells whose key fields are then filled in, and how often. `rows` are
 * sorted. Returns how many; at most two more than there are rows. */
#define REDUCE_MODES 5
static inline uint32_t reduced(const cell *rows, const int64_t *counts, uint32_t count,
                               const params *with, cell *out, int64_t *diffs)
{
    uint32_t made = 0;
    int64_t sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += counts[i] * (rows[i].v * 3 + rows[i].w + 1);
    switch (with->mode % REDUCE_MODES) {
    case 0:
        diffs[made] = 1;
        out[made++] = (cell){0, (int32_t)(sum % 100), (int32_t)count};
        break;
    case 1: /* most rows, as often as they are there */
        for (uint32_t i = 0; i < count; i++)
            if (modulo(rows[i].v + with->a, 4)) {
                diffs[made] = counts[i];
                out[made++] = (cell){0, rows[i].v, rows[i].w};
            }
        break;
    case 2: /* the ends */
        diffs[made] = 1;
        out[made++] = (cell){0, rows[0].v, rows[0].w};
        diffs[made] = 1;
        out[made++] = (cell){0, rows[count - 1].v, rows[count - 1].w};
        break;
    case 3: /* nothing for some groups */
        if (sum % 2) {
            diffs[made] = sum % 3 + 1;
            out[made++] = (cell){0, (int32_t)count, 0};
        }
        break;
    default: /* a hash that depends on the order */
        for (uint32_t i = 0; i < count; i++)
            sum = (sum * 31 + counts[i] * 7 + rows[i].v) % 1000;
        diffs[made] = -1;
        out[made++] = (cell){0, (int32_t)sum, 1};
    }
    for (uint32_t i = 0; i < made; i++)
        out[i] = fit(out[i].k, out[i].v, out[i].w, with);
    return made;
}

static inline uint64_t round_of(cell c, const params *with)
{
    return (uint64_t)modulo(c.v + c.k + with->a, 4);
}

static inline uint64_t valid_from(cell c, const params *with)
{
    return (uint64_t)modulo(c.v + with->a, 5);
}

static inline uint64_t valid_until(cell c, const params *with)
{
    int64_t until = modulo(c.v * 3 + c.k + with->b, 7);
    return until == 6 ? UINT64_MAX : (uint64_t)until;
}

/* A mean as a number of the domain. */
static inline int64_t mean_class(double mean)
{
    return (int64_t)floor(mean * 4 + 1e-6);
}

#endif
