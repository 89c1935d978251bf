/* A shape of the collections oracle: a key of several fields, a float as the value, and a
 * text that is no part of either. */
#include "texts.h"

#define SHAPE shape_wide
#define SHAPE_NAME "wide"
#define MOST    \
    {           \
        8, 6, 3 \
    }
#define K_FIELDS(F) F(u8, k) F(weir_text, name) F(i32, last)
#define K_NAMES k, name, last
#define SET_K(row, n) \
    ((row)->k = (uint8_t)((n) / 4), (row)->name = text_long((n) / 2), (row)->last = (n)-5)
#define GET_K(row) ((row)->last + 5)
#define V_FIELDS(F) F(f64, v)
#define V_NAME v
#define SET_V(row, n) ((row)->v = (n)*V_UNIT)
#define GET_V(row) ((int32_t)((row)->v / V_UNIT))
#define W_FIELDS(F) F(weir_text, w)
#define W_NAMES w
#define SET_W(row, n) ((row)->w = text_short(n))
#define GET_W(row) number_of_short(&(row)->w)
#define V_SUM(F) F(f64, n)
#define V_UNIT 1.5
#include "shape.h"
