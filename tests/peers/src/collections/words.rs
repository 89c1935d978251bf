//! Counts the words of a text file as a collection: read, split and checked as in word_count.rs,
//! all lines in one epoch.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Barrier;
use std::time::Instant;

use differential_dataflow::input::Input;
use differential_dataflow::operators::CountTotal;

use crate::args::Args;
use crate::data::{check_fold, fnv1a};
use crate::lines::{file_of, words_of, Lines};
use crate::report::Report;

const LINES_A_STEP: usize = 512;

pub fn words(args: &Args) -> Report {
    let (path, bytes) = file_of(args);
    let start = Barrier::new(args.workers);
    let guards = timely::execute(args.config(), move |worker| {
        // Tokens, distinct words, and a sum over all tokens.
        let totals = Rc::new(Cell::new([0u64; 3]));
        let tally = Rc::clone(&totals);
        let (mut input, probe) = worker.dataflow::<u64, _, _>(|scope| {
            let (lines_in, lines) = scope.new_collection::<String, isize>();
            let (probe, _) = lines
                .flat_map(words_of)
                .count_total()
                .inspect(move |((word, count), _, diff)| {
                    let (diff, count) = (*diff as u64, (*count * *diff) as u64);
                    let sum = fnv1a(word.as_bytes()).wrapping_mul(count);
                    tally.set(add(tally.get(), [count, diff, sum]));
                })
                .probe();
            (lines_in, probe)
        });

        start.wait();
        let clock = Instant::now();
        let mut lines = Lines::open(&path, bytes, worker.index(), worker.peers());
        while !lines.is_done() {
            lines.by_ref().take(LINES_A_STEP).for_each(|line| input.insert(line));
            input.flush();
            worker.step();
        }
        drop(input);
        worker.step_while(|| !probe.done());
        (clock.elapsed().as_secs_f64(), totals.get())
    })
    .expect("timely starts");

    let parts: Vec<_> =
        guards.join().into_iter().map(|part| part.expect("worker finishes")).collect();
    let slowest = parts.iter().map(|part| part.0).fold(0f64, f64::max);
    let totals = parts.iter().map(|part| part.1).fold([0; 3], add);
    Report::new("MB/s", bytes as f64 / 1e6 / slowest, check_fold(&totals))
}

fn add(a: [u64; 3], b: [u64; 3]) -> [u64; 3] {
    std::array::from_fn(|i| a[i].wrapping_add(b[i]))
}
