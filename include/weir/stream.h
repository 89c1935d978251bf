/* The operators of streams. All are called by the worker that builds, between
 * weir_dataflow_begin and weir_dataflow_end (or inside weir_main's build function).
 *
 * Types are checked while building: an operator whose kernel does not take the stream's
 * rows, or streams of different scopes put together, make weir_dataflow_end fail with a
 * message that names both. Such an operator returns a stream that can be used further.
 * Rows fit if they have the same fields at the same places (weir_type_fits): what their
 * types are called does not matter.
 * A path of NULL is such an error too, so what weir_argument gives can be passed as it is.
 * `_with` forms pass `arg` to the kernel. */
#ifndef WEIR_STREAM_H
#define WEIR_STREAM_H

#include <weir/operator.h>

/* ---- input ------------------------------------------------------------------------------ */

/* A worker's own entrance to a dataflow. It starts at the first time and holds a
 * capability at its current time, so what is downstream cannot complete it. */
typedef struct weir_input weir_input;

WEIR_API weir_stream weir_input_new(weir_dataflow *flow, const weir_type *type,
                                    weir_input **input_out);
/* worker. Where rows of the current time are pushed: num_push(weir_input_out(in), ...).
 * Valid until the next call for this input. */
WEIR_API weir_out *weir_input_out(weir_input *input);
/* worker. Sends a whole batch; its time becomes the current one unless it has a column of
 * times, which must all be at or after it. Takes the reference. */
WEIR_API void weir_input_send(weir_input *input, weir_batch *batch);
/* worker. Sends what was pushed so far, without waiting for a full batch or advance. */
WEIR_API void weir_input_flush(weir_input *input);
/* worker. Moves to a later time (of the first coordinate, or all of them); moving
 * backwards stops the execution with a message. What was pushed is sent first. */
WEIR_API void weir_input_advance(weir_input *input, uint64_t epoch);
WEIR_API void weir_input_advance_to(weir_input *input, const weir_time *time);
WEIR_API const weir_time *weir_input_time(const weir_input *input);
/* worker. No more rows. The input is gone afterwards (*input is nulled). Inputs left open
 * when the worker's function returns are closed then. */
WEIR_API void weir_input_close(weir_input **input);

/* The same entrance for another thread: rows pushed there wait in a bounded mailbox until
 * the worker takes them. A feed belongs to one thread at a time. */
typedef struct weir_feed weir_feed;

/* worker, building. */
WEIR_API weir_stream weir_feed_new(weir_dataflow *flow, const weir_type *type,
                                   weir_feed **feed_out);
/* the feeding thread. Blocks while 64 batches wait; weir_feed_close returns the memory.
 * All return false once the dataflow has stopped: then only weir_feed_close is useful. */
WEIR_API weir_out *weir_feed_out(weir_feed *feed);
WEIR_API bool weir_feed_flush(weir_feed *feed);
WEIR_API bool weir_feed_advance(weir_feed *feed, uint64_t epoch);
WEIR_API bool weir_feed_advance_to(weir_feed *feed, const weir_time *time);
WEIR_API void weir_feed_close(weir_feed **feed);

/* What a generator says after a call. */
typedef enum weir_more {
    WEIR_DONE, /* no more rows, ever */
    WEIR_MORE, /* call again soon */
    WEIR_WAIT  /* nothing at the moment: call again later (1 us, doubling up to 1 ms) */
} weir_more;

typedef struct weir_source weir_source;
/* Produces some rows: at most a few batches a call, so that others run too. */
typedef weir_more weir_generator(weir_source *source, void *state, void *arg);

/* Rows from a generator on each worker. `state_bytes` of zeroed state a worker. */
WEIR_API weir_stream weir_generate(weir_dataflow *flow, const weir_type *type,
                                   weir_generator *generator, size_t state_bytes, void *arg);
WEIR_API weir_out *weir_source_out(weir_source *source);
WEIR_API void weir_source_advance(weir_source *source, uint64_t epoch);
WEIR_API uint64_t weir_source_epoch(const weir_source *source);
WEIR_API weir_worker *weir_source_worker(const weir_source *source);

/* Rows of an array, at the first time, on worker 0 only. Copied while building. */
WEIR_API weir_stream weir_from_rows(weir_dataflow *flow, const weir_type *type,
                                    const void *rows, uint64_t count);
