/* Building a tracker from a graph: aliases are resolved, locations become places in
 * topological order, links become what each kind of place needs of them. See state.h for
 * the result. */
#include "state.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/assert.h"

/* What is known while building, by location, by scope, or by topological index. */
typedef struct building {
    wi_tracker *tracker;
    const wi_graph *graph;
    const wi_flat *flat;
    uint32_t vertex_count;
    uint32_t *order;     /* topological index of each location, then of each scope */
    uint32_t *vertex_at; /* the inverse */
    wi_loc *rep;         /* representative of each location */
    uint32_t *region_of; /* the region that each scope is in, or WI_NONE */
    bool root_is_region; /* the root scope has feedback */
} building;

static void plan_fini(building *plan)
{
    wi_free(plan->order);
    wi_free(plan->vertex_at);
    wi_free(plan->rep);
    wi_free(plan->region_of);
}

/* ---- aliases ---------------------------------------------------------------------------- */

/* A promised port whose only link carries times as they are, in the same scope, always has
 * the frontier of its predecessor: nothing else is ever added to it. */
static void resolve_aliases(building *plan)
{
    const wi_flat *flat = plan->flat;
    uint32_t *links = WI_NEWS(uint32_t, flat->loc_count); /* how many lead to it ... */
    uint32_t *only = WI_NEWS(uint32_t, flat->loc_count);  /* ... and the last of them */
    for (uint32_t i = 0; i < flat->link_count; i++) {
        only[flat->links[i].to] = i;
        links[flat->links[i].to]++;
    }
    for (uint32_t index = 0; index < plan->vertex_count; index++) {
        wi_loc loc = plan->vertex_at[index];
        if (loc >= flat->loc_count)
            continue;
        plan->rep[loc] = loc;
        if (!flat->locs[loc].promised || links[loc] != 1)
            continue;
        const wi_link *link = &flat->links[only[loc]];
        weir_summary same = weir_summary_identity(link->summary.dims_in);
        if (!link->back && weir_summary_eq(&link->summary, &same))
            plan->rep[loc] = plan->rep[link->from];
    }
    wi_free(only);
    wi_free(links);
}

/* ---- places ----------------------------------------------------------------------------- */

static void number_regions(building *plan)
{
    const wi_graph *graph = plan->graph;
    plan->region_of = WI_NEWS(uint32_t, graph->scope_count);
    plan->region_of[0] = plan->root_is_region ? 0 : WI_NONE;
    uint32_t count = plan->root_is_region ? 1 : 0;
    for (wi_scope_id scope = 1; scope < graph->scope_count; scope++) {
        wi_scope_id parent = graph->scopes[scope].parent; /* numbered before its children */
        bool outermost = parent == 0 && !plan->root_is_region;
        plan->region_of[scope] = outermost ? count++ : plan->region_of[parent];
    }
    plan->tracker->region_count = count;
    plan->tracker->regions = WI_NEWS(wi_region, count);
}

static bool is_representative(const building *plan, uint32_t vertex)
{
    return vertex < plan->flat->loc_count && plan->rep[vertex] == vertex;
}

static uint32_t region_of_loc(const building *plan, wi_loc loc)
{
    return plan->region_of[plan->flat->locs[loc].scope];
}

/* The region that a vertex stands for among the outer places, or WI_NONE. */
static uint32_t region_at(const building *plan, uint32_t vertex)
{
    if (vertex < plan->flat->loc_count)
        return WI_NONE;
    wi_scope_id scope = vertex - plan->flat->loc_count;
    if (plan->root_is_region)
        return scope == 0 ? 0 : WI_NONE;
    return scope != 0 && plan->graph->scopes[scope].parent == 0 ? plan->region_of[scope]
                                                                : WI_NONE;
}

