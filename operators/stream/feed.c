/* The entrance of a dataflow for another thread.
 *
 * The thread fills batches of its own and posts them, and its advances, to the worker's
 * mailbox; there they go through an ordinary input. A semaphore counts the free places, so
 * a worker that falls behind holds its feeds back rather than let the mailbox grow. While there is
 * no room for what the input sends (gate.c), what has come waits, in its places: the operator
 * beside the input is blocked in its stead.
 *
 * Looks deeper than the operator API for the mailbox and the gates. */
#include <semaphore.h>
#include <stdatomic.h>
#include <time.h>

#include "../../runtime/door.h"

#include "../../base/alloc.h"
#include "../../base/assert.h"
#include "common.h"

#define PLACES 64
/* How often a thread that waits for a place looks whether the execution stops. */
#define LOOK_AGAIN_NS 20000000

struct weir_feed {
    /* the feeding thread's */
    weir_out out;
    weir_time time;
    /* shared */
    wi_door *door; /* set while building; constant from the first use on */
    sem_t places;
    _Atomic(uint32_t) references; /* the thread, the operator, and mail on its way */
    /* the worker's */
    weir_input *input;
    weir_op *beside;
    struct letter *first, **end; /* have come, and wait for room */
    wi_mail again;               /* to this worker itself: there may be room */
    bool posted;                 /* `again` is in the mailbox */
};

typedef enum letter_kind { LETTER_BATCH, LETTER_ADVANCE, LETTER_CLOSE } letter_kind;

typedef struct letter {
    wi_mail mail;
    struct letter *next;
    weir_feed *feed;
    letter_kind kind;
    weir_batch *batch;
    weir_time time;
} letter;

static void release(weir_feed *feed)
{
    if (atomic_fetch_sub_explicit(&feed->references, 1, memory_order_acq_rel) != 1)
        return;
    wi_out_fini(&feed->out);
    wi_door_release(feed->door);
    sem_destroy(&feed->places);
    wi_free(feed);
}

/* ---- on the worker ---------------------------------------------------------------------- */

static void deliver(weir_feed *feed, letter *mail)
{
    switch (mail->kind) {
    case LETTER_BATCH:
        weir_input_send(feed->input, mail->batch);
        mail->batch = NULL;
        break;
    case LETTER_ADVANCE:
        weir_input_advance_to(feed->input, &mail->time);
        break;
    case LETTER_CLOSE:
        weir_input_close(&feed->input);
        break;
    }
}

/* Done with it: delivered, or there is no input any more. */
static void free_letter(letter *mail)
{
    weir_feed *feed = mail->feed;
    if (mail->batch)
        weir_batch_drop(mail->batch);
    wi_free(mail);
    sem_post(&feed->places);
    release(feed);
}

/* Delivers what waits, as long as there is room. */
static void deliver_waiting(weir_feed *feed)
{
    while (feed->first && !wi_source_waits(feed->input)) {
        letter *mail = feed->first;
        feed->first = mail->next;
        if (!feed->first)
            feed->end = &feed->first;
        deliver(feed, mail);
        free_letter(mail);
    }
    if (!feed->first)
        return;
    feed->beside->want_run = true;
    wi_op_block(feed->beside);
}

static void take_letter(weir_worker *worker, wi_mail *posted)
{
    letter *mail = (letter *)posted;
    weir_feed *feed = mail->feed;
    if (!wi_door_op(feed->door, worker) || !feed->input) {
        free_letter(mail);
        return;
    }
    mail->next = NULL;
    *feed->end = mail;
    feed->end = &mail->next;
    deliver_waiting(feed);
}

/* An input is used outside of callbacks, hence by way of the mailbox. */
static void take_again(weir_worker *worker, wi_mail *posted)
{
    weir_feed *feed = (weir_feed *)((char *)posted - offsetof(weir_feed, again));
    feed->posted = false;
    if (wi_door_op(feed->door, worker) && feed->input)
        deliver_waiting(feed);
    release(feed);
}

