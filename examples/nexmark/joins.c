/* Queries that join: over all that there was so far, or in windows. */
#include "nexmark.h"

#include <string.h>

#define LISTING(F) F(weir_text, name) F(weir_text, city) F(weir_text, state) F(u64, auction)
#define SELLER(F)  F(u64, id) F(weir_text, name) F(i64, start)
#define OFFER(F)                                                                               \
    F(u64, id) F(weir_text, item) F(i64, initial) F(i64, reserve) F(i64, at) F(i64, expires)   \
    F(u64, seller) F(u64, category) F(u64, bidder) F(i64, price) F(i64, bid_at) F(i64, seq)
#define WON(F)                                                                                 \
    F(u64, id) F(weir_text, item) F(i64, initial) F(i64, reserve) F(i64, at) F(i64, expires)   \
    F(u64, seller) F(u64, category) F(u64, bidder) F(i64, price) F(i64, bid_at)
#define PRICE(F) F(u64, id) F(u64, category) F(i64, price)
#define MEAN(F)  F(u64, category) F(i64, sum) F(i64, count) F(i64, mean)
#define WIDE(F)                                                                                \
    F(u64, auction) F(u64, bidder) F(i64, price) F(i64, at) F(weir_text, item) F(u64, seller)  \
    F(i64, expires)
WEIR_ROW(listing, LISTING)
WEIR_ROW(seller, SELLER)
WEIR_ROW(offer, OFFER)
WEIR_ROW(won, WON)
WEIR_ROW(price, PRICE)
WEIR_ROW(mean, MEAN)
WEIR_ROW(wide, WIDE)

/* ---- q3: who sells in three states, in category 10 -------------------------------------- */

WEIR_FILTER(in_category_10, event)
{
    return in->category == 10;
}

WEIR_FILTER(in_three_states, event)
{
    static const char *const states[] = {"OR", "ID", "CA"};
    for (int i = 0; i < 3; i++) {
        weir_text state = weir_text_c(states[i]);
        if (weir_text_equal(&in->state, &state))
            return true;
    }
    return false;
}

WEIR_JOIN(list, event, event, listing)
{
    *out = (listing){b->name, b->city, b->state, a->id};
}

weir_stream who_sells(weir_stream events)
{
    weir_stream auctions = weir_filter(only(events, AUCTION), &in_category_10);
    weir_stream people = weir_filter(only(events, PERSON), &in_three_states);
    return weir_join(auctions, WEIR_BY(event, who), people, WEIR_BY(event, id), &list);
}

/* ---- q4, q9: what was paid -------------------------------------------------------------- */

/* A bid counts if it came while the auction was open. */
WEIR_JOIN_SOME(bid_in_time, event, event, offer)
{
    *out = (offer){a->id,  a->name,     a->price, a->reserve, a->at, a->expires,
                   a->who, a->category, b->who,   b->price,   b->at, b->seq};
    return a->at <= b->at && b->at <= a->expires;
}

static weir_stream offers(weir_stream events)
{
    return weir_join(only(events, AUCTION), WEIR_BY(event, id), only(events, BID),
                     WEIR_BY(event, id), &bid_in_time);
}

WEIR_MAP(without_seq, offer, won)
{
    *out = (won){in->id,     in->item,     in->initial, in->reserve, in->at,    in->expires,
                 in->seller, in->category, in->bidder,  in->price,   in->bid_at};
}

/* The highest bid; of several the first. */
weir_stream winning_bids(weir_stream events)
{
    weir_order best = {.by = WEIR_BY(offer, price, bid_at, seq), .descending = 1};
    return weir_map(weir_group_first(offers(events), WEIR_BY(offer, id), best), &without_seq);
}

WEIR_REDUCE(mean_of, price, mean)
{
    int64_t sum = 0, rows = 0;
    for (uint32_t i = 0; i < count; i++) {
        sum += in[i].price * counts[i];
        rows += counts[i];
    }
    if (rows)
        mean_push(out, (mean){.sum = sum, .count = rows, .mean = sum / rows});
}

weir_stream mean_prices(weir_stream events)
{
    weir_stream highest = weir_group_max(offers(events), WEIR_BY(offer, id, category),
                                         WEIR_BY(offer, price), &price_type);
    return weir_reduce(highest, WEIR_BY(price, category), &mean_of);
}

/* ---- q8: who came and opened an auction in the same ten seconds -------------------------- */

WEIR_JOIN(sells, event, event, seller)
{
    *out = (seller){.id = a->id, .name = a->name};
}

weir_stream new_sellers(weir_stream events)
{
    weir_window_match tens = {.windows = {.kind = WEIR_TUMBLING, .time = "at", .size = 10000},
                              .start = "start"};
    return weir_distinct(weir_window_join(only(events, PERSON), WEIR_BY(event, id),
                                          only(events, AUCTION), WEIR_BY(event, who), &tens,
                                          &sells, NULL, NULL));
}

/* ---- q20: bids with their auctions, of category 10 --------------------------------------- */

WEIR_JOIN(put_together, event, event, wide)
{
    *out = (wide){b->id, b->who, b->price, b->at, a->name, a->who, a->expires};
}

weir_stream bids_of_category(weir_stream events)
{
    weir_stream auctions = weir_filter(only(events, AUCTION), &in_category_10);
    return weir_join(auctions, WEIR_BY(event, id), only(events, BID), WEIR_BY(event, id),
                     &put_together);
}
