/* A piece of an operator's callback. */
#include <stdio.h>
#include <weir/weir.h>

#define NUM(F) F(u64, value)
WEIR_ROW(num, NUM)

void callback(weir_op *op, const weir_batch *batch, const weir_time *time, weir_time later,
              weir_capability *capability);
void callback(weir_op *op, const weir_batch *batch, const weir_time *time, weir_time later,
              weir_capability *capability)
{
BLOCK
}