static void there_may_be_room(weir_op *op)
{
    weir_feed *feed = weir_op_arg(op);
    if (feed->posted || !feed->first)
        return;
    feed->posted = true;
    atomic_fetch_add_explicit(&feed->references, 1, memory_order_relaxed);
    feed->again.take = take_again;
    if (!wi_door_post(feed->door, &feed->again))
        take_again(NULL, &feed->again);
}

/* The feed outlives its input: the operator that stands beside it tells the feed when the
 * dataflow ends. */
static void stop_feed(weir_op *op)
{
    weir_feed *feed = weir_op_arg(op);
    feed->input = NULL;
    while (feed->first) {
        letter *mail = feed->first;
        feed->first = mail->next;
        free_letter(mail);
    }
    feed->end = &feed->first;
    release(feed);
}

static const weir_operator feed_operator = {
    .name = "feed", .run = there_may_be_room, .stop = stop_feed};

/* ---- the feeding thread ----------------------------------------------------------------- */

/* Waits for a free place. False if the dataflow has stopped meanwhile: its worker may not
 * take letters any more, so that no place would ever become free. */
static bool wait_for_place(weir_feed *feed)
{
    for (;;) {
        if (wi_door_closing(feed->door))
            return false;
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += LOOK_AGAIN_NS;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        if (sem_timedwait(&feed->places, &until) == 0)
            return true;
    }
}

static bool post(weir_feed *feed, letter_kind kind, weir_batch *batch)
{
    if (!wait_for_place(feed)) {
        weir_batch_drop(batch);
        return false;
    }
    letter *mail = WI_NEW(letter);
    *mail = (letter){{.take = take_letter}, NULL, feed, kind, batch, feed->time};
    atomic_fetch_add_explicit(&feed->references, 1, memory_order_relaxed);
    if (wi_door_post(feed->door, &mail->mail))
        return true;
    take_letter(NULL, &mail->mail);
    return false;
}

static void feed_full(weir_out *out)
{
    weir_feed *feed = out->owner;
    uint32_t rows = weir_batch_rows_usual(out->type);
    if (!out->batch) {
        wi_out_open(out, &feed->time, rows);
        return;
    }
    post(feed, LETTER_BATCH, wi_out_seal(out));
    wi_out_next(out, rows);
}

static void feed_misuse(weir_out *out, const weir_time *time)
{
    (void)out, (void)time;
    wi_require_failed("a row of a feed is given a time before the one that the feed is at");
}

weir_stream weir_feed_new(weir_dataflow *flow, const weir_type *type, weir_feed **feed_out)
{
    weir_feed *feed = WI_NEW(weir_feed);
    weir_stream stream = weir_input_new(flow, type, &feed->input);
    wi_flow_forget_closer(flow->flow, feed->input);
    wi_out_init(&feed->out, type, feed_full, feed);
    wi_out_on_misuse(&feed->out, feed_misuse);
    sem_init(&feed->places, 0, PLACES);
    atomic_init(&feed->references, 2);
    weir_op *beside = wi_op_new(flow, &feed_operator, feed);
    feed->door = wi_op_door(beside);
    feed->beside = beside;
    feed->end = &feed->first;
    beside->always_stop = true;
    *feed_out = feed;
    return stream;
}

weir_out *weir_feed_out(weir_feed *feed)
{
    if (!feed->out.batch)
        wi_out_open(&feed->out, &feed->time, weir_batch_rows_usual(feed->out.type));
    return &feed->out;
}

bool weir_feed_flush(weir_feed *feed)
{
    weir_batch *batch = wi_out_seal(&feed->out);
    if (batch)
        return post(feed, LETTER_BATCH, batch);
    return !wi_door_closing(feed->door);
}

bool weir_feed_advance_to(weir_feed *feed, const weir_time *time)
{
    weir_feed_flush(feed);
    feed->time = *time;
    return post(feed, LETTER_ADVANCE, NULL);
}

bool weir_feed_advance(weir_feed *feed, uint64_t epoch)
{
    weir_time time = feed->time;
    time.at[0] = epoch;
    return weir_feed_advance_to(feed, &time);
}

void weir_feed_close(weir_feed **feed)
{
    if (!*feed)
        return;
    weir_feed_flush(*feed);
    post(*feed, LETTER_CLOSE, NULL);
    release(*feed);
    *feed = NULL;
}
