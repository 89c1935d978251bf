//! Rows a second through an exchange by value. Per epoch each worker sends one batch, copied
//! from one of a few buffers made before the clock starts; after it has sent epoch e it steps
//! until epoch e - outstanding is complete. Whoever receives a row adds it to a sum. `--by-row`
//! hands timely one row at a time instead of the batch.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Barrier;
use std::time::Instant;

use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::operator::Operator;
use timely::dataflow::operators::{Input, Probe};
use timely::dataflow::InputHandle;

use crate::args::Args;
use crate::data::{check_part, splitmix64, SEED};
use crate::report::Report;

const BUFFERS: usize = 4;

pub fn run(args: &Args, batch: u64, epochs: u64, outstanding: u64) -> Report {
    let batch = args.number("batch", batch) as usize;
    let epochs = args.number("epochs", epochs);
    let outstanding = args.number("outstanding", outstanding);
    let by_row = args.flag("by-row");
    let start = Barrier::new(args.workers);

    let guards = timely::execute(args.config(), move |worker| {
        let index = worker.index();
        let buffers = source_buffers(index, batch);
        let sum = Rc::new(Cell::new((0u64, 0u64)));
        let sink = Rc::clone(&sum);

        let mut input = InputHandle::new();
        let probe = worker.dataflow::<u64, _, _>(|scope| {
            let (probe, _) = scope
                .input_from(&mut input)
                .container::<Vec<u64>>()
                .unary::<CapacityContainerBuilder<Vec<u64>>, _, _, _>(
                    Exchange::new(|x: &u64| *x),
                    "Sum",
                    |_, _| {
                        move |input, _output| {
                            input.for_each(|_, rows| {
                                let (sum, count) = sink.get();
                                let more = rows.iter().fold(0u64, |a, &x| a.wrapping_add(x));
                                sink.set((sum.wrapping_add(more), count + rows.len() as u64));
                            })
                        }
                    },
                )
                .probe();
            probe
        });

        start.wait();
        let clock = Instant::now();
        let mut rows = Vec::with_capacity(batch);
        for epoch in 0..epochs {
            let buffer = &buffers[epoch as usize % BUFFERS];
            if by_row {
                buffer.iter().for_each(|&row| input.send(row));
            } else {
                rows.clear();
                rows.extend_from_slice(buffer);
                input.send_batch(&mut rows);
            }
            input.advance_to(epoch + 1);
            let complete = (epoch + 1).saturating_sub(outstanding);
            while probe.less_than(&complete) {
                worker.step();
            }
        }
        input.close();
        while !probe.done() {
            worker.step();
        }
        let (sum, count) = sum.get();
        (clock.elapsed().as_secs_f64(), check_part(index, sum, count))
    })
    .expect("timely starts");

    let mut slowest = 0f64;
    let mut check = 0u64;
    let workers = args.workers as u64;
    for outcome in guards.join() {
        let (seconds, part) = outcome.expect("worker finishes");
        slowest = slowest.max(seconds);
        check = check.wrapping_add(part);
    }
    let rows = batch as u64 * epochs * workers;
    Report::new("rows/s", rows as f64 / slowest, check)
}

fn source_buffers(worker: usize, batch: usize) -> Vec<Vec<u64>> {
    (0..BUFFERS)
        .map(|buffer| {
            let first = ((worker * BUFFERS + buffer) * batch) as u64;
            (0..batch as u64).map(|i| splitmix64(SEED + first + i)).collect()
        })
        .collect()
}
