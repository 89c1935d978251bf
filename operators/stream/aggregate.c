/* aggregate: one row for each time and key. */
#include "fold.h"

weir_stream weir_aggregate(weir_stream in, weir_key key, const weir_fold_kernel *fold, void *arg)
{
    return wi_fold(in, WEIR_EXCHANGE(key), &key, "aggregate", fold, arg);
}
