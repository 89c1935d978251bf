/* A piece of an operator's callback. */
#include <stdio.h>
#include <weir/weir.h>

#define NUM(F) F(u64, value)
WEIR_ROW(num, NUM)

void callback(weir_op *op, const weir_batch *batch, weir_time later);
void callback(weir_op *op, const weir_batch *batch, weir_time later)
{
BLOCK
}
