/* Nexmark's events: people, their auctions, and bids on these. And the queries. */
#ifndef NEXMARK_H
#define NEXMARK_H

#include <weir/weir.h>

/* An event of any kind; what a kind does not have is 0. */
#define EVENT(F)                                                                               \
    F(u8, kind) F(i64, seq) F(i64, at) F(u64, id) F(u64, who) F(i64, price) F(i64, reserve)    \
    F(i64, expires) F(u64, category) F(weir_text, name) F(weir_text, city) F(weir_text, state)
WEIR_ROW(event, EVENT)

/* Persons have an id, a name, a city and a state; auctions an id, `who` sells, a first price, a
 * reserve, a time at which they end, a category, and the item's name; bids are on auction `id`, by
 * `who`, and have the channel as a name. */
typedef enum kind { PERSON = 'P', AUCTION = 'A', BID = 'B' } kind;

/* source.c: the events of a file, read by worker 0, stamped with the watermarks that it has. */
weir_stream read_events(weir_dataflow *flow, const char *path);
/* Those of one kind. */
weir_stream only(weir_stream events, kind of);

typedef weir_stream query(weir_stream events);
/* joins.c */
query who_sells, mean_prices, new_sellers, winning_bids, bids_of_category;
/* windows.c */
query hot_items, highest_bids, user_sessions, user_windows;
/* tops.c */
query last_bids, best_bids;

#endif
