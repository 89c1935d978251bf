/* Pieces of dataflow that several graph programs use. */
#ifndef GRAPH_COMMON_H
#define GRAPH_COMMON_H

#include "program.h"

#define LABEL(F) F(u64, node) F(u64, label)
#define TALLY(F) F(u64, key) F(i64, count)
WEIR_ROW(label, LABEL)
WEIR_ROW(tally, TALLY)

/* ---- graphs ----------------------------------------------------------------------------- */

/* All edges turned around. */
weir_stream graph_reversed(weir_stream edges);
/* The node that each edge leaves, as often as one does. */
weir_stream graph_sources(weir_stream edges);
/* Both ends of all edges, each once. */
weir_stream graph_ends(weir_stream edges);
/* The undirected graph: without loops, each edge once in each direction. */
weir_stream graph_undirected(weir_stream edges);
/* The same with each edge in one direction: from the end with fewer neighbours to the one with
 * more, so that few edges leave any node; "fewer" by powers of two, so that edges seldom turn
 * around, and then by number. No way along them leads back. */
weir_stream graph_directed(weir_stream edges);

/* A node's label: a number that has nothing to do with where the node is in the graph, so
 * that no graph makes labels travel far in vain. Different for different nodes. */
uint64_t graph_label(uint64_t id);
/* The round of a loop in which a label sets out: labels start in the order of their magnitude,
 * so that most of them find their place taken by the least one there and need not travel. */
uint64_t graph_label_round(uint64_t of);
/* The labels of all these nodes. */
weir_stream graph_own_labels(weir_stream nodes);
/* For each node the least label (rows `label`) of all nodes from which it can be reached.
 * `edges` and `own` (graph_own_labels of all their ends) are streams of `scope`. */
weir_stream graph_least_labels(weir_scope *scope, weir_stream edges, weir_stream own);

/* ---- answers ---------------------------------------------------------------------------- */

/* How many rows there are, as the line of that index. Takes rows `node`: any number in them
 * will do that spreads the rows among the workers. */
weir_stream answer_total(weir_stream nodes, uint64_t line);
/* How often each number is there. */
weir_stream answer_histogram(weir_stream nodes, uint64_t line);
/* How many different labels there are, and how many labels are shared by how many nodes. */
weir_stream answer_groups(weir_stream labels, uint64_t line, uint64_t size_line);

#endif
