/* What the workers of one operator tell each other; see talk.h. */
#include "talk.h"

#include "../../base/alloc.h"

/* A worker may begin a turn this long after the last one. */
#define TURN_NS 1000000

#define SPOKEN(F) F(u32, worker) F(bool, active) F(bool, wants) F(i64, least) F(i64, greatest)
WEIR_ROW(spoken, SPOKEN)

/* ---- building --------------------------------------------------------------------------- */

weir_stream wi_talk_way(weir_scope *scope)
{
    int dims = weir_scope_dims(scope);
    return weir_feedback(scope, &spoken_type, weir_summary_add(dims, dims - 1, 1));
}

void wi_talk_connect(weir_builder *builder, weir_stream way)
{
    weir_builder_input(builder, way, WEIR_BROADCAST);
    weir_stream words = weir_builder_output(builder, &spoken_type);
    for (uint32_t input = 0; input < 2; input++)
        for (uint32_t output = 0; output < 2; output++)
            weir_builder_unrelated(builder, input, output);
    weir_feedback_set(way, words);
}

/* ---- who has said what ------------------------------------------------------------------ */

void wi_talk_start(wi_talk *talk, weir_op *op, uint32_t input, uint32_t output, uint32_t talking)
{
    const weir_worker *worker = weir_op_worker(op);
    talk->input = input;
    talk->output = output;
    talk->workers = weir_worker_count(worker);
    talk->words = WI_NEWS(wi_word, talk->workers);
    for (uint32_t w = 0; w < talk->workers; w++)
        talk->words[w] = (wi_word){.least = w < talking ? INT64_MIN : INT64_MAX,
                                   .greatest = INT64_MIN,
                                   .active = w < talking};
    talk->said = (wi_word){.least = INT64_MIN, .greatest = INT64_MIN, .active = true};
    if (weir_worker_index(worker) < talking)
        talk->capability = weir_op_first_capability(op, output);
}

void wi_talk_hear(wi_talk *talk, const weir_batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        const spoken *row = spoken_at(batch, i);
        if (row->worker < talk->workers)
            talk->words[row->worker] =
                (wi_word){row->least, row->greatest, row->active, row->wants};
    }
    /* The way back has made the turn one more. */
    if (batch->time.at[0] > talk->called)
        talk->called = batch->time.at[0];
}

bool wi_talk_least(const wi_talk *talk, const weir_op *op, int64_t *least_out)
{
    uint32_t self = weir_worker_index(weir_op_worker(op));
    bool any = false;
    *least_out = INT64_MAX;
    for (uint32_t w = 0; w < talk->workers; w++) {
        if (w == self || !talk->words[w].active)
            continue;
        any = true;
        if (talk->words[w].least < *least_out)
            *least_out = talk->words[w].least;
    }
    return any;
}

int64_t wi_talk_greatest(const wi_talk *talk, const weir_op *op)
{
    uint32_t self = weir_worker_index(weir_op_worker(op));
    int64_t greatest = INT64_MIN;
    for (uint32_t w = 0; w < talk->workers; w++)
        if (w != self && talk->words[w].greatest > greatest)
            greatest = talk->words[w].greatest;
    return greatest;
}

static bool others_want(const wi_talk *talk, const weir_op *op)
{
    uint32_t self = weir_worker_index(weir_op_worker(op));
    for (uint32_t w = 0; w < talk->workers; w++)
        if (w != self && talk->words[w].wants)
            return true;
    return false;
}

/* ---- turns ------------------------------------------------------------------------------ */

static bool is_new(const wi_talk *talk, const weir_op *op, const wi_word *now)
{
    const wi_word *said = &talk->said;
    if (now->active != said->active || now->wants != said->wants)
        return true;
    return (now->least != said->least || now->greatest != said->greatest) && others_want(talk, op);
}

static void say(wi_talk *talk, weir_op *op, const wi_word *now)
{
    spoken row;
    memset(&row, 0, sizeof row);
    row.worker = weir_worker_index(weir_op_worker(op));
    row.active = now->active;
    row.wants = now->wants;
    row.least = now->least;
    row.greatest = now->greatest;
    spoken_push(weir_send_at(op, talk->output, &WEIR_EPOCH(talk->turn)), row);
    talk->said = *now;
}

static bool turn_is_over(const wi_talk *talk, weir_op *op)
{
    const weir_antichain *frontier = weir_op_frontier(op, talk->input);
    return !frontier->count || frontier->times[0].at[0] > talk->turn + 1;
}

/* Whether it is too early to begin a turn; then it will be called again. */
static bool too_early(wi_talk *talk, weir_op *op)
{
    uint64_t now = weir_now(weir_op_worker(op));
    if (now >= talk->next_ns)
        return false;
    if (now >= talk->armed_ns) {
        talk->armed_ns = talk->next_ns;
        weir_activate_after(op, talk->next_ns - now);
    }
    return true;
}

void wi_talk_go(wi_talk *talk, weir_op *op, const wi_word *now)
{
    while (talk->capability) {
        if (talk->joined) {
            if (!turn_is_over(talk, op))
                return;
            talk->joined = false;
            talk->turn++;
        }
        bool called = talk->called > talk->turn;
        bool begins = !wi_talk_answered(talk) || is_new(talk, op, now);
        if (!called && (!begins || too_early(talk, op)))
            return;
        if (begins)
            say(talk, op, now);
        weir_capability_downgrade(talk->capability, &WEIR_EPOCH(talk->turn + 1));
        talk->joined = true;
        talk->next_ns = weir_now(weir_op_worker(op)) + TURN_NS;
    }
}

void wi_talk_ask(wi_talk *talk)
{
    talk->wanted = talk->turn + 1 + talk->joined;
}

void wi_talk_end(wi_talk *talk)
{
    weir_capability_drop(talk->capability);
    talk->capability = NULL;
}

void wi_talk_fini(wi_talk *talk)
{
    wi_free(talk->words);
}