/* Places in topological order: the outer ones, then each region's inner ones. */
static void number_places(building *plan, uint32_t *region_position)
{
    wi_tracker *tracker = plan->tracker;
    uint32_t *next = WI_NEWS(uint32_t, tracker->region_count + 1), positions = 0;
    for (uint32_t index = 0; index < plan->vertex_count; index++) {
        uint32_t vertex = plan->vertex_at[index], region = region_at(plan, vertex);
        if (region != WI_NONE)
            region_position[region] = positions++;
        if (!is_representative(plan, vertex))
            continue;
        if (region_of_loc(plan, vertex) == WI_NONE)
            tracker->place_of[vertex] = positions++;
        else
            next[region_of_loc(plan, vertex) + 1]++;
    }
    tracker->position_count = positions;
    next[0] = positions;
    for (uint32_t region = 0; region < tracker->region_count; region++)
        next[region + 1] += next[region];
    tracker->place_count = next[tracker->region_count];
    for (uint32_t index = 0; index < plan->vertex_count; index++) {
        uint32_t vertex = plan->vertex_at[index];
        if (is_representative(plan, vertex) && region_of_loc(plan, vertex) != WI_NONE)
            tracker->place_of[vertex] = next[region_of_loc(plan, vertex)]++;
    }
    for (wi_loc loc = 0; loc < plan->flat->loc_count; loc++)
        tracker->place_of[loc] = tracker->place_of[plan->rep[loc]];
    wi_free(next);
}

static void set_path(const building *plan, wi_loc loc, wi_path *path)
{
    wi_scope_id scope = plan->flat->locs[loc].scope;
    path->depth = plan->graph->scopes[scope].depth;
    path->index[path->depth] = plan->order[loc];
    for (uint32_t level = path->depth; level-- > 0; scope = plan->graph->scopes[scope].parent)
        path->index[level] = plan->order[plan->flat->loc_count + scope];
}

static void make_places(building *plan)
{
    wi_tracker *tracker = plan->tracker;
    uint32_t *region_position = WI_NEWS(uint32_t, tracker->region_count);
    number_places(plan, region_position);
    uint32_t inner_count = tracker->place_count - tracker->position_count;
    tracker->places = WI_NEWS(wi_place, tracker->place_count);
    tracker->points = WI_NEWS(wi_multiset, tracker->place_count);
    tracker->owns = WI_NEWS(weir_antichain, tracker->position_count);
    tracker->inner = WI_NEWS(wi_inner, inner_count);
    tracker->paths = WI_NEWS(wi_path, inner_count);
    tracker->changed = WI_NEWS(wi_loc, tracker->place_count);
    for (uint32_t i = 0; i < tracker->region_count; i++)
        tracker->places[region_position[i]] = (wi_place){
            .is_region = true, .region = i, .position = region_position[i], .loc = WI_LOC_NONE};
    for (wi_loc loc = 0; loc < plan->flat->loc_count; loc++) {
        if (plan->rep[loc] != loc)
            continue;
        uint32_t index = tracker->place_of[loc], region = region_of_loc(plan, loc);
        int dims = wi_graph_scope_dims(plan->graph, plan->flat->locs[loc].scope);
        wi_place *place = &tracker->places[index];
        *place = (wi_place){.least = UINT64_MAX, .own = UINT64_MAX, .region = region, .loc = loc};
        place->position = region == WI_NONE ? index : region_position[region];
        wi_multiset_init(&tracker->points[index], dims);
        if (region != WI_NONE) {
            wi_inner *inner = &tracker->inner[index - tracker->position_count];
            inner->dims = dims;
            wi_multiset_init(&inner->implied, dims);
            set_path(plan, loc, &tracker->paths[index - tracker->position_count]);
        } else if (tracker->root_dims == 1) {
            place->front = (weir_antichain){.times = &place->one, .capacity = 1};
        }
    }
    wi_free(region_position);
}

/* ---- links ------------------------------------------------------------------------------ */

/* The ends of a link between places, and what kind each is. False for an alias's link. */
typedef struct ends {
    uint32_t from, to;
    bool from_inner, to_inner;
} ends;

static bool ends_of(const building *plan, const wi_link *link, ends *ends_out)
{
    const wi_tracker *tracker = plan->tracker;
    ends_out->from = tracker->place_of[link->from];
    ends_out->to = tracker->place_of[link->to];
    ends_out->from_inner = ends_out->from >= tracker->position_count;
    ends_out->to_inner = ends_out->to >= tracker->position_count;
    return plan->rep[link->to] == link->to;
}