/* The lines of a text file as rows whose only field is a text, without their newlines; the
 * file is read in parts, one by each worker, so each process has to find it there, the same, and
 * if there are several workers it must not change meanwhile: that stops the run. A pipe is read by
 * worker 0 alone. `path` is a const char*. */
WEIR_API weir_stream weir_read_lines(weir_dataflow *flow, const void *path);
WEIR_API extern const weir_type weir_line_type;

/* ---- row by row ------------------------------------------------------------------------- */

WEIR_API weir_stream weir_map_with(weir_stream in, const weir_map_kernel *kernel, void *arg);
WEIR_API weir_stream weir_filter_with(weir_stream in, const weir_filter_kernel *kernel,
                                      void *arg);
WEIR_API weir_stream weir_flat_map_with(weir_stream in, const weir_flat_map_kernel *kernel,
                                        void *arg);
WEIR_API weir_stream weir_filter_map_with(weir_stream in, const weir_flat_map_kernel *kernel,
                                          void *arg);
/* Calls the kernel for each row on its way (on the worker where it is). */
WEIR_API weir_stream weir_inspect_with(weir_stream in, const weir_each_kernel *kernel, void *arg);
/* The same at the end of a stream. */
WEIR_API void weir_each(weir_stream in, const weir_each_kernel *kernel, void *arg);
/* Calls for each batch on its way. */
typedef void weir_batch_fn(weir_worker *worker, const weir_batch *batch, void *arg);
WEIR_API weir_stream weir_inspect_batch(weir_stream in, weir_batch_fn *look, void *arg);

#define weir_map(in, kernel) weir_map_with((in), (kernel), NULL)
#define weir_filter(in, kernel) weir_filter_with((in), (kernel), NULL)
#define weir_flat_map(in, kernel) weir_flat_map_with((in), (kernel), NULL)
#define weir_filter_map(in, kernel) weir_filter_map_with((in), (kernel), NULL)
#define weir_inspect(in, kernel) weir_inspect_with((in), (kernel), NULL)

/* Rows that the kernel keeps, and the others. */
WEIR_API void weir_branch(weir_stream in, const weir_filter_kernel *kernel, void *arg,
                          weir_stream *kept_out, weir_stream *others_out);
/* Row r goes to streams_out[kernel(r) modulo count]. */
WEIR_API void weir_partition(weir_stream in, const weir_route_kernel *kernel, void *arg,
                             uint32_t count, weir_stream *streams_out);

/* ---- together and apart ----------------------------------------------------------------- */

/* All rows of streams of the same scope and type. */
WEIR_API weir_stream weir_concat(weir_stream a, weir_stream b);
WEIR_API weir_stream weir_concat_all(const weir_stream *streams, uint32_t count);
/* All rows of streams of one type, each from `scope`, from a scope around it, or from a
 * loop directly in it: brought into `scope` (entered or left as needed) first. */
WEIR_API weir_stream weir_union(weir_scope *scope, const weir_stream *streams, uint32_t count);

WEIR_API weir_stream weir_exchange(weir_stream in, weir_key key);
WEIR_API weir_stream weir_exchange_by(weir_stream in, const weir_route_kernel *kernel, void *arg);
WEIR_API weir_stream weir_broadcast(weir_stream in);
WEIR_API weir_stream weir_gather(weir_stream in, uint32_t worker);

/* ---- time ------------------------------------------------------------------------------- */

/* Every row `by` later in the first coordinate; saturates at the end of time. */
WEIR_API weir_stream weir_delay(weir_stream in, uint64_t by);
/* Every batch at the time that `later` gives for its own, which must not be earlier. It is
 * sent at once, at that time; nothing waits for the clock. */
typedef weir_time weir_delay_fn(const weir_time *time, void *arg);
WEIR_API weir_stream weir_delay_to(weir_stream in, weir_delay_fn *later, void *arg);

/* What is known about a place in the graph: which times are complete there. */
typedef struct weir_probe weir_probe;

/* Watches a stream. The probe lives as long as the dataflow. */
WEIR_API weir_probe *weir_probe_new(weir_stream in);
/* worker. Whether a time before `time` (at or before: _le) may still come. False, too,
 * once the execution is being stopped. */
