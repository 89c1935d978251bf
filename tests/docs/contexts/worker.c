/* A piece of a worker's function, after its dataflow has been built. */
#include <stdio.h>
#include <weir/weir.h>

#define NUM(F) F(u64, value)
WEIR_ROW(num, NUM)

void run(weir_worker *worker, weir_dataflow *flow, weir_input *input, weir_probe *probe);
void run(weir_worker *worker, weir_dataflow *flow, weir_input *input, weir_probe *probe)
{
BLOCK
}
