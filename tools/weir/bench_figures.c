/* The figures of `weir bench runtime`, and how much work each is; and the table of suites. */
#include "bench.h"

#include <string.h>

static const struct bench_figure runtime_figures[] = {
    {.name = "exchange_64k",
     .summary = "u64 rows exchanged by value, 64k rows a batch",
     .unit = "rows/s",
     .options = "--batch 65536 --epochs 6000 --outstanding 1",
     .peer_figure = "exchange_64k",
     .run = bench_exchange},
    {.name = "exchange_1k",
     .summary = "the same, 1k rows a batch, 16 epochs outstanding",
     .unit = "rows/s",
     .options = "--batch 1024 --epochs 300000 --outstanding 16",
     .peer_figure = "exchange_1k",
     .run = bench_exchange},
    {.name = "round_1",
     .summary = "p50 of an empty epoch through 1 map operator to a probe",
     .unit = "ns",
     .less_is_better = true,
     .options = "--operators 1 --rounds 200000",
     .peer_figure = "round_1",
     .run = bench_round},
    {.name = "round_10",
     .summary = "the same through 10 operators",
     .unit = "ns",
     .less_is_better = true,
     .options = "--operators 10 --rounds 200000",
     .peer_figure = "round_10",
     .run = bench_round},
    {.name = "round_100",
     .summary = "the same through 100 operators",
     .unit = "ns",
     .less_is_better = true,
     .options = "--operators 100 --rounds 20000",
     .peer_figure = "round_100",
     .run = bench_round},
    {.name = "barrier",
     .summary = "a round of notifications through all workers",
     .unit = "ns",
     .less_is_better = true,
     .options = "--rounds 100000",
     .peer_figure = "barrier",
     .run = bench_barrier},
    {.name = "barrier_spin",
     .summary = "the same, the peer never parking",
     .unit = "ns",
     .less_is_better = true,
     .options = "--rounds 100000",
     .peer_figure = "barrier",
     .peer_options = "--spin",
     .run = bench_barrier},
    {.name = "ping_pong",
     .summary = "one row round a loop, crossing to the other worker each round",
     .unit = "ns",
     .less_is_better = true,
     .options = "--rounds 100000",
     .peer_figure = "ping_pong",
     .run = bench_ping_pong},
    {.name = "ping_pong_spin",
     .summary = "the same, the peer never parking",
     .unit = "ns",
     .less_is_better = true,
     .options = "--rounds 100000",
     .peer_figure = "ping_pong",
     .peer_options = "--spin",
     .run = bench_ping_pong},
    {.name = "event_driven",
     .summary = "10 dataflows of 10 operators in turn, a row each round",
     .unit = "rounds/s",
     .options = "--dataflows 10 --operators 10 --rounds 200000",
     .peer_figure = "event_driven",
     .run = bench_event_driven},
    {.name = "event_driven_empty",
     .summary = "the same without rows",
     .unit = "rounds/s",
     .options = "--dataflows 10 --operators 10 --rounds 400000",
     .peer_figure = "event_driven_empty",
     .run = bench_event_driven_empty},
    {.name = "word_count",
     .summary = "words of 200 MB of text, read from a file and counted",
     .unit = "MB/s",
     .shows_memory = true,
     .needs_text = true,
     .options = "",
     .peer_figure = "word_count",
     .run = bench_word_count},
    {.name = "bfs",
     .summary = "breadth-first search of 1M nodes and 10M edges, by a loop",
     .unit = "s",
     .less_is_better = true,
     .shows_memory = true,
     .options = "--nodes 1000000 --edges 10000000",
     .peer_figure = "bfs",
     .run = bench_bfs},
    {.name = "idle",
     .summary = "CPU used by workers that have nothing to do",
     .unit = "% of a core",
     .less_is_better = true,
     .options = "--seconds 2",
     .peer_figure = "idle",
     .run = bench_idle},
};

static const struct bench_suite runtime = {"runtime", "weir's runtime beside timely dataflow",
                                           runtime_figures,
                                           sizeof runtime_figures / sizeof *runtime_figures,
                                           NULL};

const struct bench_suite *const bench_suites[] = {&runtime, &bench_collections, &bench_net,
                                                &bench_windows};

const unsigned bench_suite_count = sizeof bench_suites / sizeof *bench_suites;

const struct bench_suite *bench_suite_find(const char *name)
{
    for (unsigned i = 0; i < bench_suite_count; i++)
        if (!strcmp(bench_suites[i]->name, name))
            return bench_suites[i];
    return NULL;
}

const struct bench_figure *bench_figure_find(const struct bench_suite *suite, const char *name)
{
    for (unsigned s = 0; s < bench_suite_count; s++) {
        const struct bench_suite *in = bench_suites[s];
        for (unsigned i = 0; (!suite || suite == in) && i < in->count; i++)
            if (!strcmp(in->figures[i].name, name))
                return &in->figures[i];
    }
    return NULL;
}
