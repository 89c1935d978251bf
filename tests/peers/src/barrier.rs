//! Two cycles that do nothing but go round, driven as timely drives them by itself: the worker
//! parks when it has nothing to do. `--spin` steps without parking instead.
//!
//! barrier: an operator asks to be notified of time t + 1 when it is notified of t, so a round
//! takes all workers. ping_pong: one number goes round, one larger each time and exchanged by its
//! value, so with two workers each round crosses from one to the other.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Barrier;
use std::time::Instant;

use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::generic::operator::Operator;
use timely::dataflow::operators::vec::ToStream;
use timely::dataflow::operators::{Concat, ConnectLoop, Feedback};
use timely::worker::Worker;

use crate::args::Args;
use crate::report::Report;

pub fn barrier(args: &Args) -> Report {
    let rounds = args.number("rounds", 100_000);
    measure(args, rounds, move |worker, count| {
        worker.dataflow::<u64, _, _>(move |scope| {
            let (handle, stream) = scope.feedback::<Vec<u64>>(1);
            stream
                .unary_notify::<CapacityContainerBuilder<_>, _, _>(
                    Pipeline,
                    "Barrier",
                    vec![0],
                    move |_, _, notificator| {
                        while let Some((capability, _)) = notificator.next() {
                            count.set(count.get() + 1);
                            let time = *capability.time() + 1;
                            if time < rounds {
                                notificator.notify_at(capability.delayed(&time));
                            }
                        }
                    },
                )
                .connect_loop(handle);
        });
    })
}

pub fn ping_pong(args: &Args) -> Report {
    let rounds = args.number("rounds", 100_000);
    measure(args, rounds, move |worker, count| {
        let first = if worker.index() == 0 { vec![0u64] } else { vec![] };
        worker.dataflow::<u64, _, _>(move |scope| {
            let (handle, cycle) = scope.feedback(1);
            first
                .to_stream(scope)
                .concat(cycle)
                .unary::<CapacityContainerBuilder<Vec<u64>>, _, _, _>(
                    Exchange::new(|x: &u64| *x),
                    "Return",
                    |_, _| {
                        move |input, output| {
                            input.for_each(|time, rows| {
                                count.set(count.get() + rows.len() as u64);
                                if *time.time() + 1 < rounds {
                                    output.session(&time).give_iterator(rows.iter().map(|x| x + 1));
                                }
                            })
                        }
                    },
                )
                .connect_loop(handle);
        });
    })
}

/// Builds on every worker, runs until the cycle has ended, and gives the time of a round. The
/// check is how often a worker saw a round, over all workers.
fn measure<F>(args: &Args, rounds: u64, build: F) -> Report
where
    F: Fn(&mut Worker, Rc<Cell<u64>>) + Send + Sync + 'static,
{
    let start = Barrier::new(args.workers);
    let spin = args.flag("spin");
    let guards = timely::execute(args.config(), move |worker| {
        let count = Rc::new(Cell::new(0u64));
        start.wait();
        let clock = Instant::now();
        build(worker, Rc::clone(&count));
        let mut more = true;
        while more {
            more = if spin { worker.step() } else { worker.step_or_park(None) };
        }
        (clock.elapsed().as_secs_f64(), count.get())
    })
    .expect("timely starts");

    let mut slowest = 0f64;
    let mut check = 0;
    for outcome in guards.join() {
        let (seconds, count) = outcome.expect("worker finishes");
        slowest = slowest.max(seconds);
        check += count;
    }
    Report::new("ns", slowest * 1e9 / rounds as f64, check)
}
