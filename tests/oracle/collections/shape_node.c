/* A shape of the collections oracle: a single number, which is the key. */
#include "texts.h"

#define SHAPE shape_node
#define SHAPE_NAME "node"
#define MOST     \
    {            \
        12, 0, 1 \
    }
#define K_FIELDS(F) F(u64, k)
#define K_NAMES k
#define SET_K(row, n) ((row)->k = (uint64_t)(n))
#define GET_K(row) ((int32_t)(row)->k)
#define V_FIELDS(F)
#define SET_V(row, n) ((void)(n))
#define GET_V(row) 0
#define W_FIELDS(F)
#define SET_W(row, n) ((void)(n))
#define GET_W(row) 0
#include "shape.h"
