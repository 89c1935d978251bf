/* A loop: tokens go from worker to worker until each has made its hops.
 *
 *     ping_pong -w 2 --hops 100000 --tokens 4
 *
 * Shows weir_variable, a route of one's own, and a branch that leaves the loop. */
#include <stdio.h>

#include <weir/weir.h>

#define TOKEN(F) F(u64, id) F(u64, hops)
WEIR_ROW(token, TOKEN)

typedef struct game {
    uint64_t tokens, hops;
} game;

static weir_more serve(weir_source *source, WEIR_UNUSED void *state, void *arg)
{
    const game *rules = arg;
    if (weir_worker_index(weir_source_worker(source)) == 0)
        for (uint64_t id = 0; id < rules->tokens; id++)
            token_push(weir_source_out(source), (token){id, 0});
    return WEIR_DONE;
}

WEIR_ROUTE(next_worker, token)
{
    return in->id + in->hops;
}
WEIR_MAP(hop, token, token)
{
    *out = (token){in->id, in->hops + 1};
}
WEIR_FILTER(unfinished, token)
{
    return in->hops < ((const game *)arg)->hops;
}

static void build(weir_dataflow *flow, void *rules)
{
    weir_stream served = weir_generate(flow, &token_type, serve, 0, rules);
    weir_loop *loop = weir_loop_begin(flow, "game");
    weir_stream held = weir_variable(loop, weir_enter(loop, served));
    weir_stream moved = weir_map(weir_exchange_by(held, &next_worker, NULL), &hop);
    weir_stream again, done;
    weir_branch(moved, &unfinished, rules, &again, &done);
    weir_variable_set(held, again);
    weir_print(weir_leave(loop, done), stdout);
}

int main(int argc, char **argv)
{
    game rules = {.tokens = 2, .hops = 1000};
    const weir_option options[] = {
        {.name = "tokens", .value = "N", .help = "how many (default 2)", .number = &rules.tokens},
        {.name = "hops", .value = "N", .help = "of each (default 1000)", .number = &rules.hops},
        {0}};
    return weir_main_with(argc, argv, "Passes tokens between workers.", options, build, &rules);
}