static void count_links(building *plan)
{
    wi_tracker *tracker = plan->tracker;
    uint32_t pulls = 0, marks = 0, ways = 0, entries = 0;
    ends at;
    for (uint32_t i = 0; i < plan->flat->link_count; i++) {
        if (!ends_of(plan, &plan->flat->links[i], &at))
            continue;
        if (at.from_inner && at.to_inner)
            tracker->inner[at.from - tracker->position_count].way_end++;
        else
            tracker->places[at.from].mark_end++;
        if (!at.to_inner)
            tracker->places[at.to].pull_end++;
        else if (!at.from_inner)
            tracker->regions[tracker->places[at.to].region].entry_end++;
    }
    for (uint32_t i = 0; i < tracker->place_count; i++) {
        wi_place *place = &tracker->places[i];
        place->pull = pulls;
        place->mark = marks;
        pulls += place->pull_end;
        marks += place->mark_end;
        place->pull_end = place->pull;
        place->mark_end = place->mark;
    }
    for (uint32_t i = 0; i < tracker->place_count - tracker->position_count; i++) {
        wi_inner *inner = &tracker->inner[i];
        inner->way = ways;
        ways += inner->way_end;
        inner->way_end = inner->way;
    }
    for (uint32_t i = 0; i < tracker->region_count; i++) {
        wi_region *region = &tracker->regions[i];
        region->entry = entries;
        entries += region->entry_end;
        region->entry_end = region->entry;
    }
    tracker->pulls = WI_NEWS(wi_pull, pulls);
    tracker->pull_summaries = WI_NEWS(weir_summary, tracker->root_dims > 1 ? pulls : 0);
    tracker->marks = WI_NEWS(uint32_t, marks);
    tracker->ways = WI_NEWS(wi_way, ways);
    tracker->entries = WI_NEWS(wi_entry, entries);
    tracker->entry_count = entries;
}

static wi_step step_of(const wi_link *link)
{
    if (link->back)
        return WI_BACK;
    weir_summary same = weir_summary_identity(link->summary.dims_in);
    same.dims_out = link->summary.dims_out; /* entering appends a 0, which is there already */
    return weir_summary_eq(&link->summary, &same) ? WI_SAME : WI_SUMMARY;
}

static void make_links(building *plan)
{
    wi_tracker *tracker = plan->tracker;
    ends at;
    count_links(plan);
    for (uint32_t i = 0; i < plan->flat->link_count; i++) {
        const wi_link *link = &plan->flat->links[i];
        if (!ends_of(plan, link, &at))
            continue;
        wi_place *from = &tracker->places[at.from], *to = &tracker->places[at.to];
        if (at.from_inner && at.to_inner) {
            wi_inner *inner = &tracker->inner[at.from - tracker->position_count];
            tracker->ways[inner->way_end++] = (wi_way){at.to, step_of(link), link->summary};
        } else {
            tracker->marks[from->mark_end++] = to->position;
        }
        if (!at.to_inner) {
            tracker->pulls[to->pull_end] =
                (wi_pull){at.from, step_of(link) == WI_SAME, link->summary.add[0]};
            if (tracker->root_dims > 1)
                tracker->pull_summaries[to->pull_end] = link->summary;
            to->pull_end++;
        } else if (!at.from_inner) {
            wi_region *region = &tracker->regions[to->region];
            tracker->entries[region->entry_end++] = (wi_entry){.from = at.from, .to = at.to};
        }
    }
}

/* ---- the tracker ------------------------------------------------------------------------ */

static void name_locations(const building *plan)
{
    plan->tracker->loc_names = WI_NEWS(char *, plan->flat->loc_count);
    for (wi_loc i = 0; i < plan->flat->loc_count; i++) {
        const wi_location *loc = &plan->flat->locs[i];
        char text[256];
        snprintf(text, sizeof text, "%.200s %s %u", plan->graph->nodes[loc->node].name,
                 loc->is_output ? "output" : "input", loc->port);
        plan->tracker->loc_names[i] = wi_strdup(text);
    }
}

