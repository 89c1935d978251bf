/* Queries about windows of event time. */
#include "nexmark.h"

#define SECONDS 1000

#define HOT(F)     F(u64, auction) F(i64, start) F(i64, end) F(i64, bids)
#define ITEM(F)    F(i64, start) F(i64, end) F(u64, auction) F(i64, bids)
#define HIGHEST(F) F(i64, end) F(u64, auction) F(u64, bidder) F(i64, price) F(i64, at)
#define VISIT(F)   F(u64, bidder) F(i64, start) F(i64, end) F(i64, bids)
#define STAY(F)    F(u64, bidder) F(i64, bids) F(i64, start) F(i64, end)
WEIR_ROW(hot, HOT)
WEIR_ROW(item, ITEM)
WEIR_ROW(highest, HIGHEST)
WEIR_ROW(visit, VISIT)
WEIR_ROW(stay, STAY)

/* ---- q5: the auctions with the most bids in ten seconds, every two ----------------------- */

WEIR_FOLD(count_bids, event, hot) {}
WEIR_FOLD(add_counts, hot, hot) {}

WEIR_MAP(start_first, hot, item)
{
    *out = (item){in->start, in->end, in->auction, in->bids};
}

weir_stream hot_items(weir_stream events)
{
    weir_windows how = {.kind = WEIR_HOPPING,
                        .time = "at",
                        .size = 10 * SECONDS,
                        .slide = 2 * SECONDS,
                        .combine = &add_counts};
    weir_stream counts =
        weir_window(only(events, BID), &how, WEIR_BY(event, id), &count_bids, NULL, NULL);
    return weir_group_top(weir_map(counts, &start_first), WEIR_BY(item, start),
                          WEIR_DESCENDING(item, bids),
                          (weir_top){.limit = 1, .ties = WEIR_TIES_RANK});
}

/* ---- q7: the highest bids of each ten seconds -------------------------------------------- */

WEIR_MAP(of_window, event, highest)
{
    *out = (highest){in->at - in->at % (10 * SECONDS) + 10 * SECONDS, in->id, in->who, in->price,
                     in->at};
}

weir_stream highest_bids(weir_stream events)
{
    return weir_group_top(weir_map(only(events, BID), &of_window), WEIR_BY(highest, end),
                          WEIR_DESCENDING(highest, price),
                          (weir_top){.limit = 1, .ties = WEIR_TIES_RANK});
}

/* ---- q11, q12: bids of each bidder ------------------------------------------------------- */

WEIR_FOLD(count_visit, event, visit) {}
WEIR_FOLD(add_visits, visit, visit) {}

WEIR_MAP(bids_first, visit, stay)
{
    *out = (stay){in->bidder, in->bids, in->start, in->end};
}

static weir_stream visits(weir_stream events, const weir_windows *how)
{
    return weir_map(
        weir_window(only(events, BID), how, WEIR_BY(event, who), &count_visit, NULL, NULL),
        &bids_first);
}

/* Until a bidder pauses for ten seconds. */
weir_stream user_sessions(weir_stream events)
{
    return visits(events, &(weir_windows){.kind = WEIR_SESSION,
                                          .time = "at",
                                          .gap = 10 * SECONDS,
                                          .combine = &add_visits});
}

weir_stream user_windows(weir_stream events)
{
    return visits(events,
                  &(weir_windows){.kind = WEIR_TUMBLING, .time = "at", .size = 10 * SECONDS});
}
