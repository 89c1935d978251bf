/* Collecting the graph: what operators, scopes and edges there are. Mistakes that a program
 * can make are kept (the first one) until the tracker is built; calls with ids that do not
 * exist are bugs of the runtime and assert. */
#include "graph.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/assert.h"

#define APPEND(graph, list, count, capacity)                                                   \
    (wi_grow(&(graph)->list, &(graph)->capacity, (graph)->count + 1, sizeof *(graph)->list),   \
     &(graph)->list[(graph)->count++])

static void __attribute__((format(printf, 2, 3))) mistake(wi_graph *graph, const char *format,
                                                          ...)
{
    char text[512];
    va_list args;
    if (graph->err)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    graph->err = weir_err_new("%s", text);
}

wi_graph *wi_graph_new(int root_dims)
{
    wi_assert(root_dims >= 1 && root_dims <= WEIR_DIMS_MAX, "a time has 1 to 4 coordinates");
    wi_graph *graph = WI_NEW(wi_graph);
    graph->root_dims = root_dims;
    *APPEND(graph, scopes, scope_count, scope_capacity) =
        (wi_scope){.name = wi_strdup("root")};
    return graph;
}

void wi_graph_free(wi_graph *graph)
{
    if (!graph)
        return;
    for (uint32_t i = 0; i < graph->scope_count; i++)
        wi_free(graph->scopes[i].name);
    for (uint32_t i = 0; i < graph->node_count; i++)
        wi_free(graph->nodes[i].name);
    wi_free(graph->scopes);
    wi_free(graph->nodes);
    wi_free(graph->edges);
    wi_free(graph->summaries);
    wi_free(graph->uncounted);
    wi_free(graph->stateless);
    weir_err_free(graph->err);
    wi_free(graph);
}

/* ---- scopes and nodes ------------------------------------------------------------------- */

wi_scope_id wi_graph_scope(wi_graph *graph, wi_scope_id parent, const char *name)
{
    wi_assert(parent < graph->scope_count, "a scope's parent exists");
    uint32_t depth = graph->scopes[parent].depth + 1;
    if (graph->root_dims + (int)depth > WEIR_DIMS_MAX) {
        mistake(graph,
                "loop `%s` is nested too deep: its times would have %d coordinates (%d of the "
                "root scope and one for each loop), and a time has at most %d; nest fewer "
                "loops or declare fewer root dimensions",
                name, graph->root_dims + (int)depth, graph->root_dims, WEIR_DIMS_MAX);
        depth--; /* so that building can go on until the mistake is reported */
    }
    *APPEND(graph, scopes, scope_count, scope_capacity) =
        (wi_scope){.name = wi_strdup(name), .parent = parent, .depth = depth};
    return graph->scope_count - 1;
}

int wi_graph_scope_dims(const wi_graph *graph, wi_scope_id scope)
{
    wi_assert(scope < graph->scope_count, "the scope exists");
    return graph->root_dims + (int)graph->scopes[scope].depth;
}

static wi_node_id add_node(wi_graph *graph, wi_scope_id scope, wi_node_kind kind,
                           const char *name, uint32_t inputs, uint32_t outputs)
{
    wi_assert(scope < graph->scope_count, "a node's scope exists");
    *APPEND(graph, nodes, node_count, node_capacity) = (wi_node){.name = wi_strdup(name),
                                                                 .kind = kind,
                                                                 .scope = scope,
                                                                 .inputs = inputs,
                                                                 .outputs = outputs};
    return graph->node_count - 1;
}

static void add_summary(wi_graph *graph, wi_node_id node, uint32_t input, uint32_t output,
                        weir_summary summary)
{
    *APPEND(graph, summaries, summary_count, summary_capacity) =
        (wi_summary_of){node, input, output, summary};
}

wi_node_id wi_graph_node(wi_graph *graph, wi_scope_id scope, const char *name, uint32_t inputs,
                         uint32_t outputs)
{
    return add_node(graph, scope, WI_OPERATOR, name, inputs, outputs);
}

wi_node_id wi_graph_enter(wi_graph *graph, wi_scope_id scope, const char *name)
{
    wi_assert(scope != 0, "the root scope is not entered");
    wi_node_id node = add_node(graph, scope, WI_ENTER, name, 1, 1);
    int outside = wi_graph_scope_dims(graph, graph->scopes[scope].parent);
    if (outside < wi_graph_scope_dims(graph, scope)) /* else: nested too deep, a mistake */
        add_summary(graph, node, 0, 0, weir_summary_enter(outside));
    return node;
}

