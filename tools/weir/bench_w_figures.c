/* The figures of `weir bench windows`, and how much work each is: rows of 24 bytes, a thousand in a
 * millisecond of event time, 64 ms out of order, made by the workers themselves; beside each the
 * tight C loop that does the same with the same results. */
#include "bench.h"

#define RATE(rows, keys, kind)                                                                \
    .unit = "rows/s", .options = "--rows " rows " --keys " keys, .run = bench_w_##kind
#define TUMBLING(rows, keys) RATE(rows, keys, tumbling), .raw = bench_w_limit_tumbling
#define POLICY(rows, keys) RATE(rows, keys, tumbling_policy), .raw = bench_w_limit_tumbling
#define HOPPING(rows, keys) RATE(rows, keys, hopping), .raw = bench_w_limit_hopping
#define SESSIONS(rows, keys) RATE(rows, keys, sessions), .raw = bench_w_limit_sessions

static const struct bench_figure figures[] = {
    {.name = "tumbling_100",
     .summary = "sums in windows of 1 s, by 100 keys",
     TUMBLING("100000000", "100")},
    {.name = "tumbling_100k",
     .summary = "by 100,000 keys",
     .shows_memory = true,
     TUMBLING("50000000", "100000")},
    {.name = "local_100",
     .summary = "tumbling_100, folded before the exchange",
     .workers = "2",
     RATE("100000000", "100", tumbling_local),
     .raw = bench_w_limit_tumbling},
    {.name = "local_100k",
     .summary = "and by 100,000 keys",
     .workers = "2",
     RATE("50000000", "100000", tumbling_local),
     .raw = bench_w_limit_tumbling},
    {.name = "policy_100",
     .summary = "tumbling_100 behind weir_watermarks, each worker's rows a partition",
     POLICY("100000000", "100")},
    {.name = "policy_100k",
     .summary = "and by 100,000 keys",
     POLICY("50000000", "100000")},
    {.name = "hopping_100",
     .summary = "in windows of 60 s, one a second, by 100 keys",
     HOPPING("100000000", "100")},
    {.name = "hopping_100k",
     .summary = "by 100,000 keys, for 150 s",
     .shows_memory = true,
     HOPPING("150000000", "100000")},
    {.name = "inverse_100k",
     .summary = "hopping_100k, with panes that are taken away again",
     .shows_memory = true,
     RATE("150000000", "100000", hopping_inverse),
     .raw = bench_w_limit_hopping},
    {.name = "local_hopping_100",
     .summary = "hopping_100, folded before the exchange",
     .workers = "2",
     RATE("100000000", "100", hopping_local),
     .raw = bench_w_limit_hopping},
    {.name = "sessions_100k",
     .summary = "in sessions of 250 ms, by 100,000 keys",
     .shows_memory = true,
     SESSIONS("20000000", "100000")},
    {.name = "csv",
     .summary = "typed rows (ts,user,bytes) from a file of CSV, 1 MB = 10^6 bytes",
     .unit = "MB/s",
     .shows_memory = true,
     .options = "--rows 5000000",
     .run = bench_w_csv,
     .raw = bench_w_limit_csv},
};

const struct bench_suite bench_windows = {"windows", "weir's windows beside tight C loops", figures,
                                          sizeof figures / sizeof *figures, "C loop"};
