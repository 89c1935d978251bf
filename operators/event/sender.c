/* Sending pairs and rows that are alone; see sender.h. */
#include "sender.h"

#include "../../base/alloc.h"
#include "../window/window.h"

static void put_bounds(const wi_sending *how, char *row, wi_bounds bounds)
{
    if (how->start_at != WI_NOWHERE)
        memcpy(row + how->start_at, &bounds.start, sizeof bounds.start);
    if (how->end_at != WI_NOWHERE)
        memcpy(row + how->end_at, &bounds.end, sizeof bounds.end);
}

/* A join kernel around the user's. It is called for the pairs of a block in their order. */
static uint32_t run(const void *a, size_t a_step, const void *b, size_t b_step, uint32_t count,
                    void *out, uint32_t *kept_out, weir_batch *into, void *arg)
{
    wi_sender *sender = arg;
    const weir_join_kernel *kernel = sender->how->kernel;
    uint32_t made =
        kernel->run(a, a_step, b, b_step, count, out, kept_out, into, sender->how->arg);
    const wi_bounds *bounds = sender->bounds + sender->done;
    for (uint32_t r = 0; sender->bounds && r < made; r++)
        put_bounds(sender->how, (char *)out + (size_t)r * kernel->out->size,
                   bounds[kernel->some ? kept_out[r] : r]);
    sender->done += count;
    return made;
}

void wi_sender_init(wi_sender *sender, weir_op *op, const wi_sending *how)
{
    sender->how = how;
    if (how->kernel) {
        sender->kernel = *how->kernel;
        sender->kernel.run = run;
    }
    wi_pairs_init(&sender->pairs, op, &sender->kernel, sender);
    for (int s = 0; s < 2; s++)
        sender->rows[s] = wi_alloc((size_t)WI_PAIRS * how->rows[s]->size + 1);
    if (how->start_at != WI_NOWHERE || how->end_at != WI_NOWHERE)
        sender->bounds = wi_alloc(WI_PAIRS * sizeof *sender->bounds);
}

void wi_sender_fini(wi_sender *sender)
{
    wi_pairs_fini(&sender->pairs);
    wi_free(sender->rows[0]);
    wi_free(sender->rows[1]);
    wi_free(sender->bounds);
}

void wi_sender_begin(wi_sender *sender, const weir_time *at)
{
    sender->pairs.at = *at;
}

void wi_sender_pair(wi_sender *sender, const void *a, const void *b, int64_t time, int64_t diff,
                    wi_bounds bounds)
{
    if (sender->count == WI_PAIRS)
        wi_sender_flush(sender);
    sender->given++;
    size_t size[] = {sender->how->rows[0]->size, sender->how->rows[1]->size};
    uint32_t at = sender->count++;
    memcpy(sender->rows[0] + at * size[0], a, size[0]);
    memcpy(sender->rows[1] + at * size[1], b, size[1]);
    sender->pairs.times[at] = WEIR_EPOCH(weir_event_epoch(time));
    sender->pairs.diffs[at] = diff;
    if (sender->bounds)
        sender->bounds[at] = bounds;
}

void wi_sender_flush(wi_sender *sender)
{
    const wi_pairs *pairs = &sender->pairs;
    bool one_time = true, one_diff = true;
    for (uint32_t i = 1; i < sender->count; i++) {
        one_time &= weir_time_eq(&pairs->times[i], &pairs->times[0]);
        one_diff &= pairs->diffs[i] == pairs->diffs[0];
    }
    uint32_t count = sender->count;
    sender->count = sender->done = 0;
    if (count)
        wi_pairs_send(&sender->pairs, sender->rows[0], sender->how->rows[0]->size,
                      sender->rows[1], sender->how->rows[1]->size, count,
                      one_time ? pairs->times : NULL, one_diff ? pairs->diffs : NULL);
}

static weir_out *open_at(wi_sender *sender, int64_t time, int64_t diff)
{
    sender->given++;
    weir_out *out = weir_send_at(sender->pairs.op, 0, &sender->pairs.at);
    weir_out_time(out, &WEIR_EPOCH(weir_event_epoch(time)));
    weir_out_diff(out, diff);
    return out;
}

void wi_sender_alone(wi_sender *sender, uint32_t side, const void *row, int64_t time, int64_t diff,
                     wi_bounds bounds)
{
    const weir_map_kernel *alone = sender->how->alone[side];
    if (!alone || !diff)
        return;
    weir_out *out = open_at(sender, time, diff);
    uint32_t room;
    char *to = weir_out_room(out, 1, &room);
    memset(to, 0, alone->out->size);
    alone->run(row, to, 1, out->batch, sender->how->arg);
    put_bounds(sender->how, to, bounds);
    weir_out_commit(out, 1);
}

void wi_sender_row(wi_sender *sender, const void *row, int64_t time, int64_t diff)
{
    weir_out_row(open_at(sender, time, diff), row);
}
