/* A shape of the collections oracle: a text as the value. */
#include "texts.h"

#define SHAPE shape_string
#define SHAPE_NAME "string"
#define MOST    \
    {           \
        8, 8, 2 \
    }
#define K_FIELDS(F) F(u32, k)
#define K_NAMES k
#define SET_K(row, n) ((row)->k = (uint32_t)(n) << 28)
#define GET_K(row) ((int32_t)((row)->k >> 28))
#define V_FIELDS(F) F(weir_text, v)
#define V_NAME v
#define SET_V(row, n) ((row)->v = text_long(n))
#define GET_V(row) number_of_long(&(row)->v)
#define W_FIELDS(F) F(bool, w)
#define W_NAMES w
#define SET_W(row, n) ((row)->w = (n))
#define GET_W(row) ((row)->w)
#include "shape.h"
