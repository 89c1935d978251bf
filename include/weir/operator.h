/* Operators of one's own. Those of stream.h are written against this same interface.
 *
 * An operator is a set of callbacks and, per worker, a state. Callbacks run on the
 * worker's thread, one at a time, and must not block. While one runs, the operator may
 * send at times that the call allows:
 *
 *   start     at the dataflow's first time, if the operator is a source
 *   batch     at the batch's time or later (as changed by the port's summary)
 *   notify    at the completed time or later
 *   others    only where a capability has been kept
 *
 * A capability is the right to send at a time (or later) on one output; while it is held,
 * downstream frontiers do not pass it. Sending or retaining where nothing allows it stops
 * the dataflow with a message that names the operator, the port and the times. */
#ifndef WEIR_OPERATOR_H
#define WEIR_OPERATOR_H

#include <weir/kernel.h>
#include <weir/worker.h>

typedef struct weir_op weir_op;
typedef struct weir_capability weir_capability;

/* A stream while building: what one output of an operator gives. A handle, by value. */
typedef struct weir_stream {
    weir_scope *scope;
    const weir_type *type;
    uint32_t op, port; /* private */
} weir_stream;

typedef struct weir_operator {
    const char *name;   /* as messages and tools show it */
    size_t state_bytes; /* zeroed for each worker; weir_op_state */
    /* Runs inside the sender's call, without a queue: keeps no capability, asks for no
     * notification and no activation. The cheapest kind, for what only looks at one batch
     * at a time. */
    bool stateless;
    /* Has capabilities at the first time on all outputs when it starts; see start. */
    bool source;
    void (*start)(weir_op *op);
    /* A batch has come. Without this callback, batches are ignored. */
    void (*batch)(weir_op *op, uint32_t input, const weir_batch *batch);
    /* A time asked for by weir_notify_at is complete: no batch at or before it will come on
     * any input, and every worker is done with all of them. In the order of times. `state`:
     * see weir_notify_state. */
    void (*notify)(weir_op *op, const weir_time *time, void *state);
    /* Some input's frontier has moved; see weir_op_frontier. */
    void (*frontier)(weir_op *op);
    /* weir_activate and its kin. */
    void (*run)(weir_op *op);
    /* Frees what memory from weir_notify_state owns, if the dataflow ends before its time
     * was notified. The memory itself is weir's. Just before `stop`. */
    void (*discard)(weir_op *op, void *state);
    /* Last call, also when the execution is stopped: free what the state owns. */
    void (*stop)(weir_op *op);
} weir_operator;

/* ---- how batches reach an input --------------------------------------------------------- */

typedef enum weir_route_kind {
    WEIR_I_LOCAL,
    WEIR_I_KEYED,
    WEIR_I_ROUTED,
    WEIR_I_TO_ALL,
    WEIR_I_TO_ONE
} weir_route_kind;

typedef struct weir_route {
    weir_route_kind kind;
    weir_key key;
    const weir_route_kernel *kernel;
    void *arg;
    uint32_t worker;
} weir_route;

/* Stay on the worker. */
#define WEIR_LOCAL ((weir_route){.kind = WEIR_I_LOCAL})
/* Rows with equal keys meet on one worker: WEIR_EXCHANGE(WEIR_BY(word, text)). */
#define WEIR_EXCHANGE(by) ((weir_route){.kind = WEIR_I_KEYED, .key = by})
/* Row r goes to worker kernel(r) modulo the number of workers. */
#define WEIR_ROUTED(by, its_arg)                                                               \
    ((weir_route){.kind = WEIR_I_ROUTED, .kernel = (by), .arg = (its_arg)})
/* Every row goes to every worker. */
#define WEIR_BROADCAST ((weir_route){.kind = WEIR_I_TO_ALL})
/* All rows go to one worker. */
#define WEIR_GATHER(to) ((weir_route){.kind = WEIR_I_TO_ONE, .worker = (to)})

