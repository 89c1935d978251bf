//! CPU that the workers of a live dataflow use while there is nothing to do: they do a little
//! work, then wait on an input that stays open. Percent of one core, all threads together.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{mpsc, Arc};
use std::time::{Duration, Instant};

use timely::dataflow::operators::vec::Map;
use timely::dataflow::operators::{Exchange, Input, Probe};

use crate::args::Args;
use crate::report::Report;

const ROUNDS: u64 = 1_000;

pub fn run(args: &Args) -> Report {
    let seconds = args.number("seconds", 2);
    let workers = args.workers;
    let (ready, done) = mpsc::channel();
    let ready = std::sync::Mutex::new(ready);
    let over = Arc::new(AtomicBool::new(false));
    let end = Arc::clone(&over);

    let guards = timely::execute(args.config(), move |worker| {
        let (mut input, probe) = worker.dataflow::<u64, _, _>(|scope| {
            let (input, stream) = scope.new_input::<Vec<u64>>();
            (input, stream.exchange(|x| *x).map(|x| x + 1).probe().0)
        });
        for round in 0..ROUNDS {
            input.send(round);
            input.advance_to(round + 1);
            while probe.less_than(&(round + 1)) {
                worker.step();
            }
        }
        ready.lock().expect("not poisoned").send(std::thread::current()).expect("main listens");
        // As timely's own loop waits for a dataflow that is not complete.
        while !over.load(Ordering::Acquire) {
            worker.step_or_park(None);
        }
    })
    .expect("timely starts");

    let threads: Vec<_> =
        (0..workers).map(|_| done.recv().expect("every worker gets ready")).collect();
    std::thread::sleep(Duration::from_millis(100));
    let clock = Instant::now();
    let before = cpu_ns();
    std::thread::sleep(Duration::from_secs(seconds));
    let percent = (cpu_ns() - before) as f64 / clock.elapsed().as_nanos() as f64 * 100.0;
    end.store(true, Ordering::Release);
    threads.iter().for_each(|thread| thread.unpark());
    guards.join().into_iter().for_each(|outcome| outcome.expect("worker finishes"));
    Report::new("% of a core", percent, workers as u64 * ROUNDS)
}

/// Nanoseconds that the threads of this process have run.
fn cpu_ns() -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").expect("proc is mounted");
    tasks
        .flatten()
        .filter_map(|task| std::fs::read_to_string(task.path().join("schedstat")).ok())
        .filter_map(|text| text.split_whitespace().next()?.parse::<u64>().ok())
        .sum()
}
