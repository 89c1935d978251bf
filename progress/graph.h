/* What the builder calls have collected, and the flat form that the tracker is built from:
 * locations, and links between them. */
#ifndef WEIR_PROGRESS_GRAPH_H
#define WEIR_PROGRESS_GRAPH_H

#include "tracker.h"

#define WI_PORTS_MAX (UINT32_C(1) << 31) /* and scopes; an index of one leaves a bit free */

typedef enum wi_node_kind { WI_OPERATOR, WI_ENTER, WI_LEAVE, WI_FEEDBACK } wi_node_kind;

typedef struct wi_scope {
    char *name;
    wi_scope_id parent; /* the root scope's is itself */
    uint32_t depth;     /* 0 for the root */
} wi_scope;

typedef struct wi_node {
    char *name;
    wi_node_kind kind;
    wi_scope_id scope; /* of an enter or leave node: the loop */
    uint32_t inputs, outputs;
    wi_loc first; /* location of input 0; set by wi_graph_flatten */
} wi_node;

/* One port of one node. */
typedef struct wi_port {
    wi_node_id node;
    uint32_t index;
} wi_port;

typedef struct wi_summary_of {
    wi_node_id node;
    uint32_t input, output;
    weir_summary summary;
} wi_summary_of;

typedef struct wi_edge {
    wi_port from, to;
} wi_edge;

struct wi_graph {
    int root_dims;
    weir_err *err; /* the first mistake; reported by wi_tracker_new */
    wi_scope *scopes;
    uint32_t scope_count, scope_capacity;
    wi_node *nodes;
    uint32_t node_count, node_capacity;
    wi_edge *edges;
    uint32_t edge_count, edge_capacity;
    wi_summary_of *summaries;
    uint32_t summary_count, summary_capacity;
    wi_port *uncounted, *stateless; /* promises */
    uint32_t uncounted_count, uncounted_capacity;
    uint32_t stateless_count, stateless_capacity;
};

/* ---- the flat form ---------------------------------------------------------------------- */

typedef struct wi_location {
    wi_node_id node;
    uint32_t port;
    wi_scope_id scope; /* whose times it carries */
    bool is_output;
    bool promised; /* uncounted input or stateless output */
} wi_location;

/* A step that a time can take: along an edge, or through a node. */
typedef struct wi_link {
    wi_loc from, to;
    weir_summary summary;
    bool back; /* through a feedback node */
} wi_link;

typedef struct wi_flat {
    wi_location *locs;
    wi_link *links;
    uint32_t loc_count, link_count, link_capacity;
} wi_flat;

/* Numbers the locations and collects the links, summaries reduced to antichains. Returns
 * the graph's first mistake, or NULL. */
weir_err *wi_graph_flatten(wi_graph *graph, wi_flat *flat_out);
void wi_flat_fini(wi_flat *flat);

/* Gives every location and every scope a topological index, such that with feedback left
 * out and each nested scope taken as one vertex, every link rises: order[loc] for a
 * location, order[loc_count + scope] for a scope. Returns an error that names the operators
 * of a cycle that does not advance time, or NULL. */
weir_err *wi_graph_order(const wi_graph *graph, const wi_flat *flat, uint32_t *order);

#endif
