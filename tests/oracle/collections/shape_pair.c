/* A shape of the collections oracle: the usual pair of eight bytes each; both halves of every
 * number matter. */
#include "texts.h"

#define SHAPE shape_pair
#define SHAPE_NAME "pair"
#define MOST    \
    {           \
        8, 8, 1 \
    }
#define K_FIELDS(F) F(u64, k)
#define K_NAMES k
#define SET_K(row, n) ((row)->k = (uint64_t)(n)*0x1000000010001u)
#define GET_K(row) ((int32_t)((row)->k >> 48))
#define V_FIELDS(F) F(i64, v)
#define V_NAME v
#define SET_V(row, n) ((row)->v = (n)*V_UNIT)
#define GET_V(row) ((int32_t)((row)->v / V_UNIT))
#define W_FIELDS(F)
#define SET_W(row, n) ((void)(n))
#define GET_W(row) 0
#define V_SUM(F) F(i64, n)
#define V_UNIT 4294967311
#define V_PREFIX
#include "shape.h"
