//! `timely-peer FIGURE --workers N [options]` runs one measured figure on timely dataflow, or, of
//! collections, on differential dataflow, and prints one JSON object. tools/weir/bench_*.c does the same work on weir, on the same data,
//! and the two `check` fields must agree. Each figure is defined where it is measured, once
//! here and once there; bench_data.h on the C side states the data both use.

mod args;
mod barrier;
mod bfs;
mod collections;
mod cross;
mod data;
mod event_driven;
mod exchange;
mod idle;
mod lines;
mod report;
mod round;
mod word_count;

use args::Args;
use collections::Measure;

const USAGE: &str = "\
usage: timely-peer FIGURE --workers N [options]
figures: exchange_64k exchange_1k round_1 round_10 round_100 barrier ping_pong
         event_driven event_driven_empty word_count bfs idle
         arrange consolidate count_load count_epochs join_load join_epochs
         reach_load reach_epochs bfs_load bfs_epochs scc
         pagerank_load pagerank_epochs words
         cross cross_both                          (of two processes)
options: --batch ROWS --epochs N --outstanding N   (exchange)
         --by-row                                  (exchange: hand over single rows)
         --rounds N                                (round, barrier, ping_pong, event_driven)
         --operators N                             (round)
         --dataflows N --operators N               (event_driven)
         --spin                                    (barrier, ping_pong: never park)
         --file PATH                               (word_count)
         --nodes N --edges N                       (bfs)
         --seconds N                               (idle)
         --rows N --keys N                         (tables: arrange to join)
         --nodes N --edges N                       (graphs: reach to pagerank)
         --changes N --epochs N                    (of collections, after the load)
         --processes N --process I --hosts HOST:PORT,...   (a process of a cluster)";

fn main() {
    let args = match Args::parse(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(problem) => {
            eprintln!("timely-peer: {problem}\n{USAGE}");
            std::process::exit(2);
        }
    };
    let report = match args.figure.as_str() {
        "exchange_64k" => exchange::run(&args, 65_536, 6_000, 1),
        "exchange_1k" => exchange::run(&args, 1_024, 300_000, 16),
        "round_1" => round::run(&args, 1, 200_000),
        "round_10" => round::run(&args, 10, 200_000),
        "round_100" => round::run(&args, 100, 20_000),
        "barrier" => barrier::barrier(&args),
        "ping_pong" => barrier::ping_pong(&args),
        "event_driven" => event_driven::run(&args, true),
        "event_driven_empty" => event_driven::run(&args, false),
        "word_count" => word_count::run(&args),
        "bfs" => bfs::run(&args),
        "cross" => cross::run(&args, false),
        "cross_both" => cross::run(&args, true),
        "idle" => idle::run(&args),
        "arrange" => collections::arrange(&args),
        "consolidate" => collections::consolidate(&args),
        "count_load" => collections::count(&args, Measure::LoadRate),
        "count_epochs" => collections::count(&args, Measure::Latency),
        "join_load" => collections::join(&args, Measure::LoadRate),
        "join_epochs" => collections::join(&args, Measure::Latency),
        "reach_load" => collections::reach(&args, Measure::LoadSeconds),
        "reach_epochs" => collections::reach(&args, Measure::Latency),
        "bfs_load" => collections::bfs(&args, Measure::LoadSeconds),
        "bfs_epochs" => collections::bfs(&args, Measure::Latency),
        "scc" => collections::scc(&args),
        "pagerank_load" => collections::pagerank(&args, Measure::LoadSeconds),
        "pagerank_epochs" => collections::pagerank(&args, Measure::EpochSeconds),
        "words" => collections::words(&args),
        other => {
            eprintln!("timely-peer: unknown figure '{other}'\n{USAGE}");
            std::process::exit(2);
        }
    };
    report.print(&args);
}
