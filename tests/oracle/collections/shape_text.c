/* A shape of the collections oracle: a text as the key. */
#include "texts.h"

#define SHAPE shape_text
#define SHAPE_NAME "text"
#define MOST    \
    {           \
        8, 8, 1 \
    }
#define K_FIELDS(F) F(weir_text, k)
#define K_NAMES k
#define SET_K(row, n) ((row)->k = text_short(n))
#define GET_K(row) number_of_short(&(row)->k)
#define V_FIELDS(F) F(i32, v)
#define V_NAME v
#define SET_V(row, n) ((row)->v = (n)*V_UNIT)
#define GET_V(row) ((row)->v / V_UNIT)
#define W_FIELDS(F)
#define SET_W(row, n) ((void)(n))
#define GET_W(row) 0
#define V_SUM(F) F(i64, n)
#define V_UNIT 70001
#define V_PREFIX
#include "shape.h"
