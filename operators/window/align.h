/* Holding back partitions that are ahead of others; see align.c. */
#ifndef WEIR_OPERATORS_WINDOW_ALIGN_H
#define WEIR_OPERATORS_WINDOW_ALIGN_H

#include "marks.h"

/* worker, building. The same rows, those of each partition in the same order; times mean nothing
 * any more. Takes marks of its own. */
weir_stream wi_align(weir_stream in, const weir_watermark_policy *policy);

#endif
