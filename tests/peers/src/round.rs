//! Latency of a round without data: advance the input by one epoch, step until the probe behind
//! N map operators has seen it. Every worker does the same; worker 0 reports. One clock read a
//! round, so a round is all the time from one completion to the next.

use std::time::Instant;

use timely::dataflow::operators::vec::Map;
use timely::dataflow::operators::{Input, Probe};
use timely::dataflow::InputHandle;

use crate::args::Args;
use crate::report::Report;

const WARM_UP: u64 = 2_000;

pub fn run(args: &Args, operators: u64, rounds: u64) -> Report {
    let operators = args.number("operators", operators);
    let rounds = args.number("rounds", rounds);

    let guards = timely::execute(args.config(), move |worker| {
        let mut input = InputHandle::new();
        let probe = worker.dataflow::<u64, _, _>(|scope| {
            let mut stream = scope.input_from(&mut input).container::<Vec<u64>>();
            for _ in 0..operators {
                stream = stream.map(|x| x + 1);
            }
            stream.probe().0
        });

        let mut samples = vec![0u32; rounds as usize];
        let mut last = Instant::now();
        for round in 0..WARM_UP + rounds {
            input.advance_to(round + 1);
            while probe.less_than(&(round + 1)) {
                worker.step();
            }
            let now = Instant::now();
            if round >= WARM_UP {
                let ns = now.duration_since(last).as_nanos();
                samples[(round - WARM_UP) as usize] = ns.min(u128::from(u32::MAX)) as u32;
            }
            last = now;
        }
        samples
    })
    .expect("timely starts");

    let mut outcomes = guards.join().into_iter();
    let samples = outcomes.next().expect("one worker at least").expect("worker finishes");
    let rest: u64 = outcomes.map(|outcome| outcome.expect("worker finishes").len() as u64).sum();
    let check = samples.len() as u64 + rest;
    Report::latencies(samples, check)
}