static void build(building *plan)
{
    wi_tracker *tracker = plan->tracker;
    uint32_t loc_count = plan->flat->loc_count;
    plan->vertex_at = WI_NEWS(uint32_t, plan->vertex_count);
    plan->rep = WI_NEWS(wi_loc, loc_count);
    for (uint32_t v = 0; v < plan->vertex_count; v++)
        plan->vertex_at[plan->order[v]] = v;
    for (uint32_t n = 0; n < plan->graph->node_count; n++)
        plan->root_is_region |=
            plan->graph->nodes[n].kind == WI_FEEDBACK && plan->graph->nodes[n].scope == 0;
    tracker->loc_count = loc_count;
    tracker->place_of = WI_NEWS(uint32_t, loc_count);
    resolve_aliases(plan);
    number_regions(plan);
    make_places(plan);
    make_links(plan);
    for (wi_loc loc = 0; loc < loc_count; loc++)
        if (plan->flat->locs[loc].promised)
            tracker->place_of[loc] |= WI_PROMISED;
    uint32_t words = tracker->position_count / 64 + 1;
    tracker->dirty_word_count = words / 64 + 1;
    tracker->dirty = WI_NEWS(uint64_t, words);
    tracker->dirty_word = WI_NEWS(uint64_t, tracker->dirty_word_count);
    name_locations(plan);
}

wi_tracker *wi_tracker_new(wi_graph *graph, weir_err **err_out)
{
    wi_tracker *tracker = WI_NEW(wi_tracker);
    tracker->graph = graph;
    tracker->root_dims = graph->root_dims;
    wi_flat flat;
    *err_out = wi_graph_flatten(graph, &flat);
    building plan = {.tracker = tracker, .graph = graph, .flat = &flat};
    plan.vertex_count = flat.loc_count + graph->scope_count;
    plan.order = WI_NEWS(uint32_t, plan.vertex_count);
    if (!*err_out)
        *err_out = wi_graph_order(graph, &flat, plan.order);
    if (!*err_out)
        build(&plan);
    plan_fini(&plan);
    wi_flat_fini(&flat);
    if (!*err_out)
        return tracker;
    wi_tracker_free(tracker);
    return NULL;
}

static void free_fronts(wi_tracker *tracker)
{
    for (uint32_t i = 0; i < tracker->place_count; i++) {
        wi_multiset_fini(&tracker->points[i]);
        if (tracker->places[i].front.times != &tracker->places[i].one)
            weir_antichain_fini(&tracker->places[i].front);
    }
    for (uint32_t i = 0; i < tracker->position_count; i++)
        weir_antichain_fini(&tracker->owns[i]);
    for (uint32_t i = 0; i < tracker->place_count - tracker->position_count; i++) {
        wi_multiset_fini(&tracker->inner[i].implied);
        weir_antichain_fini(&tracker->inner[i].own);
    }
    for (uint32_t i = 0; i < tracker->entry_count; i++)
        weir_antichain_fini(&tracker->entries[i].seen);
    weir_antichain_fini(&tracker->scratch);
}

void wi_tracker_free(wi_tracker *tracker)
{
    if (!tracker)
        return;
    free_fronts(tracker);
    for (uint32_t i = 0; i < tracker->region_count; i++) {
        wi_free(tracker->regions[i].heap);
        wi_free(tracker->regions[i].stale);
        wi_free(tracker->regions[i].changed);
    }
    for (wi_loc i = 0; i < tracker->loc_count; i++)
        wi_free(tracker->loc_names[i]);
    void *arrays[] = {tracker->dirty,   tracker->dirty_word, tracker->places,
                      tracker->points,  tracker->pulls,      tracker->pull_summaries,
                      tracker->owns,    tracker->marks,      tracker->inner,
                      tracker->paths,   tracker->ways,       tracker->regions,
                      tracker->entries, tracker->changed,    tracker->place_of,
                      tracker->loc_names};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        wi_free(arrays[i]);
    wi_graph_free(tracker->graph);
    wi_free(tracker);
}
