//! Counts the words of a text file. A word is a maximal run of ASCII letters, in lower case. Each
//! worker reads its share of the file, line by line; words are exchanged by their hash and
//! counted where they arrive. The clock runs from before the file is opened until every count is
//! final. MB/s, where 1 MB is 10^6 bytes.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Barrier;
use std::time::Instant;

use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::operator::Operator;
use timely::dataflow::operators::vec::Map;
use timely::dataflow::operators::{Input, Probe};
use timely::dataflow::InputHandle;

use crate::args::Args;
use crate::data::{check_fold, fnv1a};
use crate::lines::{file_of, words_of, Lines};
use crate::report::Report;

/// How much a worker reads before it lets the dataflow run, and how far the reader may be ahead.
const EPOCH_LINES: usize = 512;
const EPOCHS_AHEAD: u64 = 2;

struct Totals {
    seconds: f64,
    tokens: u64,
    distinct: u64,
    sum: u64,
}

pub fn run(args: &Args) -> Report {
    let (path, bytes) = file_of(args);
    let start = Barrier::new(args.workers);

    let guards = timely::execute(args.config(), move |worker| {
        let counts = Rc::new(RefCell::new(HashMap::<String, u64>::new()));
        let tally = Rc::clone(&counts);
        let mut input = InputHandle::new();
        let probe = worker.dataflow::<u64, _, _>(|scope| {
            scope
                .input_from(&mut input)
                .container::<Vec<String>>()
                .flat_map(words_of)
                .container::<Vec<String>>()
                .unary::<CapacityContainerBuilder<Vec<u64>>, _, _, _>(
                    Exchange::new(|word: &String| fnv1a(word.as_bytes())),
                    "Count",
                    |_, _| {
                        move |input, _output| {
                            let mut counts = tally.borrow_mut();
                            input.for_each(|_, words| {
                                for word in words.drain(..) {
                                    *counts.entry(word).or_insert(0) += 1;
                                }
                            })
                        }
                    },
                )
                .probe()
                .0
        });

        start.wait();
        let clock = Instant::now();
        let mut lines = Lines::open(&path, bytes, worker.index(), worker.peers());
        let mut epoch = 0u64;
        while !lines.is_done() {
            lines.by_ref().take(EPOCH_LINES).for_each(|line| input.send(line));
            epoch += 1;
            input.advance_to(epoch);
            while probe.less_than(&epoch.saturating_sub(EPOCHS_AHEAD)) {
                worker.step();
            }
        }
        input.close();
        while !probe.done() {
            worker.step();
        }

        let counts = counts.borrow();
        let sum = |a: u64, (word, &count): (&String, &u64)| {
            a.wrapping_add(fnv1a(word.as_bytes()).wrapping_mul(count))
        };
        Totals {
            seconds: clock.elapsed().as_secs_f64(),
            tokens: counts.values().sum(),
            distinct: counts.len() as u64,
            sum: counts.iter().fold(0, sum),
        }
    })
    .expect("timely starts");

    let mut total = Totals { seconds: 0.0, tokens: 0, distinct: 0, sum: 0 };
    for outcome in guards.join() {
        let part = outcome.expect("worker finishes");
        total.seconds = total.seconds.max(part.seconds);
        total.tokens += part.tokens;
        total.distinct += part.distinct;
        total.sum = total.sum.wrapping_add(part.sum);
    }
    let check = check_fold(&[total.tokens, total.distinct, total.sum]);
    Report::new("MB/s", bytes as f64 / 1e6 / total.seconds, check)
}
