/* Queries of Nexmark, an auction site, over a file of events:
 *
 *     nexmark [--final] QUERY FILE
 *
 * QUERY is q3, q4, q5, q7, q8, q9, q11, q12, q18, q19 or q20; FILE has lines of a number, a letter
 * (P: person, A: auction, B: bid), an event time, a watermark, and what there is to say. Results
 * are sent as event time goes on, and taken back (-1) where they change; with --final, only what
 * is right in the end. */
#include "nexmark.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    query *build;
} queries[] = {{"q3", who_sells},      {"q4", mean_prices},    {"q5", hot_items},
               {"q7", highest_bids},   {"q8", new_sellers},    {"q9", winning_bids},
               {"q11", user_sessions}, {"q12", user_windows},  {"q18", last_bids},
               {"q19", best_bids},     {"q20", bids_of_category}};

static bool final;

/* All changes at the end of time, where they add up to what is right then. */
static weir_stream in_the_end(weir_stream changes)
{
    return weir_consolidate(weir_delay(changes, UINT64_MAX));
}

static void build(weir_dataflow *flow, WEIR_UNUSED void *arg)
{
    const char *name = weir_argument(flow, 0), *path = weir_argument(flow, 1);
    query *found = NULL;
    for (size_t q = 0; name && q < sizeof queries / sizeof *queries; q++)
        if (strcmp(queries[q].name, name) == 0)
            found = queries[q].build;
    if (!found || !path) {
        weir_scope_fail(flow, "usage: nexmark [--final] QUERY FILE; %s is no query that it has",
                        name ? name : "(nothing)");
        return;
    }
    weir_stream results = found(read_events(flow, path));
    weir_print(final ? in_the_end(results) : results, stdout);
}

int main(int argc, char **argv)
{
    static const weir_option own[] = {
        {.name = "final", .help = "print only what is right in the end", .flag = &final}, {0}};
    return weir_main_with(argc, argv, "QUERY FILE: queries of Nexmark, over a file of events", own,
                          build, NULL);
}
