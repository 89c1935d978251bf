/* The figures of `weir bench net`, and how much work each is: two processes, and what plain
 * sockets do with frames, reads and patterns like those of weir. */
#include "bench.h"

/* Where the processes are: at both ends of sockets that carry everything, or of sockets over tcp
 * beside memory that they share, as processes of one machine do if nothing else is said. */
#define SOCKETS(way) .processes = 2, .scheme = (way), .sockets = true
#define SHARED .processes = 2, .scheme = "tcp"

#define CROSS(kind)                                                                           \
    .unit = "GB/s", .workers = "1", .row_bytes = 16,                                          \
    .options = "--batch 65536 --epochs 2000 --outstanding 16", .peer_figure = "cross" kind
#define EPOCH(operator_count, round_count)                                                    \
    .unit = "ns", .less_is_better = true, .workers = "1",                                     \
    .options = "--operators " operator_count " --rounds " round_count,                        \
    .peer_figure = "round_" operator_count, .run = bench_round, .raw = bench_raw_epoch
#define HOP                                                                                   \
    .unit = "ns", .less_is_better = true, .workers = "1",                                     \
    .options = "--rounds 20000", .peer_figure = "ping_pong", .run = bench_ping_pong,          \
    .raw = bench_raw_round_trip
#define PROGRESS                                                                              \
    .less_is_better = true, .workers = "1,2,4,8", SHARED,                                     \
    .options = "--operators 10 --rows 1000 --rounds 3000"

static const struct bench_figure figures[] = {
    {.name = "exchange_tcp",
     .summary = "16-byte rows, all made in process 0, all summed in process 1, over tcp",
     SOCKETS("tcp"),
     CROSS(""),
     .run = bench_cross,
     .raw = bench_raw_cross},
    {.name = "exchange_ipc",
     .summary = "the same over a local socket",
     SOCKETS("abstract"),
     CROSS(""),
     .run = bench_cross,
     .raw = bench_raw_cross},
    {.name = "exchange_shared",
     .summary = "at tcp addresses of one machine, where they share memory; beside tcp",
     SHARED,
     CROSS(""),
     .run = bench_cross,
     .raw = bench_raw_cross},
    {.name = "exchange_rows_tcp",
     .summary = "over tcp, beside sockets whose program makes the rows and adds them up, too",
     SOCKETS("tcp"),
     CROSS(""),
     .run = bench_cross,
     .raw = bench_raw_cross_rows},
    {.name = "exchange_both_tcp",
     .summary = "both processes make rows and half of them cross, over tcp; what crosses",
     SOCKETS("tcp"),
     CROSS("_both"),
     .run = bench_cross_both,
     .raw = bench_raw_cross_both},
    {.name = "exchange_both_ipc",
     .summary = "the same over a local socket",
     SOCKETS("abstract"),
     CROSS("_both"),
     .run = bench_cross_both,
     .raw = bench_raw_cross_both},
    {.name = "exchange_both_shared",
     .summary = "through shared memory, beside tcp",
     SHARED,
     CROSS("_both"),
     .run = bench_cross_both,
     .raw = bench_raw_cross_both},
    {.name = "exchange_u64_tcp",
     .summary = "exchange_64k of `weir bench runtime`, by two processes over tcp",
     .unit = "rows/s",
     .workers = "1",
     SOCKETS("tcp"),
     .options = "--batch 65536 --epochs 1000 --outstanding 1",
     .peer_figure = "exchange_64k",
     .run = bench_exchange},
    {.name = "exchange_u64_shared",
     .summary = "through shared memory",
     .unit = "rows/s",
     .workers = "1",
     SHARED,
     .options = "--batch 65536 --epochs 1000 --outstanding 1",
     .peer_figure = "exchange_64k",
     .run = bench_exchange},
    {.name = "epoch_1_tcp",
     .summary = "p50 of an empty epoch of both processes through 1 operator to a probe, over tcp",
     SOCKETS("tcp"),
     EPOCH("1", "20000")},
    {.name = "epoch_10_tcp",
     .summary = "the same through 10",
     SOCKETS("tcp"),
     EPOCH("10", "20000")},
    {.name = "epoch_100_tcp", .summary = "through 100", SOCKETS("tcp"), EPOCH("100", "10000")},
    {.name = "epoch_1_ipc",
     .summary = "over a local socket",
     SOCKETS("abstract"),
     EPOCH("1", "20000")},
    {.name = "epoch_10_ipc", .summary = "through 10", SOCKETS("abstract"), EPOCH("10", "20000")},
    {.name = "epoch_100_ipc",
     .summary = "through 100",
     SOCKETS("abstract"),
     EPOCH("100", "10000")},
    {.name = "epoch_1_shared",
     .summary = "through shared memory, beside tcp",
     SHARED,
     EPOCH("1", "20000")},
    {.name = "epoch_10_shared", .summary = "through 10", SHARED, EPOCH("10", "20000")},
    {.name = "epoch_100_shared", .summary = "through 100", SHARED, EPOCH("100", "10000")},
    {.name = "ping_pong_tcp",
     .summary = "one row round a loop, each round to the other process: half a round trip",
     SOCKETS("tcp"),
     HOP},
    {.name = "ping_pong_ipc", .summary = "the same over a local socket", SOCKETS("abstract"), HOP},
    {.name = "ping_pong_shared", .summary = "through shared memory, beside tcp", SHARED, HOP},
    {.name = "idle_cluster",
     .summary = "CPU used by each process of a cluster that has nothing to do",
     .unit = "% of a core",
     .less_is_better = true,
     .workers = "2",
     SHARED,
     .options = "--seconds 3",
     .peer_figure = "idle",
     .run = bench_idle},
    {.name = "progress_frames",
     .summary = "frames about progress that a process sends in an epoch of 1000 rows",
     .unit = "an epoch",
     PROGRESS,
     .run = bench_progress_frames},
    {.name = "progress_bytes",
     .summary = "and the bytes in them",
     .unit = "an epoch",
     PROGRESS,
     .run = bench_progress_bytes},
};

const struct bench_suite bench_net = {"net", "two processes beside timely dataflow's and sockets",
                                      figures, sizeof figures / sizeof *figures,
                                      "sockets"};
