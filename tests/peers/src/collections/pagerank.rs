//! PageRank in whole numbers: a node's rank is how many of the walkers that start at all nodes
//! are on it. In each round five of six walkers go on, equally many along each edge, and new
//! ones come to each node; what does not divide is lost. A rank is the diff of its node.

use std::rc::Rc;

use differential_dataflow::input::{Input, InputSession};
use differential_dataflow::operators::iterate::Variable;
use differential_dataflow::{AsCollection, VecCollection};
use timely::dataflow::operators::probe::Handle;
use timely::dataflow::operators::vec::Filter;
use timely::order::Product;
use timely::worker::Worker;

use super::{run, Amounts, Collection, Measure, Tally};
use crate::args::Args;
use crate::data::edge;
use crate::report::Report;

const WALKERS_AT_FIRST: isize = 6_000_000;
const WALKERS_NEW: isize = 1_000_000;

struct PageRank {
    nodes: u64,
    rounds: u64,
}

type Edge = (u32, u32);

fn ranks<'scope>(
    edges: VecCollection<'scope, u64, Edge, isize>,
    rounds: u64,
) -> VecCollection<'scope, u64, u32, isize> {
    let nodes = edges.clone().flat_map(|(src, dst)| [src, dst]).distinct();
    let degrees = edges.clone().map(|(src, _)| src).count();
    let outer = edges.scope();
    outer.iterative::<u64, _, _>(|inner| {
        let nodes = nodes.enter(inner);
        let first = nodes.clone().explode(|node| Some((node, WALKERS_AT_FIRST)));
        let new = nodes.explode(|node| Some((node, WALKERS_NEW)));
        let (variable, ranks) = Variable::new_from(first, Product::new(0, 1));
        let leaving = degrees
            .enter(inner)
            .semijoin(ranks)
            .threshold(|&(_, degree), rank| 5 * rank / (6 * degree))
            .map(|(node, _)| node);
        let arrived = edges
            .enter(inner)
            .semijoin(leaving)
            .map(|(_, dst)| dst)
            .concat(new)
            .consolidate()
            .inner
            .filter(move |(_, time, _)| time.inner < rounds)
            .as_collection();
        variable.set(arrived.clone());
        arrived.leave(outer)
    })
}

impl Collection for PageRank {
    type Input = InputSession<u64, Edge, isize>;

    fn build(&self, worker: &mut Worker, tally: Rc<Tally>) -> (Self::Input, Handle<u64>) {
        worker.dataflow(|scope| {
            let (edges_in, edges) = scope.new_collection();
            let (probe, _) = ranks(edges, self.rounds)
                .inspect(move |&(node, time, diff)| tally.add(node.into(), 0, time, diff))
                .probe();
            (edges_in, probe)
        })
    }

    fn update(&self, input: &mut Self::Input, row: u64, diff: isize) {
        input.update(edge(row, self.nodes), diff);
    }

    fn advance(&self, input: &mut Self::Input, epoch: u64) {
        input.advance_to(epoch);
        input.flush();
    }
}

pub fn pagerank(args: &Args, measure: Measure) -> Report {
    let amounts = Amounts::new(args, args.number("edges", 1_000_000));
    let it = PageRank { nodes: args.number("nodes", 100_000), rounds: args.number("rounds", 20) };
    run(args, it, amounts, measure)
}
