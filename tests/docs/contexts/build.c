/* A piece of a function that builds a dataflow: streams to build on, and kernels. */
#include <stdio.h>
#include <weir/weir.h>

#define WORD(F) F(weir_text, text)
#define NUM(F) F(u64, value)
#define TALLY(F) F(weir_text, word) F(i64, count)
WEIR_ROW(word, WORD)
WEIR_ROW(num, NUM)
WEIR_ROW(tally, TALLY)

WEIR_MAP(upper, word, word)
{
    out->text = in->text;
}

WEIR_FILTER(even, num)
{
    return in->value % 2 == 0;
}

void build(weir_worker *worker, weir_dataflow *flow, weir_stream words, weir_stream numbers);
void build(weir_worker *worker, weir_dataflow *flow, weir_stream words, weir_stream numbers)
{
BLOCK
}
