/* Queries about the last, and the best, of each key. */
#include "nexmark.h"

#define OFFER(F)                                                                               \
    F(u64, auction) F(i64, seq) F(u64, bidder) F(i64, price) F(weir_text, channel) F(i64, at)
#define LAST(F) F(u64, auction) F(u64, bidder) F(i64, price) F(weir_text, channel) F(i64, at)
/* By its fields: the highest price first, then the first. */
#define BEST(F)   F(u64, auction) F(i64, below) F(i64, at) F(i64, seq) F(u64, bidder)
#define RANKED(F) F(u64, auction) F(u64, bidder) F(i64, price) F(i64, at) F(i64, rank)
WEIR_ROW(offer, OFFER)
WEIR_ROW(last, LAST)
WEIR_ROW(best, BEST)
WEIR_ROW(ranked, RANKED)

/* ---- q18: the last bid of each bidder on each auction ------------------------------------ */

WEIR_MAP(to_offer, event, offer)
{
    *out = (offer){in->id, in->seq, in->who, in->price, in->name, in->at};
}

WEIR_MAP(without_seq, offer, last)
{
    *out = (last){in->auction, in->bidder, in->price, in->channel, in->at};
}

/* No bid is late: it may be the only one. Of several at one time the one with the greatest `seq`,
 * which is the field that differs first. */
weir_stream last_bids(weir_stream events)
{
    weir_duplicates ever = {
        .time = "at", .keep = WEIR_KEEP_LAST, .within = INT64_MAX, .lateness = INT64_MAX};
    weir_stream bids = weir_map(only(events, BID), &to_offer);
    return weir_map(weir_deduplicate(bids, WEIR_BY(offer, auction, bidder), &ever, NULL),
                    &without_seq);
}

/* ---- q19: the ten best bids of each auction ---------------------------------------------- */

WEIR_MAP(to_best, event, best)
{
    *out = (best){in->id, -in->price, in->at, in->seq, in->who};
}

WEIR_REDUCE(number, best, ranked)
{
    int64_t rank = 0;
    for (uint32_t i = 0; i < count; i++)
        ranked_push(out, (ranked){.bidder = in[i].bidder, .price = -in[i].below, .at = in[i].at,
                                  .rank = ++rank});
}

weir_stream best_bids(weir_stream events)
{
    weir_stream ten = weir_group_top(weir_map(only(events, BID), &to_best),
                                     WEIR_BY(best, auction), WEIR_ASCENDING(best, below, at, seq),
                                     (weir_top){.limit = 10});
    return weir_reduce(ten, WEIR_BY(best, auction), &number);
}
