/* What operators built from loops' own need of them. */
#ifndef WEIR_OPERATORS_STREAM_LOOP_H
#define WEIR_OPERATORS_STREAM_LOOP_H

#include <weir/stream.h>

/* What a variable (weir_variable) is put together from: the stream that it starts with, and
 * the feedback. If it is none, fails the dataflow in the name of `what` and gives false. */
bool wi_variable_parts(weir_stream variable, const char *what, weir_stream *initial_out,
                       weir_stream *feedback_out);

#endif