/* ---- building --------------------------------------------------------------------------- */

typedef struct weir_builder weir_builder;

/* worker. Begins an operator in a scope. `logic` must outlive the dataflow; `arg` is for
 * the callbacks (weir_op_arg) and shared by the workers of this process. */
WEIR_API weir_builder *weir_operator_begin(weir_scope *scope, const weir_operator *logic,
                                           void *arg);
/* worker. Shows another name than logic->name, e.g. that of a kernel. Copied. */
WEIR_API void weir_builder_name(weir_builder *builder, const char *name);
/* worker. Returns the port's index: 0, 1, ... A stream of another scope is an error. */
WEIR_API uint32_t weir_builder_input(weir_builder *builder, weir_stream stream,
                                     weir_route route);
WEIR_API weir_stream weir_builder_output(weir_builder *builder, const weir_type *type);
/* worker. Declares how `input` reaches `output`. Without any call for a pair: a batch at
 * t may cause batches at t or later. The first call replaces that; more add to it. */
WEIR_API void weir_builder_summary(weir_builder *builder, uint32_t input, uint32_t output,
                                   weir_summary summary);
/* worker. Declares that `input` never causes anything on `output`. */
WEIR_API void weir_builder_unrelated(weir_builder *builder, uint32_t input, uint32_t output);
/* worker. `memory`, from malloc, is given to the operator: free()d with the dataflow. */
WEIR_API void weir_builder_keep(weir_builder *builder, void *memory);
/* worker. Finishes the operator; the builder is gone. */
WEIR_API void weir_operator_end(weir_builder *builder);

/* worker. One input, one output: the usual case in one call. */
WEIR_API weir_stream weir_unary(weir_stream in, weir_route route, const weir_operator *logic,
                                const weir_type *out, void *arg);
WEIR_API weir_stream weir_binary(weir_stream a, weir_route a_route, weir_stream b,
                                 weir_route b_route, const weir_operator *logic,
                                 const weir_type *out, void *arg);
/* worker. One input, no output. */
WEIR_API void weir_sink(weir_stream in, weir_route route, const weir_operator *logic, void *arg);

/* ---- in a callback (worker) ------------------------------------------------------------- */

WEIR_API void *weir_op_state(const weir_op *op);
WEIR_API void *weir_op_arg(const weir_op *op);
WEIR_API weir_worker *weir_op_worker(const weir_op *op);
WEIR_API const char *weir_op_name(const weir_op *op);
/* How many coordinates times have on this input or output. */
WEIR_API int weir_op_input_dims(const weir_op *op, uint32_t input);
WEIR_API int weir_op_output_dims(const weir_op *op, uint32_t output);
/* The times that may still come on an input. A borrow, until the callback returns. */
WEIR_API const weir_antichain *weir_op_frontier(const weir_op *op, uint32_t input);

/* While an input is paused, its batches stay in its queue, where they count as not taken: once that
 * is full, who sends them is held back (up to the sources). All else goes on. Whoever pauses an
 * input has to let it go by itself: by a timer, an activator, or when another input or a frontier
 * moves. What that waits for must not be behind the same input. Not for stateless operators, which
 * have no queue. */
WEIR_API void weir_op_pause(weir_op *op, uint32_t input, bool paused);

/* Opens an output at a time. Rows pushed go out when the batch is full, when the output is
 * opened at another time, and at the end of the callback. */
WEIR_API weir_out *weir_send_at(weir_op *op, uint32_t output, const weir_time *time);
/* Sends a batch as it is, without a copy; the caller keeps its reference. */
WEIR_API void weir_forward(weir_op *op, uint32_t output, const weir_batch *batch);
/* The same for a batch that the operator has made; takes the reference. */
WEIR_API void weir_send_batch(weir_op *op, uint32_t output, weir_batch *batch);

