//! Figures of collections, on differential dataflow. Each is a graph and rows numbered from 0:
//! rows [0, rows) are the load; change n after it is the insertion of row rows + n / 2 if n is
//! even, the removal of row n / 2 otherwise, so the collection keeps its size. Row r is given by
//! worker r modulo workers. tools/weir/bench_collection.c drives weir in the same way.

mod graphs;
mod pagerank;
mod tables;
mod words;

pub use graphs::{bfs, reach, scc};
pub use pagerank::pagerank;
pub use tables::{arrange, consolidate, count, join};
pub use words::words;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Barrier;
use std::time::Instant;

use timely::dataflow::operators::probe::Handle;
use timely::worker::Worker;

use crate::args::Args;
use crate::data::{change_hash, check_fold};
use crate::report::Report;

/// Rows that a worker gives before it lets the dataflow run for a step.
const ROWS_A_STEP: u64 = 1 << 16;

/// What a run reports.
#[derive(Clone, Copy, PartialEq)]
pub enum Measure {
    /// Rows a second while loading.
    LoadRate,
    LoadSeconds,
    /// Latencies of the epochs after it.
    Latency,
    /// Seconds that such an epoch takes on average.
    EpochSeconds,
    /// Seconds of all of it.
    AllSeconds,
}

#[derive(Clone, Copy)]
pub struct Amounts {
    pub rows: u64,
    pub changes: u64,
    pub epochs: u64,
}

impl Amounts {
    pub fn new(args: &Args, rows: u64) -> Amounts {
        Amounts { rows, changes: args.number("changes", 1), epochs: args.number("epochs", 0) }
    }
}

/// Sums up a worker's part of a collection, over all its changes. Every epoch counts, not just
/// what is there in the end: a change's hash depends on its time.
#[derive(Default)]
pub struct Tally {
    rows: Cell<u64>,
    sum: Cell<u64>,
}

impl Tally {
    #[inline]
    pub fn add(&self, a: u64, b: u64, time: u64, diff: isize) {
        let hash = change_hash(a, b, time);
        self.rows.set(self.rows.get().wrapping_add(diff as u64));
        self.sum.set(self.sum.get().wrapping_add(hash.wrapping_mul(diff as u64)));
    }
}

/// One figure: its graph, and how its rows get in.
pub trait Collection: Send + Sync + 'static {
    type Input;
    fn build(&self, worker: &mut Worker, tally: Rc<Tally>) -> (Self::Input, Handle<u64>);
    fn update(&self, input: &mut Self::Input, row: u64, diff: isize);
    fn advance(&self, input: &mut Self::Input, epoch: u64);
    /// More rows when the clock has stopped, to check what was built.
    fn check(&self, _input: &mut Self::Input, _row: u64) {}
}

pub fn run<C: Collection>(args: &Args, it: C, amounts: Amounts, measure: Measure) -> Report {
    let start = Barrier::new(args.workers);
    let guards = timely::execute(args.config(), move |worker| drive(worker, &it, amounts, &start))
        .expect("timely starts");
    let parts: Vec<Part> =
        guards.join().into_iter().map(|part| part.expect("worker finishes")).collect();

    let slowest = |of: fn(&Part) -> f64| parts.iter().map(of).fold(0f64, f64::max);
    let total = |of: usize| parts.iter().fold(0u64, |sum, part| sum.wrapping_add(part.totals[of]));
    let check = check_fold(&[total(0), total(1)]);
    let load_s = slowest(|part| part.load_s);
    let all_s = slowest(|part| part.all_s);
    match measure {
        Measure::LoadRate => Report::new("rows/s", amounts.rows as f64 / load_s, check),
        Measure::LoadSeconds => Report::new("s", load_s, check),
        Measure::AllSeconds => Report::new("s", all_s, check),
        Measure::EpochSeconds => {
            Report::new("s", (all_s - load_s) / amounts.epochs.max(1) as f64, check)
        }
        Measure::Latency => {
            let samples = parts.into_iter().next().expect("one worker at least").samples_ns;
            Report::latencies(samples, check)
        }
    }
}

/// What a worker found.
struct Part {
    load_s: f64,
    all_s: f64,
    samples_ns: Vec<u32>,
    totals: [u64; 2],
}

fn drive<C: Collection>(worker: &mut Worker, it: &C, amounts: Amounts, start: &Barrier) -> Part {
    let tally = Rc::new(Tally::default());
    let (mut input, probe) = it.build(worker, Rc::clone(&tally));
    let (index, peers) = (worker.index() as u64, worker.peers() as u64);
    let own = |row: u64| row % peers == index;
    let mut samples_ns = Vec::with_capacity(amounts.epochs as usize);

    start.wait();
    let clock = Instant::now();
    let mut until_step = ROWS_A_STEP;
    let mut row = index;
    while row < amounts.rows {
        it.update(&mut input, row, 1);
        row += peers;
        until_step -= 1;
        if until_step == 0 {
            worker.step();
            until_step = ROWS_A_STEP;
        }
    }
    it.advance(&mut input, 1);
    worker.step_while(|| probe.less_than(&1));
    let load_s = clock.elapsed().as_secs_f64();

    let mut last = Instant::now();
    for epoch in 0..amounts.epochs {
        for change in epoch * amounts.changes..(epoch + 1) * amounts.changes {
            let (row, diff) = match change % 2 {
                0 => (amounts.rows + change / 2, 1),
                _ => (change / 2, -1),
            };
            if own(row) {
                it.update(&mut input, row, diff);
            }
        }
        it.advance(&mut input, epoch + 2);
        worker.step_while(|| probe.less_than(&(epoch + 2)));
        let now = Instant::now();
        let ns = now.duration_since(last).as_nanos();
        samples_ns.push(ns.min(u128::from(u32::MAX)) as u32);
        last = now;
    }
    let all_s = clock.elapsed().as_secs_f64();

    for row in (0..amounts.rows).filter(|&row| own(row)) {
        it.check(&mut input, row);
    }
    drop(input);
    worker.step_while(|| !probe.done());
    Part { load_s, all_s, samples_ns, totals: [tally.rows.get(), tally.sum.get()] }
}
