/* The topological order of a graph, and the refusal of cycles that do not advance time.
 *
 * The order is of one graph that holds all scopes at once. Its vertices are the locations,
 * and one for each scope, which stands for all that is inside it among its siblings:
 *
 *     enter input -> the scope -> leave output     (in the parent's graph)
 *     enter output -> ... -> leave input           (in the scope's own)
 *
 * so that the graphs of two scopes share no vertex, and one depth-first search orders all.
 * The links of feedback nodes are left out; a cycle that remains does not advance time, or
 * feeds a nested scope from its own output, which the order cannot express. */
#include "graph.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

#define CYCLE_NAMES_MAX 16 /* named in a message */
#define NONE UINT32_MAX

/* Successors of each vertex: to[start[v]] up to to[start[v + 1]]. */
typedef struct successors {
    uint32_t *start, *to, vertices;
} successors;

typedef struct pair {
    uint32_t from, to;
} pair;

static successors successors_of(const pair *pairs, uint32_t count, uint32_t vertices)
{
    successors next = {WI_NEWS(uint32_t, vertices + 2), WI_NEWS(uint32_t, count), vertices};
    for (uint32_t i = 0; i < count; i++)
        next.start[pairs[i].from + 2]++;
    for (uint32_t v = 2; v < vertices + 2; v++)
        next.start[v] += next.start[v - 1];
    for (uint32_t i = 0; i < count; i++)
        next.to[next.start[pairs[i].from + 1]++] = pairs[i].to;
    return next;
}

static void successors_fini(successors *next)
{
    wi_free(next->start);
    wi_free(next->to);
}

/* ---- messages --------------------------------------------------------------------------- */

/* The operators along a path, each once in a row. */
typedef struct names {
    const wi_graph *graph;
    wi_node_id *nodes;
    uint32_t count, capacity;
} names;

static void names_add(names *list, wi_node_id node)
{
    if (list->count && list->nodes[list->count - 1] == node)
        return;
    wi_grow(&list->nodes, &list->capacity, list->count + 1, sizeof *list->nodes);
    list->nodes[list->count++] = node;
}

/* "`a`, `b`, `c`", for a cycle: its last operator is not also its first. */
static void names_text(names *list, char *text, size_t bytes)
{
    if (list->count > 1 && list->nodes[0] == list->nodes[list->count - 1])
        list->count--;
    size_t used = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < list->count && i < CYCLE_NAMES_MAX; i++)
        used += (size_t)snprintf(text + used, bytes - used, "%s`%.60s`", i ? ", " : "",
                                 list->graph->nodes[list->nodes[i]].name);
    if (list->count > CYCLE_NAMES_MAX)
        snprintf(text + used, bytes - used, " and %u more", list->count - CYCLE_NAMES_MAX);
}
#define NAMES_TEXT_BYTES (CYCLE_NAMES_MAX * 64 + 32)

/* Whether a location lies in a scope or in one nested in it. Scope 0 holds everything. */
static bool lies_in(const wi_graph *graph, wi_scope_id inner, wi_scope_id outer)
{
    while (inner != 0 && inner != outer)
        inner = graph->scopes[inner].parent;
    return inner == outer;
}

/* Adds the operators of a shortest path between two locations within a scope, feedback
 * included. Returns false if there is none. */
static bool add_path(names *list, const wi_flat *flat, wi_scope_id within, wi_loc from, wi_loc to)
{
    pair *pairs = WI_NEWS(pair, flat->link_count);
    for (uint32_t i = 0; i < flat->link_count; i++) /* reversed: the walk back is in order */
        pairs[i] = (pair){flat->links[i].to, flat->links[i].from};
    successors before = successors_of(pairs, flat->link_count, flat->loc_count);
    uint32_t *after = WI_NEWS(uint32_t, flat->loc_count), *queue;
    queue = WI_NEWS(uint32_t, flat->loc_count);
    memset(after, 0xff, flat->loc_count * sizeof *after);
    uint32_t head = 0, tail = 0;
    queue[tail++] = to;
    after[to] = to;
    while (head < tail && after[from] == NONE) {
        uint32_t at = queue[head++];
        for (uint32_t i = before.start[at]; i < before.start[at + 1]; i++) {
            uint32_t loc = before.to[i];
            if (after[loc] != NONE || !lies_in(list->graph, flat->locs[loc].scope, within))
                continue;
            after[loc] = at;
            queue[tail++] = loc;
        }
    }
    bool found = after[from] != NONE;
    for (uint32_t at = from; found; at = after[at]) {
        names_add(list, flat->locs[at].node);
        if (at == to)
            break;
    }
    successors_fini(&before);
    wi_free(pairs);
    wi_free(after);
    wi_free(queue);
    return found;
}

static weir_err *cycle_error(names *list, const char *hint)
{
    char text[NAMES_TEXT_BYTES];
    names_text(list, text, sizeof text);
    return weir_err_new("cycle through %s does not advance time: an update could cause another "
                        "one at its own time, so that no time would ever be complete; %s",
                        text, hint);
}

#define CLOSE_IT                                                                               \
    "close the cycle with a variable of a loop around it, or in the root scope with a "        \
    "feedback that delays by at least 1"

/* ---- feedback nodes --------------------------------------------------------------------- */

/* Beyond what is needed against endless cycles, a loop's feedback has to advance the loop's
 * own coordinate: the order of the tracker's work relies on it. */
