/* The tracker against brute force: random graphs of nested loops, random changes of
 * pointstamps, and after every propagation all frontiers, the report of what changed and
 * the listed pointstamps compared with what a naive search over all paths gives.
 *
 *     oracle_tracker [--seed S] [--cases N]
 *
 * Case i of seed S is case 0 of seed S + i. The graphs have one or two root dimensions, up
 * to three loops inside one another, feedback in the root, several edges into an input,
 * several summaries between two ports, nodes created in random order, and promised ports
 * (aliases) where that is legal. Times lie close together, a million apart, or near the end
 * of time; counts pass through negative values; now and then hundreds of times are
 * outstanding at one port. The search shares no code with the tracker. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "progress/tracker.h"

#define CASES_DEFAULT 3000
#define STEPS 24
#define NODES_MAX 256
#define PORTS_MAX 2048
#define ARCS_MAX 4096
#define SCOPES_MAX 64

/* ---- chance ---------------------------------------------------------------------- */

static uint64_t random_state, case_seed;

static uint64_t random_word(void)
{
    uint64_t z = (random_state += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

static uint32_t below(uint32_t n) { return (uint32_t)(random_word() % n); }
static uint32_t between(uint32_t low, uint32_t high) { return low + below(high - low + 1); }
static bool percent(uint32_t chance) { return below(100) < chance; }

static void __attribute__((noreturn, format(printf, 1, 2))) fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("FAILED: ");
    vprintf(format, args);
    va_end(args);
    printf("\nreproduce with: oracle_tracker --seed %llu --cases 1\n",
           (unsigned long long)case_seed);
    exit(1);
}

/* ---- a graph, as the search sees it ------------------------------------------------ */

typedef enum kind { OPERATOR, ENTER, LEAVE, FEEDBACK } kind;

typedef struct node {
    kind kind;
    uint32_t scope, ins, outs;
    uint32_t in[3], out[3]; /* ports */
    wi_node_id id;
} node;

typedef struct port {
    uint32_t node, index, dims;
    bool is_output, promised;
    wi_loc loc;
} port;

/* From a port to another: `keep` coordinates stay, each raised by add, the others become
 * 0. A path that raises a coordinate beyond the end ends if it goes back, or saturates. */
typedef struct arc {
    uint32_t from, to, keep;
    uint64_t add[4];
    bool back, is_edge;
} arc;

typedef struct moment { uint64_t at[4]; } moment;
typedef struct moments { moment *list; uint32_t count, capacity; } moments;
typedef struct stamp { uint32_t port; moment time; int64_t count; } stamp;

static struct world {
    uint32_t root_dims, node_count, port_count, arc_count, scope_count;
    node nodes[NODES_MAX];
    port ports[PORTS_MAX];
    arc arcs[ARCS_MAX];
    uint32_t parent[SCOPES_MAX], depth[SCOPES_MAX];
    stamp *stamps;
    uint32_t stamp_count, stamp_capacity;
    moments front[PORTS_MAX], before[PORTS_MAX];
    wi_tracker *tracker;
} world;

static bool is_at_most(const moment *a, const moment *b)
{
    return a->at[0] <= b->at[0] && a->at[1] <= b->at[1] && a->at[2] <= b->at[2] &&
           a->at[3] <= b->at[3];
}

static void moments_add(moments *set, const moment *time)
{
    if (set->count == set->capacity) {
        set->capacity = set->capacity ? set->capacity * 2 : 4;
        set->list = realloc(set->list, set->capacity * sizeof *set->list);
        if (!set->list)
            abort();
    }
    set->list[set->count++] = *time;
}

static bool follow(const arc *along, const moment *time, moment *time_out)
{
    memset(time_out, 0, sizeof *time_out);
    for (uint32_t i = 0; i < along->keep; i++) {
        time_out->at[i] = time->at[i] + along->add[i];
        if (time_out->at[i] >= time->at[i])
            continue;
        if (along->back)
            return false;
        time_out->at[i] = UINT64_MAX;
    }
    return true;
}

/* Walks from every pointstamp along every path, for as long as nothing earlier has been
 * there. */
static void search(void)
{
    static struct { uint32_t port; moment time; } *ahead;
    static uint32_t capacity;
    uint32_t count = 0;
    for (uint32_t i = 0; i < world.port_count; i++)
        world.front[i].count = 0;
    for (uint32_t s = 0; s <= world.stamp_count; s++) {
        while (count > 0) {
            uint32_t at = ahead[--count].port;
            moment time = ahead[count].time;
            moments *front = &world.front[at];
            bool covered = false;
            for (uint32_t i = 0; i < front->count && !covered; i++)
                covered = is_at_most(&front->list[i], &time);
            if (covered)
                continue;
            uint32_t kept = 0;
            for (uint32_t i = 0; i < front->count; i++)
                if (!is_at_most(&time, &front->list[i]))
                    front->list[kept++] = front->list[i];
            front->count = kept;
            moments_add(front, &time);
            for (uint32_t i = 0; i < world.arc_count; i++) {
                if (world.arcs[i].from != at)
                    continue;
                if (count + 2 >= capacity) {
                    capacity = capacity * 2 + 64;
                    ahead = realloc(ahead, capacity * sizeof *ahead);
                }
                if (follow(&world.arcs[i], &time, &ahead[count].time))
                    ahead[count++].port = world.arcs[i].to;
            }
        }
        if (s == world.stamp_count || world.stamps[s].count <= 0)
            continue;
        if (capacity == 0)
            ahead = realloc(ahead, (capacity = 64) * sizeof *ahead);
        ahead[0].port = world.stamps[s].port;
        ahead[0].time = world.stamps[s].time;
        count = 1;
    }
}

/* ---- a random graph ---------------------------------------------------------------- */

static uint32_t dims_of(uint32_t scope) { return world.root_dims + world.depth[scope]; }

static uint32_t new_port(uint32_t owner, uint32_t index, bool is_output, uint32_t scope)
{
    if (world.port_count == PORTS_MAX)
        abort();
    world.ports[world.port_count] = (port){
        .node = owner, .index = index, .is_output = is_output, .dims = dims_of(scope)};
    return world.port_count++;
}

static node *new_node(kind what, uint32_t scope, uint32_t ins, uint32_t outs)
{
    if (world.node_count == NODES_MAX)
        abort();
    node *made = &world.nodes[world.node_count];
    *made = (node){.kind = what, .scope = scope, .ins = ins, .outs = outs};
    for (uint32_t i = 0; i < ins; i++)
        made->in[i] = new_port(world.node_count, i, false,
                               what == ENTER ? world.parent[scope] : scope);
    for (uint32_t i = 0; i < outs; i++)
        made->out[i] = new_port(world.node_count, i, true,
                                what == LEAVE ? world.parent[scope] : scope);
    world.node_count++;
    return made;
}

static arc *new_arc(uint32_t from, uint32_t to)
{
    if (world.arc_count == ARCS_MAX)
        abort();
    arc *made = &world.arcs[world.arc_count++];
    uint32_t a = world.ports[from].dims, b = world.ports[to].dims;
    *made = (arc){.from = from, .to = to, .keep = a < b ? a : b};
    return made;
}

typedef struct outputs { uint32_t ports[512], count; } outputs;

static void feed(uint32_t input, const outputs *from, uint32_t edges)
{
    for (uint32_t i = 0; i < edges && from->count; i++)
        new_arc(from->ports[below(from->count)], input)->is_edge = true;
}

static uint32_t some_edges(void)
{
    return percent(5) ? 0 : percent(75) ? 1 : between(2, 3);
}

/* Summaries from each input to each output; with `apart`, only to the one across. */
static void summarise(const node *of, bool apart)
{
    for (uint32_t i = 0; i < of->ins; i++)
        for (uint32_t o = 0; o < of->outs; o++) {
            static const uint32_t how_many[] = {0, 1, 1, 1, 2, 3};
            uint32_t count = apart ? i == o : how_many[below(6)];
            while (count-- > 0) {
                arc *made = new_arc(of->in[i], of->out[o]);
                uint32_t raised = percent(30) ? between(1, made->keep) : 0;
                while (raised-- > 0)
                    made->add[below(made->keep)] = below(3);
            }
        }
}

static void random_scope(uint32_t scope, uint32_t depth_max, node **enters, uint32_t enter_count,
                         node **leaves, uint32_t leave_count);

static void random_loop(uint32_t parent, uint32_t depth_max, outputs *ready)
{
    if (world.scope_count == SCOPES_MAX)
        abort();
    uint32_t scope = world.scope_count++, enter_count = between(1, 2), leave_count = between(1, 2);
    world.parent[scope] = parent;
    world.depth[scope] = world.depth[parent] + 1;
    node *enters[2], *leaves[2];
    for (uint32_t i = 0; i < enter_count; i++) {
        enters[i] = new_node(ENTER, scope, 1, 1);
        feed(enters[i]->in[0], ready, some_edges());
        new_arc(enters[i]->in[0], enters[i]->out[0]);
    }
    for (uint32_t i = 0; i < leave_count; i++) {
        leaves[i] = new_node(LEAVE, scope, 1, 1);
        new_arc(leaves[i]->in[0], leaves[i]->out[0]);
    }
    random_scope(scope, depth_max, enters, enter_count, leaves, leave_count);
    for (uint32_t i = 0; i < leave_count; i++)
        ready->ports[ready->count++] = leaves[i]->out[0];
}

static void random_operator(uint32_t scope, outputs *ready)
{
    bool apart = percent(10); /* its second half is fed from its first */
    uint32_t ins = apart ? 2 : between(0, 3), outs = apart ? 2 : between(0, 3);
    node *made = new_node(OPERATOR, scope, ins, outs);
    summarise(made, apart);
    for (uint32_t i = 0; i < ins; i++)
        feed(made->in[i], ready, some_edges());
    if (apart)
        new_arc(made->out[0], made->in[1])->is_edge = true;
    for (uint32_t i = 0; i < outs; i++)
        ready->ports[ready->count++] = made->out[i];
}

/* Nodes in a topological order, but for feedback, which is fed at the end. */
static void random_scope(uint32_t scope, uint32_t depth_max, node **enters, uint32_t enter_count,
                         node **leaves, uint32_t leave_count)
{
    outputs ready = {.count = 0};
    node *backs[2];
    uint32_t back_count = scope || percent(30) ? below(3) : 0;
    for (uint32_t i = 0; i < enter_count; i++)
        ready.ports[ready.count++] = enters[i]->out[0];
    for (uint32_t i = 0; i < back_count; i++) {
        backs[i] = new_node(FEEDBACK, scope, 1, 1);
        ready.ports[ready.count++] = backs[i]->out[0];
        arc *step = new_arc(backs[i]->in[0], backs[i]->out[0]);
        step->back = true;
        step->add[scope ? step->keep - 1 : below(step->keep)] = between(1, 2);
        if (percent(10))
            step->add[0] += below(2);
    }
    for (uint32_t left = between(2, 5); left > 0; left--) {
        if (world.depth[scope] < depth_max && percent(35))
            random_loop(scope, depth_max, &ready);
        else
            random_operator(scope, &ready);
    }
    for (uint32_t i = 0; i < back_count; i++)
        feed(backs[i]->in[0], &ready, some_edges());
    for (uint32_t i = 0; i < leave_count; i++)
        feed(leaves[i]->in[0], &ready, some_edges());
}

/* ---- the same graph, for the tracker ------------------------------------------------- */

static void shuffle(uint32_t *list, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        list[i] = i;
    for (uint32_t i = count; i > 1; i--) {
        uint32_t j = below(i), swap = list[i - 1];
        list[i - 1] = list[j];
        list[j] = swap;
    }
}

static weir_summary summary_of(const arc *along)
{
    weir_summary summary = weir_summary_identity((int)along->keep);
    memcpy(summary.add, along->add, sizeof summary.add);
    return summary;
}

static void build_node(wi_graph *graph, node *made, const wi_scope_id *scopes)
{
    char name[16];
    snprintf(name, sizeof name, "n%u", (uint32_t)(made - world.nodes));
    if (made->kind == ENTER) {
        made->id = wi_graph_enter(graph, scopes[made->scope], name);
    } else if (made->kind == LEAVE) {
        made->id = wi_graph_leave(graph, scopes[made->scope], name);
    } else if (made->kind == FEEDBACK) {
        for (uint32_t i = 0; i < world.arc_count; i++)
            if (world.arcs[i].from == made->in[0])
                made->id = wi_graph_feedback(graph, scopes[made->scope], name,
                                             summary_of(&world.arcs[i]));
    } else {
        uint32_t late = made->ins ? below(2) : 0;
        made->id = wi_graph_node(graph, scopes[made->scope], name, made->ins - late, made->outs);
        if (late)
            wi_graph_add_input(graph, made->id);
    }
}

static void build_arc(wi_graph *graph, const arc *along)
{
    const port *from = &world.ports[along->from], *to = &world.ports[along->to];
    wi_node_id source = world.nodes[from->node].id, target = world.nodes[to->node].id;
    if (along->is_edge)
        wi_graph_edge(graph, source, from->index, target, to->index);
    else if (world.nodes[from->node].kind == OPERATOR)
        wi_graph_summary(graph, source, from->index, to->index, summary_of(along));
}

static void build_tracker(void)
{
    uint32_t order[ARCS_MAX];
    wi_scope_id scopes[SCOPES_MAX] = {0};
    wi_graph *graph = wi_graph_new((int)world.root_dims);
    for (uint32_t made = 1; made < world.scope_count;) { /* any whose parent there is */
        uint32_t i = between(1, world.scope_count - 1), parent = world.parent[i];
        if (scopes[i] || (parent && !scopes[parent]))
            continue;
        scopes[i] = wi_graph_scope(graph, scopes[parent], "loop");
        made++;
    }
    shuffle(order, world.node_count);
    for (uint32_t i = 0; i < world.node_count; i++)
        build_node(graph, &world.nodes[order[i]], scopes);
    shuffle(order, world.arc_count);
    for (uint32_t i = 0; i < world.arc_count; i++)
        build_arc(graph, &world.arcs[order[i]]);
    uint32_t promises = below(101);
    for (uint32_t i = 0; i < world.port_count; i++) {
        port *at = &world.ports[i];
        at->promised = percent(promises);
        if (at->promised && at->is_output)
            wi_graph_stateless(graph, world.nodes[at->node].id, at->index);
        else if (at->promised)
            wi_graph_uncounted(graph, world.nodes[at->node].id, at->index);
    }
    weir_err *err;
    world.tracker = wi_tracker_new(graph, &err);
    if (!world.tracker)
        fail("a graph was refused that is right: %s", weir_err_message(err));
    for (uint32_t i = 0; i < world.port_count; i++) {
        port *at = &world.ports[i];
        wi_node_id id = world.nodes[at->node].id;
        at->loc = at->is_output ? wi_tracker_out(world.tracker, id, at->index)
                                : wi_tracker_in(world.tracker, id, at->index);
        if (wi_tracker_dims(world.tracker, at->loc) != (int)at->dims)
            fail("port %u has %d coordinates, not %u", i,
                 wi_tracker_dims(world.tracker, at->loc), at->dims);
    }
}

static void build_world(void)
{
    world.node_count = world.port_count = world.arc_count = world.stamp_count = 0;
    world.scope_count = 1;
    world.root_dims = percent(65) ? 1 : 2;
    random_scope(0, between(0, 4 - world.root_dims), NULL, 0, NULL, 0);
    for (uint32_t i = 0; i < world.port_count; i++)
        world.front[i].count = 0;
    build_tracker();
}

/* ---- changes ------------------------------------------------------------------------ */

static void change(uint32_t at, const moment *time, int64_t delta)
{
    weir_time same;
    memcpy(&same, time, sizeof same);
    wi_tracker_update(world.tracker, world.ports[at].loc, &same, delta);
    for (uint32_t i = 0; i < world.stamp_count; i++) {
        stamp *known = &world.stamps[i];
        if (known->port != at || memcmp(&known->time, time, sizeof *time) != 0)
            continue;
        known->count += delta;
        if (known->count == 0)
            *known = world.stamps[--world.stamp_count];
        return;
    }
    if (world.stamp_count == world.stamp_capacity) {
        world.stamp_capacity = world.stamp_capacity * 2 + 16;
        world.stamps = realloc(world.stamps, world.stamp_capacity * sizeof *world.stamps);
    }
    world.stamps[world.stamp_count++] = (stamp){at, *time, delta};
}

static uint32_t random_port(void)
{
    for (uint32_t tries = 0; tries < 100 && world.port_count; tries++) {
        uint32_t at = below(world.port_count);
        if (!world.ports[at].promised)
            return at;
    }
    return UINT32_MAX; /* (nearly) all of them are promised */
}

static moment random_moment(uint32_t dims)
{
    static const uint64_t spans[] = {3, 5, 20, 1000000};
    moment time = {{0}};
    uint64_t span = spans[below(4)];
    for (uint32_t i = 0; i < dims; i++)
        time.at[i] = percent(3) ? UINT64_MAX - below(3) : random_word() % (span + 1);
    return time;
}

/* Hundreds of times at one port: a ramp of incomparable ones, or a cloud. */
static void crowd(uint32_t at)
{
    uint32_t dims = world.ports[at].dims, count = between(100, 500);
    bool ramp = percent(50);
    for (uint32_t i = 0; i < count; i++) {
        moment time = {{0}};
        for (uint32_t d = 0; d < dims; d++)
            time.at[d] = ramp ? (d % 2 ? count - i : i) : below(40);
        change(at, &time, percent(90) ? 1 : -1);
    }
}

static void random_change(void)
{
    uint32_t at = random_port(), what = below(100);
    if (what < 45 && world.stamp_count) { /* move one towards 0, and perhaps on */
        stamp old = world.stamps[below(world.stamp_count)];
        change(old.port, &old.time, percent(80) ? -old.count : old.count > 0 ? -1 : 1);
        if (old.count > 0 && percent(50)) {
            moment later = old.time;
            later.at[below(world.ports[old.port].dims)] += between(1, 2);
            if (is_at_most(&old.time, &later))
                change(old.port, &later, 1);
        }
    } else if (at == UINT32_MAX) {
        return;
    } else if (what < 85) {
        moment time = random_moment(world.ports[at].dims);
        change(at, &time, percent(80) ? 1 : between(2, 3));
    } else if (what < 93) { /* consumed before it was counted */
        moment time = random_moment(world.ports[at].dims);
        change(at, &time, -1);
    } else if (what < 99) { /* nothing, in the end */
        moment time = random_moment(world.ports[at].dims);
        change(at, &time, 1);
        change(at, &time, -1);
    } else if (world.stamp_count < 600) {
        crowd(at);
    }
}

/* ---- comparison --------------------------------------------------------------------- */

static bool has(const moments *set, const weir_time *time)
{
    for (uint32_t i = 0; i < set->count; i++)
        if (memcmp(&set->list[i], time, sizeof *time) == 0)
            return true;
    return false;
}

static bool same_moments(const moments *a, const moments *b)
{
    bool same = a->count == b->count;
    for (uint32_t i = 0; i < a->count && same; i++) {
        weir_time time;
        memcpy(&time, &a->list[i], sizeof time);
        same = has(b, &time);
    }
    return same;
}

static void compare_fronts(void)
{
    for (uint32_t i = 0; i < world.port_count; i++) {
        const weir_antichain *front = wi_tracker_frontier(world.tracker, world.ports[i].loc);
        bool same = front->count == world.front[i].count;
        for (uint32_t t = 0; t < front->count && same; t++)
            same = has(&world.front[i], &front->times[t]) &&
                   (t == 0 || weir_time_compare(&front->times[t - 1], &front->times[t]) < 0);
        if (!same)
            fail("the frontier of port %u (%s) has %u times, or others than the %u it should",
                 i, wi_tracker_node_name(world.tracker, world.ports[i].loc), front->count,
                 world.front[i].count);
    }
}

static void compare_report(const wi_loc *changed, uint32_t changed_count)
{
    for (uint32_t i = 0; i < world.port_count; i++) {
        wi_loc loc = world.ports[i].loc;
        uint32_t listed = 0;
        for (uint32_t c = 0; c < changed_count; c++)
            listed += changed[c] == loc;
        bool is_rep = wi_tracker_rep(world.tracker, loc) == loc;
        bool moved = !same_moments(&world.front[i], &world.before[i]);
        if (listed != (is_rep && moved))
            fail("port %u (%s) is reported %u times, and its frontier %s", i,
                 wi_tracker_node_name(world.tracker, loc), listed,
                 moved ? "has changed" : "has not changed");
    }
}

static uint32_t told;

static void check_told(void *arg, wi_loc loc, const weir_time *time, int64_t count)
{
    (void)arg;
    told++;
    for (uint32_t i = 0; i < world.stamp_count; i++) {
        const stamp *known = &world.stamps[i];
        if (world.ports[known->port].loc == loc && !memcmp(&known->time, time, sizeof *time) &&
            known->count == count)
            return;
    }
    fail("%s is said to hold a pointstamp that nobody put there",
         wi_tracker_node_name(world.tracker, loc));
}

static void compare_stamps(void)
{
    uint32_t positive = 0;
    for (uint32_t i = 0; i < world.stamp_count; i++)
        positive += world.stamps[i].count > 0;
    told = 0;
    wi_tracker_pointstamps(world.tracker, check_told, NULL);
    if (told != positive)
        fail("%u pointstamps are listed, there are %u", told, positive);
    if (wi_tracker_idle(world.tracker) != (world.stamp_count == 0))
        fail("idle, and %u pointstamps are left", world.stamp_count);
}

static void propagate_and_compare(void)
{
    const wi_loc *changed;
    for (uint32_t i = 0; i < world.port_count; i++) {
        moments swap = world.before[i];
        world.before[i] = world.front[i];
        world.front[i] = swap;
    }
    uint32_t changed_count = wi_tracker_propagate(world.tracker, &changed);
    search();
    compare_fronts();
    compare_report(changed, changed_count);
    compare_stamps();
}

static void run_case(uint64_t seed)
{
    case_seed = random_state = seed;
    build_world();
    for (uint32_t step = 0; step < STEPS; step++) {
        for (uint32_t left = percent(10) ? between(5, 30) : between(1, 4); left > 0; left--)
            random_change();
        propagate_and_compare();
    }
    while (world.stamp_count > 0) { /* to the end: all frontiers become empty */
        stamp last = world.stamps[world.stamp_count - 1];
        change(last.port, &last.time, -last.count);
    }
    propagate_and_compare();
    wi_tracker_free(world.tracker);
}

int main(int argc, char **argv)
{
    uint64_t seed = 1, cases = CASES_DEFAULT;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--seed"))
            seed = strtoull(argv[i + 1], NULL, 0);
        else if (!strcmp(argv[i], "--cases"))
            cases = strtoull(argv[i + 1], NULL, 0);
    }
    printf("oracle_tracker --seed %llu --cases %llu\n", (unsigned long long)seed,
           (unsigned long long)cases);
    fflush(stdout);
    for (uint64_t i = 0; i < cases; i++)
        run_case(seed + i);
    printf("ok\n");
    return 0;
}