wi_node_id wi_graph_leave(wi_graph *graph, wi_scope_id scope, const char *name)
{
    wi_assert(scope != 0, "the root scope is not left");
    wi_node_id node = add_node(graph, scope, WI_LEAVE, name, 1, 1);
    int inside = wi_graph_scope_dims(graph, scope);
    if (wi_graph_scope_dims(graph, graph->scopes[scope].parent) < inside)
        add_summary(graph, node, 0, 0, weir_summary_leave(inside));
    return node;
}

wi_node_id wi_graph_feedback(wi_graph *graph, wi_scope_id scope, const char *name,
                             weir_summary step)
{
    wi_node_id node = add_node(graph, scope, WI_FEEDBACK, name, 1, 1);
    add_summary(graph, node, 0, 0, step);
    return node;
}

uint32_t wi_graph_add_input(wi_graph *graph, wi_node_id node)
{
    wi_assert(node < graph->node_count && graph->nodes[node].kind == WI_OPERATOR,
              "ports are added to operators");
    return graph->nodes[node].inputs++;
}

uint32_t wi_graph_add_output(wi_graph *graph, wi_node_id node)
{
    wi_assert(node < graph->node_count && graph->nodes[node].kind == WI_OPERATOR,
              "ports are added to operators");
    return graph->nodes[node].outputs++;
}

/* ---- summaries, edges, promises --------------------------------------------------------- */

static void check_input(const wi_graph *graph, wi_node_id node, uint32_t input)
{
    wi_assert(node < graph->node_count && input < graph->nodes[node].inputs,
              "the node has this input");
}

static void check_output(const wi_graph *graph, wi_node_id node, uint32_t output)
{
    wi_assert(node < graph->node_count && output < graph->nodes[node].outputs,
              "the node has this output");
}

void wi_graph_summary(wi_graph *graph, wi_node_id node, uint32_t input, uint32_t output,
                      weir_summary summary)
{
    check_input(graph, node, input);
    check_output(graph, node, output);
    wi_assert(graph->nodes[node].kind == WI_OPERATOR,
              "the summaries of enter, leave and feedback are implied");
    add_summary(graph, node, input, output, summary);
}

static wi_scope_id scope_of_input(const wi_graph *graph, const wi_node *node)
{
    return node->kind == WI_ENTER ? graph->scopes[node->scope].parent : node->scope;
}

static wi_scope_id scope_of_output(const wi_graph *graph, const wi_node *node)
{
    return node->kind == WI_LEAVE ? graph->scopes[node->scope].parent : node->scope;
}

void wi_graph_edge(wi_graph *graph, wi_node_id from, uint32_t output, wi_node_id to,
                   uint32_t input)
{
    check_output(graph, from, output);
    check_input(graph, to, input);
    const wi_node *source = &graph->nodes[from], *target = &graph->nodes[to];
    wi_scope_id out = scope_of_output(graph, source), in = scope_of_input(graph, target);
    if (out != in)
        mistake(graph,
                "`%s` (in scope `%s`) cannot be connected to `%s` (in scope `%s`): their times "
                "differ; let the stream enter or leave the loop",
                source->name, graph->scopes[out].name, target->name, graph->scopes[in].name);
    *APPEND(graph, edges, edge_count, edge_capacity) =
        (wi_edge){.from = {from, output}, .to = {to, input}};
}

void wi_graph_uncounted(wi_graph *graph, wi_node_id node, uint32_t input)
{
    check_input(graph, node, input);
    *APPEND(graph, uncounted, uncounted_count, uncounted_capacity) = (wi_port){node, input};
}

void wi_graph_stateless(wi_graph *graph, wi_node_id node, uint32_t output)
{
    check_output(graph, node, output);
    *APPEND(graph, stateless, stateless_count, stateless_capacity) = (wi_port){node, output};
}

/* ---- the flat form ---------------------------------------------------------------------- */

static void number_locations(wi_graph *graph, wi_flat *flat)
{
    uint64_t count = 0;
    for (uint32_t n = 0; n < graph->node_count; n++) {
        graph->nodes[n].first = (wi_loc)count;
        count += (uint64_t)graph->nodes[n].inputs + graph->nodes[n].outputs;
        wi_assert(count + graph->scope_count < WI_PORTS_MAX, "a graph has less than 2^31 ports");
    }
    flat->loc_count = (uint32_t)count;
    flat->locs = WI_NEWS(wi_location, flat->loc_count);
    for (uint32_t n = 0; n < graph->node_count; n++) {
        const wi_node *node = &graph->nodes[n];
        wi_location *loc = &flat->locs[node->first];
        for (uint32_t i = 0; i < node->inputs; i++)
            *loc++ = (wi_location){n, i, scope_of_input(graph, node), false, false};
        for (uint32_t i = 0; i < node->outputs; i++)
            *loc++ = (wi_location){n, i, scope_of_output(graph, node), true, false};
    }
    for (uint32_t i = 0; i < graph->uncounted_count; i++) {
        const wi_port *port = &graph->uncounted[i];
        flat->locs[graph->nodes[port->node].first + port->index].promised = true;
    }
    for (uint32_t i = 0; i < graph->stateless_count; i++) {
        const wi_node *node = &graph->nodes[graph->stateless[i].node];
        flat->locs[node->first + node->inputs + graph->stateless[i].index].promised = true;
    }
}