WEIR_API bool weir_probe_lt(const weir_probe *probe, const weir_time *time);
WEIR_API bool weir_probe_le(const weir_probe *probe, const weir_time *time);
/* worker. The same for an epoch: whether an epoch below (at or below) it may still come. */
WEIR_API bool weir_probe_below(const weir_probe *probe, uint64_t epoch);
/* worker. Copies the frontier. */
WEIR_API void weir_probe_frontier(const weir_probe *probe, weir_antichain *frontier_out);
WEIR_API bool weir_probe_done(const weir_probe *probe);
/* worker. Steps the worker while an epoch below `epoch` may still come; the first spins,
 * the second parks when there is nothing to do. Return false if the execution stops. */
WEIR_API bool weir_step_while_below(weir_worker *worker, const weir_probe *probe, uint64_t epoch);
WEIR_API bool weir_probe_wait(weir_worker *worker, const weir_probe *probe, uint64_t epoch);

/* ---- per time --------------------------------------------------------------------------- */

/* For each time and key: one row of the kernel's acc type, when the time is complete. The
 * first fields of acc are the key's fields, of the same kinds, filled in; the others start
 * at zero and are the kernel's. Rows are exchanged by key. */
WEIR_API weir_stream weir_aggregate(weir_stream in, weir_key key, const weir_fold_kernel *fold,
                                    void *arg);
/* The same with the number of rows (their diffs added up): `out` has the key's fields and
 * then one i64. A count of zero gives no row. */
WEIR_API weir_stream weir_count(weir_stream in, weir_key key, const weir_type *out);
/* One row for each time and worker: all rows folded into one, without exchange or key. */
WEIR_API weir_stream weir_accumulate(weir_stream in, const weir_fold_kernel *fold, void *arg);

/* ---- loops ------------------------------------------------------------------------------ */

/* A loop in a scope: its times have one more coordinate, the round. The name is for
 * messages. */
WEIR_API weir_loop *weir_loop_begin(weir_scope *scope, const char *name);
/* A stream of a scope around the loop, seen inside it at round 0. */
WEIR_API weir_stream weir_enter(weir_loop *loop, weir_stream in);
/* A stream of the loop, seen in the scope around it: all rounds of a time together. */
WEIR_API weir_stream weir_leave(weir_loop *loop, weir_stream in);
/* A variable: first `initial` (a stream of the loop), then what weir_variable_set gives it,
 * one round later. */
WEIR_API weir_stream weir_variable(weir_loop *loop, weir_stream initial);
WEIR_API void weir_variable_set(weir_stream variable, weir_stream next);
/* The way back alone: a stream that carries, `step` later, what weir_feedback_set connects.
 * In a loop the step must advance the round; in a dataflow itself one of its dimensions
 * (a value that depends on its own previous epoch): weir_summary_add(1, 0, 1). */
WEIR_API weir_stream weir_feedback(weir_scope *scope, const weir_type *type, weir_summary step);
WEIR_API void weir_feedback_set(weir_stream feedback, weir_stream from);

/* ---- capture and replay ----------------------------------------------------------------- */

/* Records a stream, this worker's part of it: batches with their times, and how the
 * frontier moved. */
typedef struct weir_capture weir_capture;

/* Into memory, for a dataflow built later in the same worker. */
WEIR_API weir_capture *weir_capture_new(weir_stream in);
/* Into a file for each worker, where its process runs: "<path>.<worker>". On failure the
 * dataflow is not built. */
WEIR_API void weir_capture_file(weir_stream in, const char *path);
/* The recorded stream, with its times and frontiers; events that come later are replayed
 * as they come. The dataflow must have as many dimensions. May be called several times. */
WEIR_API weir_stream weir_replay(weir_dataflow *flow, weir_capture *capture);
/* The same from files written by `writers` workers, shared out among the present workers.
 * A damaged file stops the execution and says where. */
WEIR_API weir_stream weir_replay_file(weir_dataflow *flow, const weir_type *type,
                                      const char *path, uint32_t writers);
/* worker. Frees a capture; streams that replay it must be complete or dropped. */
WEIR_API void weir_capture_free(weir_capture *capture);

/* ---- printing --------------------------------------------------------------------------- */

/* Prints each row as tab-separated fields and, if a diff is not +1, the diff in front. Whole
 * times are printed in order, each sorted, by worker 0 (in process 0), so that output does not
 * depend on the number of workers. `file` is a FILE*. */
WEIR_API void weir_print(weir_stream in, void *file);

#endif
