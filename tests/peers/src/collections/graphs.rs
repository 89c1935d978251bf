//! Random directed graphs: what is reachable, how far it is, what is strongly connected. Two
//! changes swap an edge for another.

use std::rc::Rc;

use differential_dataflow::algorithms::graphs::scc::strongly_connected;
use differential_dataflow::input::{Input, InputSession};
use differential_dataflow::operators::Iterate;
use timely::dataflow::operators::probe::Handle;
use timely::worker::Worker;

use super::{run, Amounts, Collection, Measure, Tally};
use crate::args::Args;
use crate::data::edge;
use crate::report::Report;

/// Leads to most nodes, also in a graph of a hundredth of the size.
const ROOT: u32 = 1;

#[derive(Clone, Copy)]
enum Question {
    /// The nodes that the root leads to.
    Reach,
    /// And in how many steps.
    Bfs,
    /// The edges within a strongly connected component.
    Scc,
}

struct Graph {
    nodes: u64,
    question: Question,
}

impl Collection for Graph {
    type Input = InputSession<u64, (u32, u32), isize>;

    fn build(&self, worker: &mut Worker, tally: Rc<Tally>) -> (Self::Input, Handle<u64>) {
        let question = self.question;
        let root = (worker.index() == 0).then_some(ROOT);
        worker.dataflow(|scope| {
            let (edges_in, edges) = scope.new_collection::<(u32, u32), isize>();
            let roots = scope.new_collection_from(root).1;
            let probe = match question {
                Question::Reach => {
                    let edges = edges.arrange_by_key();
                    roots
                        .clone()
                        .iterate(|inner, reached| {
                            let (edges, roots) = (edges.enter(inner), roots.enter(inner));
                            reached
                                .arrange_by_self()
                                .join_core(edges, |_, (), target| Some(*target))
                                .concat(roots)
                                .distinct()
                        })
                        .inspect(move |&(node, time, diff)| tally.add(node.into(), 0, time, diff))
                        .probe()
                        .0
                }
                Question::Bfs => {
                    let edges = edges.arrange_by_key();
                    let roots = roots.map(|root| (root, 0u32));
                    roots
                        .clone()
                        .iterate(|inner, levels| {
                            let (edges, roots) = (edges.enter(inner), roots.enter(inner));
                            levels
                                .join_core(edges, |_, level, target| Some((*target, level + 1)))
                                .concat(roots)
                                .reduce(|_, levels, least| least.push((*levels[0].0, 1)))
                        })
                        .inspect(move |&((node, level), time, diff)| {
                            tally.add(node.into(), level.into(), time, diff)
                        })
                        .probe()
                        .0
                }
                Question::Scc => {
                    strongly_connected(edges)
                        .inspect(move |&((src, dst), time, diff)| {
                            tally.add(src.into(), dst.into(), time, diff)
                        })
                        .probe()
                        .0
                }
            };
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

fn graph(args: &Args, question: Question, nodes: u64, edges: u64, measure: Measure) -> Report {
    let amounts = Amounts::new(args, args.number("edges", edges));
    run(args, Graph { nodes: args.number("nodes", nodes), question }, amounts, measure)
}

pub fn reach(args: &Args, measure: Measure) -> Report {
    graph(args, Question::Reach, 1_000_000, 2_000_000, measure)
}

pub fn bfs(args: &Args, measure: Measure) -> Report {
    graph(args, Question::Bfs, 1_000_000, 10_000_000, measure)
}

pub fn scc(args: &Args) -> Report {
    graph(args, Question::Scc, 100_000, 200_000, Measure::AllSeconds)
}
