//! Breadth-first search over a random directed graph, by a loop with one notification a round.
//! Each worker makes its share of the edges; they are exchanged by source and grouped when the
//! last has come; then nodes go round the loop, exchanged by node, one level a round. The clock
//! runs from before the first edge is made until the loop has drained. The check is how many
//! nodes are reached and the sum of their levels.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Barrier;
use std::time::Instant;

use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::operator::Operator;
use timely::dataflow::operators::vec::ToStream;
use timely::dataflow::operators::{Concat, ConnectLoop, Feedback};

use crate::args::Args;
use crate::data::{check_fold, edge};
use crate::report::Report;

const ROOT: u32 = 0;
const UNREACHED: u32 = u32::MAX;

pub fn run(args: &Args) -> Report {
    let nodes = args.number("nodes", 1_000_000);
    let edges = args.number("edges", 10_000_000);
    let start = Barrier::new(args.workers);

    let guards = timely::execute(args.config(), move |worker| {
        let index = worker.index() as u64;
        let peers = worker.peers() as u64;
        let reached = Rc::new(Cell::new((0u64, 0u64)));
        let tally = Rc::clone(&reached);

        start.wait();
        let clock = Instant::now();
        worker.dataflow::<u64, _, _>(move |scope| {
            let graph = (edges * index / peers..edges * (index + 1) / peers)
                .map(move |i| edge(i, nodes))
                .to_stream(scope);
            let root = (index == 0).then_some(ROOT).to_stream(scope);
            let (handle, cycle) = scope.feedback(1);

            let mut arrived: Vec<Vec<(u32, u32)>> = Vec::new();
            let mut waiting: HashMap<u64, Vec<Vec<u32>>> = HashMap::new();
            let mut local = Graph::default();
            let mut levels = vec![UNREACHED; (nodes / peers + 1) as usize];

            graph
                .binary_notify::<_, CapacityContainerBuilder<Vec<u32>>, _, _, _>(
                    root.concat(cycle),
                    Exchange::new(|edge: &(u32, u32)| u64::from(edge.0)),
                    Exchange::new(|node: &u32| u64::from(*node)),
                    "Bfs",
                    vec![0],
                    move |edges, front, output, notify| {
                        edges.for_each(|_, batch| arrived.push(std::mem::take(batch)));
                        front.for_each(|time, batch| {
                            let at = *time.time();
                            waiting
                                .entry(at)
                                .or_insert_with(|| {
                                    notify.notify_at(time.retain(output.output_index()));
                                    Vec::new()
                                })
                                .push(std::mem::take(batch));
                        });
                        notify.for_each(|time, _, _| {
                            let level = *time.time();
                            if level == 0 {
                                local =
                                    Graph::group(std::mem::take(&mut arrived), levels.len(), peers);
                            }
                            let (mut count, mut sum) = tally.get();
                            let mut session = output.session(&time);
                            for node in waiting.remove(&level).into_iter().flatten().flatten() {
                                let at = (u64::from(node) / peers) as usize;
                                if levels[at] == UNREACHED {
                                    levels[at] = level as u32;
                                    count += 1;
                                    sum += level;
                                    for &target in local.targets_of(at) {
                                        session.give(target);
                                    }
                                }
                            }
                            tally.set((count, sum));
                        });
                    },
                )
                .connect_loop(handle);
        });
        while worker.step() {}
        let (count, sum) = reached.get();
        (clock.elapsed().as_secs_f64(), count, sum)
    })
    .expect("timely starts");

    let (mut slowest, mut reached, mut levels) = (0f64, 0, 0);
    for outcome in guards.join() {
        let (seconds, count, sum) = outcome.expect("worker finishes");
        slowest = slowest.max(seconds);
        reached += count;
        levels += sum;
    }
    Report::new("s", slowest, check_fold(&[reached, levels]))
}

/// The edges of this worker's nodes, grouped by source: node n is row n / peers.
#[derive(Default)]
struct Graph {
    offsets: Vec<u32>,
    targets: Vec<u32>,
}

impl Graph {
    fn group(batches: Vec<Vec<(u32, u32)>>, rows: usize, peers: u64) -> Graph {
        let row = |node: u32| (u64::from(node) / peers) as usize;
        let mut offsets = vec![0u32; rows + 1];
        for &(src, _) in batches.iter().flatten() {
            offsets[row(src) + 1] += 1;
        }
        for at in 0..rows {
            offsets[at + 1] += offsets[at];
        }
        let mut next = offsets.clone();
        let mut targets = vec![0u32; offsets[rows] as usize];
        for (src, dst) in batches.into_iter().flatten() {
            let slot = &mut next[row(src)];
            targets[*slot as usize] = dst;
            *slot += 1;
        }
        Graph { offsets, targets }
    }

    fn targets_of(&self, row: usize) -> &[u32] {
        &self.targets[self.offsets[row] as usize..self.offsets[row + 1] as usize]
    }
}
