/* A shape of the collections oracle: small signed numbers and a float, with padding. */
#include "texts.h"

#define SHAPE shape_small
#define SHAPE_NAME "small"
#define MOST    \
    {           \
        8, 8, 3 \
    }
#define K_FIELDS(F) F(i16, k)
#define K_NAMES k
#define SET_K(row, n) ((row)->k = (int16_t)((n)*300 - 900))
#define GET_K(row) (((row)->k + 900) / 300)
#define V_FIELDS(F) F(f32, v)
#define V_NAME v
#define SET_V(row, n) ((row)->v = (float)(n)*V_UNIT)
#define GET_V(row) ((int32_t)((row)->v / V_UNIT))
#define W_FIELDS(F) F(i8, w)
#define W_NAMES w
#define SET_W(row, n) ((row)->w = (int8_t)((n)-1))
#define GET_W(row) ((row)->w + 1)
#define V_SUM(F) F(f64, n)
#define V_UNIT 0.25f
#include "shape.h"