/* An operator's summary keeps every coordinate of its scope: it can delay a time, and
 * nothing else. */
static void check_summary(wi_graph *graph, const wi_summary_of *of)
{
    const wi_node *node = &graph->nodes[of->node];
    int dims = wi_graph_scope_dims(graph, node->scope);
    if (node->kind == WI_ENTER || node->kind == WI_LEAVE)
        return;
    const weir_summary *summary = &of->summary;
    if (summary->dims_in != dims || summary->dims_out != dims || summary->keep != dims)
        mistake(graph,
                "the summary of `%s` from input %u to output %u takes times of %d coordinates "
                "to times of %d and keeps %d; in scope `%s` it must keep all %d",
                node->name, of->input, of->output, summary->dims_in, summary->dims_out,
                summary->keep, graph->scopes[node->scope].name, dims);
}

static int by_ports(const void *a, const void *b)
{
    const wi_summary_of *x = a, *y = b;
    if (x->node != y->node)
        return x->node < y->node ? -1 : 1;
    if (x->output != y->output)
        return x->output < y->output ? -1 : 1;
    return x->input == y->input ? 0 : x->input < y->input ? -1 : 1;
}

static bool is_at_most(const weir_summary *a, const weir_summary *b)
{
    for (int i = 0; i < WEIR_DIMS_MAX; i++)
        if (a->add[i] > b->add[i])
            return false;
    return true;
}

/* Removes the summaries that another one of the same two ports makes superfluous. */
static void reduce_summaries(wi_graph *graph)
{
    wi_summary_of *list = graph->summaries;
    uint32_t kept = 0, group = 0;
    if (graph->summary_count)
        qsort(list, graph->summary_count, sizeof *list, by_ports);
    for (uint32_t i = 0; i < graph->summary_count; i++) {
        wi_summary_of next = list[i];
        if (kept == group || by_ports(&list[kept - 1], &next) != 0)
            group = kept;
        bool superfluous = false;
        for (uint32_t j = group; j < kept && !superfluous; j++)
            superfluous = is_at_most(&list[j].summary, &next.summary);
        if (superfluous)
            continue;
        uint32_t left = group;
        for (uint32_t j = group; j < kept; j++)
            if (!is_at_most(&next.summary, &list[j].summary))
                list[left++] = list[j];
        list[left++] = next;
        kept = left;
    }
    graph->summary_count = kept;
}

static void add_link(wi_flat *flat, wi_loc from, wi_loc to, weir_summary summary, bool back)
{
    wi_grow(&flat->links, &flat->link_capacity, flat->link_count + 1, sizeof *flat->links);
    flat->links[flat->link_count++] =
        (wi_link){.from = from, .to = to, .summary = summary, .back = back};
}

weir_err *wi_graph_flatten(wi_graph *graph, wi_flat *flat_out)
{
    *flat_out = (wi_flat){0};
    for (uint32_t i = 0; i < graph->summary_count; i++)
        check_summary(graph, &graph->summaries[i]);
    if (graph->err) {
        weir_err *err = graph->err;
        graph->err = NULL;
        return err;
    }
    number_locations(graph, flat_out);
    reduce_summaries(graph);
    for (uint32_t i = 0; i < graph->edge_count; i++) {
        const wi_edge *edge = &graph->edges[i];
        const wi_node *source = &graph->nodes[edge->from.node];
        wi_loc from = source->first + source->inputs + edge->from.index;
        wi_loc to = graph->nodes[edge->to.node].first + edge->to.index;
        int dims = wi_graph_scope_dims(graph, flat_out->locs[from].scope);
        add_link(flat_out, from, to, weir_summary_identity(dims), false);
    }
    for (uint32_t i = 0; i < graph->summary_count; i++) {
        const wi_summary_of *of = &graph->summaries[i];
        const wi_node *node = &graph->nodes[of->node];
        add_link(flat_out, node->first + of->input, node->first + node->inputs + of->output,
                 of->summary, node->kind == WI_FEEDBACK);
    }
    return NULL;
}

void wi_flat_fini(wi_flat *flat)
{
    wi_free(flat->locs);
    wi_free(flat->links);
    *flat = (wi_flat){0};
}
