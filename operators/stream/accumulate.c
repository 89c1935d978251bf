/* accumulate: one row for each time and worker, over the rows that are there. */
#include "fold.h"

weir_stream weir_accumulate(weir_stream in, const weir_fold_kernel *fold, void *arg)
{
    const weir_key nothing = {.type = in.type, .count = 0};
    return wi_fold(in, WEIR_LOCAL, &nothing, "accumulate", fold, arg);
}
