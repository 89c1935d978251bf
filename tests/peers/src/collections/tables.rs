//! Pairs of random numbers: arranged, consolidated, counted, joined.

use std::rc::Rc;

use differential_dataflow::input::{Input, InputSession};
use differential_dataflow::operators::CountTotal;
use timely::dataflow::operators::probe::Handle;
use timely::worker::Worker;

use super::{run, Amounts, Collection, Measure, Tally};
use crate::args::Args;
use crate::data::{pair, splitmix64, SEED};
use crate::report::Report;

type Pairs = InputSession<u64, (u64, u64), isize>;

fn advance<D: differential_dataflow::Data>(input: &mut InputSession<u64, D, isize>, epoch: u64) {
    input.advance_to(epoch);
    input.flush();
}

/* ---- arrange ------------------------------------------------------------------------------ */

/// Arranged by the first number. Every 100th row's key is then looked up by a join.
struct Arrange;
const ROWS_A_LOOK_UP: u64 = 100;

impl Collection for Arrange {
    type Input = (Pairs, InputSession<u64, u64, isize>);

    fn build(&self, worker: &mut Worker, tally: Rc<Tally>) -> (Self::Input, Handle<u64>) {
        worker.dataflow(|scope| {
            let (rows_in, rows) = scope.new_collection();
            let (keys_in, keys) = scope.new_collection();
            let (probe, _) = rows
                .arrange_by_key()
                .join_core(keys.arrange_by_self(), |key, value, ()| Some((*key, *value)))
                .inspect(move |&((key, value), time, diff)| tally.add(key, value, time, diff))
                .probe();
            ((rows_in, keys_in), probe)
        })
    }

    fn update(&self, input: &mut Self::Input, row: u64, diff: isize) {
        input.0.update(pair(row), diff);
    }

    fn advance(&self, input: &mut Self::Input, epoch: u64) {
        advance(&mut input.0, epoch);
        advance(&mut input.1, epoch);
    }

    fn check(&self, input: &mut Self::Input, row: u64) {
        if row % ROWS_A_LOOK_UP == 0 {
            input.1.insert(pair(row).0);
        }
    }
}

pub fn arrange(args: &Args) -> Report {
    let amounts = Amounts::new(args, args.number("rows", 20_000_000));
    run(args, Arrange, amounts, Measure::LoadRate)
}

/* ---- consolidate -------------------------------------------------------------------------- */

/// Every 8th row is one that was there already.
struct Consolidate;

impl Collection for Consolidate {
    type Input = Pairs;

    fn build(&self, worker: &mut Worker, tally: Rc<Tally>) -> (Self::Input, Handle<u64>) {
        worker.dataflow(|scope| {
            let (rows_in, rows) = scope.new_collection();
            let (probe, _) = rows
                .consolidate()
                .inspect(move |&((a, b), time, diff): &(_, _, isize)| {
                    // Squares: two changes of 1 that were left apart give another sum than one of 2.
                    tally.add(a, b, time, diff * diff)
                })
                .probe();
            (rows_in, probe)
        })
    }

    fn update(&self, input: &mut Self::Input, row: u64, diff: isize) {
        input.update(pair(if row % 8 == 7 { row / 2 } else { row }), diff);
    }

    fn advance(&self, input: &mut Self::Input, epoch: u64) {
        advance(input, epoch);
    }
}

pub fn consolidate(args: &Args) -> Report {
    let amounts = Amounts::new(args, args.number("rows", 20_000_000));
    run(args, Consolidate, amounts, Measure::LoadRate)
}

/* ---- count -------------------------------------------------------------------------------- */

/// How many rows each key has.
struct Count {
    keys: u64,
}

impl Collection for Count {
    type Input = InputSession<u64, u64, isize>;

    fn build(&self, worker: &mut Worker, tally: Rc<Tally>) -> (Self::Input, Handle<u64>) {
        worker.dataflow(|scope| {
            let (keys_in, keys) = scope.new_collection::<u64, isize>();
            let (probe, _) = keys
                .count_total()
                .inspect(move |&((key, count), time, diff)| {
                    tally.add(key, count as u64, time, diff)
                })
                .probe();
            (keys_in, probe)
        })
    }

    fn update(&self, input: &mut Self::Input, row: u64, diff: isize) {
        input.update(splitmix64(SEED + row) % self.keys, diff);
    }

    fn advance(&self, input: &mut Self::Input, epoch: u64) {
        advance(input, epoch);
    }
}

pub fn count(args: &Args, measure: Measure) -> Report {
    let amounts = Amounts::new(args, args.number("rows", 10_000_000));
    run(args, Count { keys: args.number("keys", 1_000_000) }, amounts, measure)
}

/* ---- join --------------------------------------------------------------------------------- */

/// Even rows are of one side, odd ones of the other; both sides have a key's rows by chance.
struct Join {
    keys: u64,
}

impl Collection for Join {
    type Input = [Pairs; 2];

    fn build(&self, worker: &mut Worker, tally: Rc<Tally>) -> (Self::Input, Handle<u64>) {
        worker.dataflow(|scope| {
            let (a_in, a) = scope.new_collection::<(u64, u64), isize>();
            let (b_in, b) = scope.new_collection::<(u64, u64), isize>();
            let (probe, _) = a
                .join_map(b, |key, a, b| (*key, *a, *b))
                .inspect(move |&((key, a, b), time, diff)| {
                    tally.add(key.wrapping_add(a), b, time, diff)
                })
                .probe();
            ([a_in, b_in], probe)
        })
    }

    fn update(&self, input: &mut Self::Input, row: u64, diff: isize) {
        let (key, value) = pair(row);
        input[(row % 2) as usize].update((key % self.keys, value), diff);
    }

    fn advance(&self, input: &mut Self::Input, epoch: u64) {
        advance(&mut input[0], epoch);
        advance(&mut input[1], epoch);
    }
}

pub fn join(args: &Args, measure: Measure) -> Report {
    let amounts = Amounts::new(args, args.number("rows", 10_000_000));
    run(args, Join { keys: args.number("keys", 5_000_000) }, amounts, measure)
}
