/* An operator of one's own that waits until times are complete: counts the words of every
 * ten lines. Line n of the standard input has time n; the counts of a window go out when no
 * row of it can come any more, from whatever worker.
 *
 *     windowed_word_count -w 2 <FILE */
#include <stdio.h>

#include <weir/weir.h>

#define WINDOW 10

#define WORD(F) F(weir_text, text)
#define TALLY(F) F(u64, first_line) F(weir_text, word) F(i64, count)
WEIR_ROW(word, WORD)
WEIR_ROW(tally, TALLY)

/* What is kept for a window is a batch of tallies; a batch of lines makes it a larger one. */
static void on_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    uint64_t first = batch->time.at[0] / WINDOW * WINDOW;
    weir_batch **kept = weir_notify_state(op, &WEIR_EPOCH(first + WINDOW - 1), sizeof *kept);
    weir_batch *old = *kept;
    weir_batch *now = weir_batch_new(&tally_type, batch->count + (old ? old->count : 0));
    for (uint32_t i = 0; old && i < old->count; i++)
        tally_store(now, tally_at(now, now->count++), tally_at(old, i));
    for (uint32_t i = 0, at; i < batch->count; i++) {
        tally fresh = {first, word_at(batch, i)->text, 0};
        for (at = 0; at < now->count; at++)
            if (weir_text_equal(&tally_at(now, at)->word, &fresh.word))
                break;
        if (at == now->count)
            tally_store(now, tally_at(now, now->count++), &fresh);
        tally_at(now, at)->count += weir_batch_diff(batch, i);
    }
    weir_batch_drop(old);
    *kept = now;
}

static void on_notify(weir_op *op, const weir_time *time, void *state)
{
    weir_batch **kept = state;
    (*kept)->time = *time;
    weir_send_batch(op, 0, *kept);
}

static void on_discard(WEIR_UNUSED weir_op *op, void *state)
{
    weir_batch_drop(*(weir_batch **)state);
}

static const weir_operator windows = {
    .name = "windows", .batch = on_batch, .notify = on_notify, .discard = on_discard};

/* On worker 0: a line a call, each at its own time. */
static weir_more read_line(weir_source *source, WEIR_UNUSED void *state, WEIR_UNUSED void *arg)
{
    static char *line; /* used again and again */
    static size_t capacity;
    bool reads = weir_worker_index(weir_source_worker(source)) == 0;
    ssize_t length = reads ? getline(&line, &capacity, stdin) : -1;
    if (length < 0)
        return WEIR_DONE;
    weir_text text = weir_text_of(line, (uint32_t)length), token;
    for (weir_cursor at = weir_text_begin(text); weir_next_word(&at, &token);)
        word_push(weir_source_out(source), (word){token});
    weir_source_advance(source, weir_source_epoch(source) + 1);
    return WEIR_MORE;
}

static void build(weir_dataflow *flow, WEIR_UNUSED void *arg)
{
    weir_stream words = weir_generate(flow, &word_type, read_line, 0, NULL);
    weir_route by_word = WEIR_EXCHANGE(WEIR_BY(word, text));
    weir_print(weir_unary(words, by_word, &windows, &tally_type, NULL), stdout);
}

int main(int argc, char **argv)
{
    return weir_main(argc, argv, build, NULL);
}