static weir_err *check_feedback(const wi_graph *graph, const wi_flat *flat, const wi_link *link)
{
    wi_node_id id = flat->locs[link->from].node;
    const wi_node *node = &graph->nodes[id];
    int own = wi_graph_scope_dims(graph, node->scope) - 1;
    bool advances = link->summary.add[own] > 0;
    for (int i = 0; i < own && node->scope == 0; i++)
        advances |= link->summary.add[i] > 0;
    if (advances)
        return NULL;
    const char *hint = node->scope == 0
                           ? "let the feedback add at least 1 to a coordinate"
                           : "let the feedback add at least 1 to the last coordinate, the "
                             "loop's own round";
    names list = {.graph = graph};
    weir_err *err;
    if (add_path(&list, flat, 0, link->to, link->from)) {
        if (list.count > 1) /* the feedback, which closes the cycle, is named last */
            memmove(list.nodes, list.nodes + 1, --list.count * sizeof *list.nodes);
        err = cycle_error(&list, hint);
    } else {
        err = weir_err_new("feedback `%s` does not advance time: no cycle passes through it, "
                           "but any that did could not end; %s",
                           node->name, hint);
    }
    wi_free(list.nodes);
    return err;
}

/* ---- the order -------------------------------------------------------------------------- */

static bool is_in(const wi_graph *graph, wi_scope_id inner, wi_scope_id outer)
{
    return inner != 0 && graph->scopes[inner].parent == outer;
}

static successors vertex_graph(const wi_graph *graph, const wi_flat *flat)
{
    pair *pairs = WI_NEWS(pair, flat->link_count);
    uint32_t count = 0;
    for (uint32_t i = 0; i < flat->link_count; i++) {
        const wi_link *link = &flat->links[i];
        wi_scope_id from = flat->locs[link->from].scope, to = flat->locs[link->to].scope;
        if (link->back)
            continue;
        if (from == to)
            pairs[count++] = (pair){link->from, link->to};
        else if (is_in(graph, to, from))
            pairs[count++] = (pair){link->from, flat->loc_count + to};
        else
            pairs[count++] = (pair){flat->loc_count + from, link->to};
    }
    successors next = successors_of(pairs, count, flat->loc_count + graph->scope_count);
    wi_free(pairs);
    return next;
}

/* A cycle of vertices, named by the operators on it; where it passes through a nested scope,
 * by those on the way from where it enters to where it leaves. If there is no such way, the
 * scope is only fed from its own output. */
static weir_err *explain_cycle(const wi_graph *graph, const wi_flat *flat, const uint32_t *cycle,
                               uint32_t length)
{
    names list = {.graph = graph};
    wi_scope_id unconnected = NONE;
    for (uint32_t i = 0; i < length; i++) {
        if (cycle[i] < flat->loc_count) {
            names_add(&list, flat->locs[cycle[i]].node);
            continue;
        }
        wi_scope_id scope = cycle[i] - flat->loc_count;
        const wi_location *enter = &flat->locs[cycle[(i + length - 1) % length]];
        const wi_location *leave = &flat->locs[cycle[(i + 1) % length]];
        wi_loc inside = graph->nodes[enter->node].first + 1;
        if (!add_path(&list, flat, scope, inside, graph->nodes[leave->node].first))
            unconnected = scope;
    }
    weir_err *err;
    if (unconnected != NONE) {
        char text[NAMES_TEXT_BYTES];
        names_text(&list, text, sizeof text);
        err = weir_err_new("loop `%s` is fed from its own output through %s: what enters a loop "
                           "may not depend on what leaves it; put the part that is fed back "
                           "into a loop of its own",
                           graph->scopes[unconnected].name, text);
    } else {
        err = cycle_error(&list, CLOSE_IT);
    }
    wi_free(list.nodes);
    return err;
}

/* Depth-first search; a vertex gets the highest free index when all after it have theirs.
 * It starts from the last vertex, so that a graph that was built in a topological order
 * keeps it: what was built together stays together in memory. */
static weir_err *sort_vertices(const wi_graph *graph, const wi_flat *flat, uint32_t *order)
{
    successors next = vertex_graph(graph, flat);
    uint32_t *path = WI_NEWS(uint32_t, next.vertices), depth = 0;
    uint32_t *cursor = WI_NEWS(uint32_t, next.vertices), index = next.vertices;
    uint32_t *place = WI_NEWS(uint32_t, next.vertices); /* on the path, plus 1 */
    weir_err *err = NULL;
    memset(order, 0xff, next.vertices * sizeof *order);
    for (uint32_t root = next.vertices; root-- > 0 && !err;) {
        if (order[root] != NONE)
            continue;
        path[depth++] = root;
        place[root] = depth;
        cursor[root] = next.start[root];
        while (depth && !err) {
            uint32_t at = path[depth - 1];
            if (cursor[at] == next.start[at + 1]) {
                order[at] = --index;
                place[at] = 0;
                depth--;
                continue;
            }
            uint32_t to = next.to[cursor[at]++];
            if (place[to]) {
                err = explain_cycle(graph, flat, &path[place[to] - 1], depth - place[to] + 1);
            } else if (order[to] == NONE) {
                path[depth++] = to;
                place[to] = depth;
                cursor[to] = next.start[to];
            }
        }
    }
    successors_fini(&next);
    wi_free(path);
    wi_free(cursor);
    wi_free(place);
    return err;
}

weir_err *wi_graph_order(const wi_graph *graph, const wi_flat *flat, uint32_t *order)
{
    for (uint32_t i = 0; i < flat->link_count; i++) {
        weir_err *err = flat->links[i].back ? check_feedback(graph, flat, &flat->links[i]) : NULL;
        if (err)
            return err;
    }
    return sort_vertices(graph, flat, order);
}