/* Keeps the right to send at a time. The operator owns it until weir_capability_drop; what
 * is left when the operator stops is dropped then. */
WEIR_API weir_capability *weir_retain(weir_op *op, uint32_t output, const weir_time *time);
WEIR_API const weir_time *weir_capability_time(const weir_capability *capability);
/* A second capability, at a time at or after this one's. */
WEIR_API weir_capability *weir_capability_delay(const weir_capability *capability,
                                                const weir_time *time);
/* Moves it to a later time. */
WEIR_API void weir_capability_downgrade(weir_capability *capability, const weir_time *time);
WEIR_API void weir_capability_drop(weir_capability *capability);
/* A source's capability at the first time on an output, in start: it belongs to the
 * operator, as if retained there. What start does not take is dropped after it. */
WEIR_API weir_capability *weir_op_first_capability(weir_op *op, uint32_t output);

/* Asks for notify once no batch at or before `time` can come. Asking again for the same
 * time before it comes does nothing. Until notify has returned it holds a capability at
 * `time` on every output on which the call allowed that; there, notify may send. Where none
 * allows it (say, all outputs are reached with a delay), retain a capability instead. */
WEIR_API void weir_notify_at(weir_op *op, const weir_time *time);
/* The same with memory of `bytes`, zeroed when first asked for, that is kept for this time,
 * given to notify, and freed after it. It stays in place. */
WEIR_API void *weir_notify_state(weir_op *op, const weir_time *time, size_t bytes);

/* Calls run again: after the operators already due (cooperative yield), or after a delay. */
WEIR_API void weir_activate(weir_op *op);
WEIR_API void weir_activate_after(weir_op *op, uint64_t delay_ns);
/* Calls run from any other thread: a handle that may outlive the operator. */
typedef struct weir_activator weir_activator;
WEIR_API weir_activator *weir_activator_new(weir_op *op);
/* any. Wakes the worker if it sleeps. */
WEIR_API void weir_activator_fire(weir_activator *activator);
/* any. */
WEIR_API void weir_activator_free(weir_activator *activator);

/* Rejects a row: it is not processed, with a reason. What then happens is the dataflow's
 * policy for the operator (weir_on_reject). `row` is of the input's type; NULL if the
 * reason is not about one row. */
WEIR_API void weir_reject(weir_op *op, const weir_type *type, const void *row,
                          const char *format, ...) WEIR_PRINTF(4, 5);
/* Stops the execution because of what this operator met; names it. */
WEIR_API void weir_op_stop(weir_op *op, const char *format, ...) WEIR_PRINTF(2, 3);

/* ---- policies --------------------------------------------------------------------------- */

typedef enum weir_reject_policy {
    WEIR_REJECT_FAIL, /* stop the execution with the reason (the default) */
    WEIR_REJECT_SKIP, /* count it */
    WEIR_REJECT_KEEP  /* dead letter: count it and send it to weir_rejects */
} weir_reject_policy;

typedef struct weir_rejected {
    weir_text operator_name;
    weir_text row; /* as weir_row_text prints it */
    weir_text reason;
} weir_rejected;
WEIR_API extern const weir_type weir_rejected_type;

/* worker, building. The policy of the operator that gives `stream`. */
WEIR_API void weir_on_reject(weir_stream stream, weir_reject_policy policy);
/* worker, building. The rows that the operator giving `stream` rejects, at the time at
 * which it was rejecting; sets WEIR_REJECT_KEEP. */
WEIR_API weir_stream weir_rejects(weir_stream stream);
/* worker. Which output that is; UINT32_MAX: nobody has asked for it. For sources that reject rows:
 * they take its first capability, too, and open it at the time at which they reject. */
WEIR_API uint32_t weir_op_reject_output(const weir_op *op);
/* worker. How many rows the operator has rejected so far on this worker. */
WEIR_API uint64_t weir_op_rejected(const weir_op *op);

#endif
