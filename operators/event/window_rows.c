/* Pairs of rows in a window, and rows that are alone; see window_rows.h. */
#include "window_rows.h"

#include "../../base/alloc.h"

/* The stretches of both sides' entries. */
typedef struct stretches {
    const wi_window_rows *of;
    uint32_t begin[2], end[2];
    bool is[2], was[2]; /* whether the side has rows; and had, before `until` */
} stretches;

static void find(const wi_store *store, stretches *in)
{
    const wi_window_rows *of = in->of;
    for (uint32_t side = 0; side < 2; side++) {
        in->begin[side] = wi_side_from(store, of->key, side, of->first);
        in->end[side] = wi_side_after(store, of->key, side, of->last);
    }
}

static uint32_t first_new(const wi_store *store, const stretches *in, uint32_t side)
{
    uint32_t at = wi_side_from(store, in->of->key, side, in->of->from);
    return at > in->begin[side] ? at : in->begin[side];
}

static void add_up(const wi_matcher *matcher, stretches *in, uint32_t side)
{
    const wi_window_rows *of = in->of;
    uint64_t is = 0, was = 0;
    for (uint32_t i = in->begin[side]; i < in->end[side]; i = wi_side_next(of->key, side, i)) {
        const wi_entry *entry = wi_entry_at(&matcher->store, of->key, side, i);
        if ((int64_t)was > 0 && !matcher->takes_away[side])
            break; /* there are some, whatever else there is */
        is += entry->stamp <= of->until ? (uint64_t)entry->diff : 0;
        was += entry->stamp < of->until ? (uint64_t)entry->diff : 0;
    }
    in->is[side] = (int64_t)is > 0;
    in->was[side] = (int64_t)was > 0;
}

static int64_t signed_as(const wi_window_rows *of, uint64_t diff)
{
    return (int64_t)(of->back ? 0 - diff : diff);
}

/* One row of a side with those of the other that are stamped until `until`. */
static void send_with(wi_matcher *matcher, const stretches *in, uint32_t side, const wi_entry *row,
                      int64_t until)
{
    const wi_window_rows *of = in->of;
    uint32_t other = 1 - side;
    for (uint32_t i = in->begin[other]; i < in->end[other];
         i = wi_side_next(of->key, other, i)) {
        const wi_entry *with = wi_entry_at(&matcher->store, of->key, other, i);
        if (with->stamp > until)
            continue;
        uint64_t diff = (uint64_t)wi_diff_product(row->diff, with->diff);
        wi_sender_pair(&matcher->sender, side == 0 ? row->row : with->row,
                       side == 0 ? with->row : row->row, of->now, signed_as(of, diff), of->bounds);
    }
}

/* If it was sent before: the new rows of `a` with all of `b`, and of `b` with what is not new. */
static void send_new_pairs(wi_matcher *matcher, const stretches *in)
{
    const wi_window_rows *of = in->of;
    for (uint32_t side = 0; side < 2; side++) {
        uint32_t end = in->end[side], i = first_new(&matcher->store, in, side);
        for (; i < end; i = wi_side_next(of->key, side, i)) {
            const wi_entry *row = wi_entry_at(&matcher->store, of->key, side, i);
            if (row->time > of->to)
                break;
            if (row->stamp == of->until)
                send_with(matcher, in, side, row, side == 0 ? of->until : of->until - 1);
        }
    }
}

/* Whether all are sent: `until` is of what the sender may have been given. */
static bool send_pairs(wi_matcher *matcher, wi_window_rows *of, const stretches *in, int64_t until)
{
    uint32_t i = of->place ? of->place : in->begin[0];
    for (; i < in->end[0]; i = wi_side_next(of->key, 0, i)) {
        of->place = i;
        if (matcher->sender.given >= until)
            return false;
        const wi_entry *row = wi_entry_at(&matcher->store, of->key, 0, i);
        if (row->stamp <= of->until)
            send_with(matcher, in, 0, row, of->until);
    }
    return true;
}

/* If there was nothing on the other side, and still is not, only new rows are sent. */
static void send_alone(wi_matcher *matcher, stretches *in, uint32_t side)
{
    const wi_window_rows *of = in->of;
    if (!matcher->plan->sending.alone[side] || in->begin[side] == in->end[side])
        return;
    add_up(matcher, in, 1 - side);
    bool is = !in->is[1 - side], was = of->again && !in->was[1 - side], only_new = is && was;
    if ((!is && !was) || (of->seen && !only_new))
        return;
    uint32_t end = in->end[side];
    uint32_t i = only_new ? first_new(&matcher->store, in, side) : in->begin[side];
    for (; i < end; i = wi_side_next(of->key, side, i)) {
        const wi_entry *entry = wi_entry_at(&matcher->store, of->key, side, i);
        if (only_new && entry->time > of->to)
            break;
        uint64_t diff = is && entry->stamp <= of->until ? (uint64_t)entry->diff : 0;
        diff -= was && entry->stamp < of->until ? (uint64_t)entry->diff : 0;
        wi_sender_alone(&matcher->sender, side, entry->row, of->now, signed_as(of, diff),
                        of->bounds);
    }
}

/* Whether all is sent. */
static bool send(wi_matcher *matcher, wi_window_rows *rows, int64_t until)
{
    stretches in = {.of = rows};
    find(&matcher->store, &in);
    if (rows->again)
        send_new_pairs(matcher, &in);
    else if (!send_pairs(matcher, rows, &in, until))
        return false;
    send_alone(matcher, &in, 0);
    send_alone(matcher, &in, 1);
    return true;
}

/* The key is referred to as long as this has begun. */
void wi_window_rows_send(wi_matcher *matcher, const wi_window_rows *rows)
{
    wi_grow(&matcher->begun, &matcher->begun_capacity, matcher->begun_count + 1,
            sizeof *matcher->begun);
    matcher->begun[matcher->begun_count++] = *rows;
    rows->key->references++;
}

void wi_window_rows_go_on(wi_matcher *matcher)
{
    int64_t until = matcher->sender.given + (matcher->fuel > 0 ? matcher->fuel : 1);
    if (!matcher->begun_count)
        return;
    for (; matcher->begun_at < matcher->begun_count; matcher->begun_at++) {
        wi_window_rows *rows = &matcher->begun[matcher->begun_at];
        if (!send(matcher, rows, until))
            return;
        rows->key->references--;
    }
    wi_sender_flush(&matcher->sender); /* pairs that are to be sent refer to the entries' texts */
    wi_store_tidy(&matcher->store, matcher->begun[0].key); /* of all of them */
    matcher->begun_at = matcher->begun_count = 0;
}
