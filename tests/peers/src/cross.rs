//! Rows of 16 bytes from process to process; tools/weir/bench_n_cross.c says more. A maker sends
//! one batch an epoch and steps until at most `--outstanding` epochs are incomplete, since timely
//! does not slow senders down. The figure is what crosses, in GB/s of rows.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::operator::Operator;
use timely::dataflow::operators::{Input, Probe};
use timely::dataflow::InputHandle;

use crate::args::Args;
use crate::data::{check_part, GOLDEN};
use crate::report::Report;

const ROW_BYTES: f64 = 16.0;

type Row = (u64, u64);

/// Row n of a maker goes to worker first + (n modulo spread), its key modulo all workers.
#[derive(Clone, Copy)]
struct Layout {
    makers: u64,
    workers: u64,
    first: u64,
    spread: u64,
}

impl Layout {
    fn row(&self, maker: u64, n: u64) -> Row {
        let target = self.first + (n & (self.spread - 1));
        let key = (n * self.workers + maker) * self.workers + target;
        (key, key.wrapping_add(GOLDEN))
    }
}

pub fn run(args: &Args, both: bool) -> Report {
    let batch = args.number("batch", 65_536);
    let epochs = args.number("epochs", 2_000);
    let outstanding = args.number("outstanding", 16);
    let own = args.workers as u64;
    let all = own * args.processes as u64;
    let layout = Layout {
        makers: if both { all } else { own },
        workers: all,
        first: if both { 0 } else { own },
        spread: 1 << (if both { all } else { own }).ilog2(),
    };

    let guards = timely::execute(args.config(), move |worker| {
        let index = worker.index();
        let clock = Instant::now();
        let sum = Rc::new(Cell::new((0u64, 0u64)));
        let sink = Rc::clone(&sum);
        let mut input = InputHandle::new();
        let probe = worker.dataflow::<u64, _, _>(|scope| {
            let (probe, _) = scope
                .input_from(&mut input)
                .container::<Vec<Row>>()
                .unary::<CapacityContainerBuilder<Vec<Row>>, _, _, _>(
                    Exchange::new(|row: &Row| row.0),
                    "Sum",
                    |_, _| {
                        move |input, _output| {
                            input.for_each(|_, rows| {
                                let (sum, count) = sink.get();
                                let more = rows.iter().fold(0u64, |sum, row| {
                                    sum.wrapping_add(row.0).wrapping_add(row.1.wrapping_mul(2))
                                });
                                sink.set((sum.wrapping_add(more), count + rows.len() as u64));
                            })
                        }
                    },
                )
                .probe();
            probe
        });

        let mut rows = Vec::with_capacity(batch as usize);
        for epoch in 0..if (index as u64) < layout.makers { epochs } else { 0 } {
            rows.clear();
            let first = epoch * batch;
            rows.extend((first..first + batch).map(|n| layout.row(index as u64, n)));
            input.send_batch(&mut rows);
            input.advance_to(epoch + 1);
            let complete = (epoch + 1).saturating_sub(outstanding);
            while probe.less_than(&complete) {
                worker.step();
            }
        }
        input.close();
        while !probe.done() {
            worker.step_or_park(None);
        }
        let (sum, count) = sum.get();
        (clock.elapsed().as_secs_f64(), check_part(index, sum, count))
    })
    .expect("timely starts");

    let (mut slowest, mut check) = (0f64, 0u64);
    for outcome in guards.join() {
        let (seconds, part) = outcome.expect("worker finishes");
        slowest = slowest.max(seconds);
        check = check.wrapping_add(part);
    }
    let rows = (batch * epochs * layout.makers) as f64 / if both { 2.0 } else { 1.0 };
    Report::new("GB/s", rows * ROW_BYTES / slowest / 1e9, check)
}
