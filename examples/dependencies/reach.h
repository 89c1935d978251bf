/* What is reachable in a graph that changes, from up to 64 roots at once. */
#ifndef REACH_H
#define REACH_H

#include <weir/weir.h>

#define ROOTS_MAX 64

#define EDGE(F) F(u32, src) F(u32, dst)
#define VISIT(F) F(u64, roots) F(u32, node)
WEIR_ROW(edge, EDGE)
WEIR_ROW(visit, VISIT) /* root i reaches the node if bit i of `roots` is set */

/* `edges`: edges with diff +1 come, with diff -1 go. `starts`: the roots themselves. An
 * epoch with rows in `starts` begins from nothing; so the roots must come at the first epoch
 * and whenever an edge goes. At other epochs what is reached is extended from the new edges.
 * An epoch may only be sent when the one before is complete.
 *
 * The result is what has changed: diff +1 for a node newly reached by these roots, -1 for
 * one that is so no longer. An edge that comes twice, or goes without being there, is
 * rejected. */
weir_stream reach(weir_stream edges, weir_stream starts);

#endif
