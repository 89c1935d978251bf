//! Many small dataflows of which one is busy at a time: round r advances the input of dataflow
//! r mod N, after sending one record unless told not to, and steps until that dataflow's probe
//! has seen it. Every worker does the same; a figure of rounds counts each round once.
//!
//! Both forms have the shape in which timely is faster: without records the operators of a
//! dataflow share a region, which a round then passes by (three times the flat graph); with
//! records the graph is flat.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Barrier;
use std::time::Instant;

use timely::dataflow::operators::vec::Map;
use timely::dataflow::operators::{Enter, Input, Leave, Probe};
use timely::dataflow::StreamVec;

use crate::args::Args;
use crate::data::check_part;
use crate::report::Report;

pub fn run(args: &Args, record: bool) -> Report {
    let rounds = args.number("rounds", if record { 200_000 } else { 400_000 });
    let dataflows = args.number("dataflows", 10);
    let operators = args.number("operators", 10);
    let start = Barrier::new(args.workers);

    let guards = timely::execute(args.config(), move |worker| {
        let sum = Rc::new(Cell::new((0u64, 0u64)));
        let mut inputs = Vec::new();
        let mut probes = Vec::new();
        for _ in 0..dataflows {
            let sink = Rc::clone(&sum);
            let (input, probe) = worker.dataflow::<u64, _, _>(|scope| {
                let (input, stream) = scope.new_input::<Vec<u64>>();
                let last = if record {
                    maps(stream, operators, sink)
                } else {
                    scope.region(|inner| maps(stream.enter(inner), operators, sink).leave(scope))
                };
                (input, last.probe().0)
            });
            inputs.push(input);
            probes.push(probe);
        }

        start.wait();
        let clock = Instant::now();
        for round in 0..rounds {
            let at = (round % dataflows) as usize;
            if record {
                inputs[at].send(round);
            }
            inputs[at].advance_to(round + 1);
            while probes[at].less_than(&(round + 1)) {
                worker.step();
            }
        }
        let (sum, count) = sum.get();
        (clock.elapsed().as_secs_f64(), check_part(worker.index(), sum, count))
    })
    .expect("timely starts");

    let mut slowest = 0f64;
    let mut check = 0u64;
    for outcome in guards.join() {
        let (seconds, part) = outcome.expect("worker finishes");
        slowest = slowest.max(seconds);
        check = check.wrapping_add(part);
    }
    Report::new("rounds/s", rounds as f64 / slowest, check)
}

/// A chain of maps that each add one; the last also counts and sums what reaches it.
fn maps<'scope>(
    mut stream: StreamVec<'scope, u64, u64>,
    operators: u64,
    sink: Rc<Cell<(u64, u64)>>,
) -> StreamVec<'scope, u64, u64> {
    for _ in 1..operators {
        stream = stream.map(|x| x + 1);
    }
    stream.map(move |x| {
        let (sum, count) = sink.get();
        sink.set((sum.wrapping_add(x), count + 1));
        x + 1
    })
}
