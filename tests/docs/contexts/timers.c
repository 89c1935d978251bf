/* A piece of an operator with timers. */
#include <weir/weir.h>

struct request {
    weir_timer timer;
};

struct requests {
    weir_timers timers;
};

void give_up(weir_op *op, struct request *request);
void timers(weir_op *op, struct requests *self, struct request *request);
void timers(weir_op *op, struct requests *self, struct request *request)
{
BLOCK
}
