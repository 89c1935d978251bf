/* The first program: numbers through one operator, shared out among the workers.
 *
 *     hello            on one worker
 *     hello -w 4       on four: the same lines, in the same order */
#include <stdio.h>

#include <weir/weir.h>

#define NUMBER(F) F(u64, n)
#define SQUARE(F) F(u64, n) F(u64, squared)
WEIR_ROW(number, NUMBER)
WEIR_ROW(square, SQUARE)

WEIR_MAP(to_square, number, square)
{
    *out = (square){in->n, in->n * in->n};
}

static void build(weir_dataflow *flow, WEIR_UNUSED void *arg)
{
    static const number numbers[] = {{1}, {2}, {3}, {4}, {5}};
    weir_stream in = weir_from_rows(flow, &number_type, numbers, 5);
    weir_stream spread = weir_exchange(in, WEIR_BY(number, n));
    weir_print(weir_map(spread, &to_square), stdout);
}

int main(int argc, char **argv)
{
    return weir_main(argc, argv, build, NULL);
}
