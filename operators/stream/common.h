/* What the operators of streams have in common: how they are begun, one wording for rows
 * that do not fit, and batches made of some rows of another batch. */
#ifndef WEIR_OPERATORS_STREAM_COMMON_H
#define WEIR_OPERATORS_STREAM_COMMON_H

#include <weir/stream.h>

/* Begins an operator with `in` as its input 0, in the stream's scope. `kept` is its argument,
 * from wi_alloc and freed with the dataflow; NULL: none. It is shown as "map upper": `name`
 * and then `of`, unless that is NULL. */
weir_builder *wi_begin(weir_stream in, weir_route route, const weir_operator *logic, void *kept,
                       const char *name, const char *of);

/* What most operators do: call a kernel with its argument. This is the operator's `arg`. */
typedef struct wi_call {
    const void *kernel;
    void *arg;
} wi_call;

/* Begins such an operator, under the logic's name. */
weir_builder *wi_begin_call(weir_stream in, weir_route route, const weir_operator *logic,
                            const char *of, const void *kernel, void *arg);

/* Adds the only output and ends the operator. */
weir_stream wi_end(weir_builder *builder, const weir_type *out);

/* Fails the dataflow unless `in` has rows like `takes`:
 *     map `upper`: takes rows of word(text text), but its stream has num(value u64)
 * `of` may be NULL. */
bool wi_takes(weir_stream in, const char *name, const char *of, const weir_type *takes);

/* Fails the dataflow unless two streams that become one have the same fields:
 *     concat: has rows of word(text text), but is also given num(value u64) */
bool wi_same_rows(weir_scope *scope, const char *name, const weir_type *has,
                  const weir_type *given);

/* weir_delay_to: stateless, and moves rows of one batch by different spans of time. */
extern const weir_operator wi_delay_to;

/* The path of a file, or, if it is NULL, one that no file has: that fails the dataflow. */
const char *wi_path(weir_scope *scope, const char *name, const char *path);

/* Where the rows end whose times are all that of row `begin`. */
static inline uint32_t wi_same_time(const weir_batch *batch, uint32_t begin)
{
    uint32_t end = begin + 1;
    if (!batch->times)
        return batch->count;
    while (end < batch->count && weir_time_eq(&batch->times[end], &batch->times[begin]))
        end++;
    return end;
}

/* ---- rows picked from a batch ----------------------------------------------------------- */

/* A batch made of some rows of another, in their order. Its memory is used again if few
 * rows were picked, so that a batch that is sent never has room for many more rows than it
 * has. All zeros is a pick that is not in use. */
typedef struct wi_pick {
    weir_batch *batch; /* picked so far: batch->count rows */
    uint32_t capacity; /* rows that a batch kept from before can take */
} wi_pick;

/* Begins to pick from `in`: room for all its rows, none picked. */
void wi_pick_begin(wi_pick *pick, const weir_batch *in);
/* Where the next rows go. */
static inline void *wi_pick_slot(wi_pick *pick)
{
    return (char *)pick->batch->rows + (size_t)pick->batch->count * pick->batch->type->size;
}
/* Counts the rows that stand at the slot as picked: rows begin + indexes[0..count) of `in`. */
void wi_pick_commit(wi_pick *pick, const weir_batch *in, uint32_t begin, const uint32_t *indexes,
                    uint32_t count);
/* The same for rows that were not copied to the slot yet. */
void wi_pick_rows(wi_pick *pick, const weir_batch *in, uint32_t begin, const uint32_t *indexes,
                  uint32_t count);
/* Sends what was picked; if it was every row, `in` itself; if it was none, nothing. */
void wi_pick_send(wi_pick *pick, weir_op *op, uint32_t output, const weir_batch *in);
void wi_pick_free(wi_pick *pick);

/* input.c, worker: whether there is no room for what the input would send (gate.c). */
bool wi_source_waits(const weir_input *input);

#endif
