/* What the workers of one operator tell each other: how far their partitions have come.
 *
 * Words go to all workers, by a way back in the dataflow itself, and in turns: a turn is a time
 * of that way. Who has something to say says it at the present turn, and then moves its
 * capability to the next one; so do all who hear of it, with or without a word of their own.
 * When the frontier has passed the turn, all have taken all that was said in it, and only then
 * does anybody say more. So no more than one word of each worker is on its way to each other,
 * however slow that is, and if nobody has anything to say, nothing is sent and nobody wakes.
 *
 * The times of words have nothing to do with those of rows. Worker. */
#ifndef WEIR_OPERATORS_WINDOW_TALK_H
#define WEIR_OPERATORS_WINDOW_TALK_H

#include <weir/stream.h>

typedef struct wi_word {
    int64_t least;    /* of the watermarks of its active partitions; if there are none: the most */
    int64_t greatest; /* of those of all its partitions; if there are none: the least i64 */
    bool active;      /* some partition is */
    bool wants;       /* to hear how far the others have come */
} wi_word;

typedef struct wi_talk {
    weir_capability *capability; /* at the turn, or, if `joined`, the next; NULL: it is over */
    uint32_t input, output, workers;
    wi_word *words; /* the last of each worker */
    wi_word said;   /* the last of this one */
    uint64_t turn;
    uint64_t called; /* turns below that somebody has begun */
    uint64_t next_ns; /* before, this worker does not begin one */
    uint64_t armed_ns; /* when it will look again */
    uint64_t wanted;   /* turns below that this worker begins without anything new */
    bool joined;
} wi_talk;

/* worker, building. The way back, to be made before the operator, of which it becomes input 1, and
 * output 1 what leads to it. No input is related to any output then: not to that of words, and
 * rows have times of their own. */
weir_stream wi_talk_way(weir_scope *scope);
void wi_talk_connect(weir_builder *builder, weir_stream way);

/* worker, in `start`. The first `talking` workers take part, this one among them, or not. Before
 * they have said anything they count as active, at the least i64. */
void wi_talk_start(wi_talk *talk, weir_op *op, uint32_t input, uint32_t output, uint32_t talking);
/* worker. A batch has come on the talk's input. */
void wi_talk_hear(wi_talk *talk, const weir_batch *batch);
/* worker. To be called at the end of `batch`, `frontier` and `run`, with what would be said now. */
void wi_talk_go(wi_talk *talk, weir_op *op, const wi_word *now);
/* worker. Asks for a turn that begins after this, even if nothing is new; wi_talk_go begins it.
 * When it is over, every worker has been able to take part meanwhile. */
void wi_talk_ask(wi_talk *talk);
/* worker. Whether all turns that were asked for are over. */
static inline bool wi_talk_answered(const wi_talk *talk)
{
    return talk->turn >= talk->wanted;
}

/* The least watermark of the other workers' active partitions. False if none is active. */
bool wi_talk_least(const wi_talk *talk, const weir_op *op, int64_t *least_out);
/* The greatest watermark that a partition of another worker has reached. */
int64_t wi_talk_greatest(const wi_talk *talk, const weir_op *op);
/* worker. Says no more. */
void wi_talk_end(wi_talk *talk);
void wi_talk_fini(wi_talk *talk);

#endif
