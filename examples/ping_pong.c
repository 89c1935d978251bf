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

WEIR_MAP(hop, token, token)
{
    *out = (token){in->id, in->hops + 1};
}

WEIR_ROUTE(next_worker, token)
{
    return in->id + in->hops;
}

WEIR_FILTER(unfinished, token)
{
    const game *rules = arg;
    return in->hops < rules->hops;
}

static weir_more serve(weir_source *source, WEIR_UNUSED void *state, void *arg)
{
    const game *rules = arg;
    if (weir_worker_index(weir_source_worker(source)) == 0)
        for (uint64_t id = 0; id < rules->tokens; id++)
            token_push(weir_source_out(source), (token){id, 0});
    return WEIR_DONE;
}

static void run(weir_worker *worker, void *rules)
{
    weir_dataflow *flow = weir_dataflow_begin(worker, "ping_pong");
    weir_stream served = weir_generate(flow, &token_type, serve, 0, rules);
    weir_loop *loop = weir_loop_begin(flow, "game");
    weir_stream held = weir_variable(loop, weir_enter(loop, served));
    weir_stream moved = weir_map(weir_exchange_by(held, &next_worker, NULL), &hop);
    weir_stream again, done;
    weir_branch(moved, &unfinished, rules, &again, &done);
    weir_variable_set(held, again);
    weir_print(weir_leave(loop, done), stdout);
    weir_err *err = weir_dataflow_end(flow);
    if (err)
        weir_stop(worker, "%s", weir_err_message(err));
    weir_err_free(err);
}

int main(int argc, char **argv)
{
    game rules = {.tokens = 2, .hops = 1000};
    const weir_option options[] = {
        {.name = "tokens", .value = "N", .help = "how many (default 2)", .number = &rules.tokens},
        {.name = "hops", .value = "N", .help = "of each (default 1000)", .number = &rules.hops},
        {0}};
    weir_config config = {0};
    weir_err *err = weir_options(&argc, argv, "Passes tokens between workers.", options, &config);
    if (!err)
        err = weir_execute(&config, run, &rules);
    if (!err)
        return 0;
    fprintf(stderr, "ping_pong: %s\n", weir_err_message(err));
    weir_err_free(err);
    return 1;
}
