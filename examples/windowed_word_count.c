/* An operator of one's own that waits until times are complete: counts the words of every
 * ten lines. Line n of the standard input has time n; the counts of a window go out when no
 * row of it can come any more, from whatever worker.
 *
 *     windowed_word_count -w 2 <FILE */
#include <stdio.h>
#include <stdlib.h>

#include <weir/weir.h>

#define WINDOW_LINES 10

#define WORD(F) F(weir_text, text)
#define TALLY(F) F(u64, first_line) F(weir_text, word) F(i64, count)
WEIR_ROW(word, WORD)
WEIR_ROW(tally, TALLY)

typedef struct window {
    weir_batch *tallies; /* one row for each word so far; sent as it is */
} window;

/* The row of a word, a new one if needed. */
static tally *tally_of(window *in, uint64_t first_line, const weir_text *text)
{
    uint32_t count = in->tallies ? in->tallies->count : 0;
    for (uint32_t i = 0; i < count; i++)
        if (weir_text_equal(&tally_at(in->tallies, i)->word, text))
            return tally_at(in->tallies, i);
    if (!in->tallies || count == in->tallies->capacity) {
        weir_batch *larger = weir_batch_new(&tally_type, count ? count * 2 : 64);
        for (; larger->count < count; larger->count++)
            tally_store(larger, tally_at(larger, larger->count),
                        tally_at(in->tallies, larger->count));
        weir_batch_drop(in->tallies);
        in->tallies = larger;
    }
    tally *slot = tally_at(in->tallies, in->tallies->count++);
    tally_store(in->tallies, slot, &(tally){first_line, *text, 0});
    return slot;
}

static void on_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        uint64_t line = weir_batch_time(batch, i)->at[0], first = line - line % WINDOW_LINES;
        window *in = weir_notify_state(op, &WEIR_EPOCH(first + WINDOW_LINES - 1), sizeof *in);
        tally_of(in, first, &word_at(batch, i)->text)->count += weir_batch_diff(batch, i);
    }
}

static void on_notify(weir_op *op, const weir_time *time, void *state)
{
    window *in = state;
    in->tallies->time = *time;
    weir_send_batch(op, 0, in->tallies);
}

static const weir_operator windows = {.name = "windows", .batch = on_batch, .notify = on_notify};

/* On worker 0: a line a call, each at its own time. */
static weir_more read_line(weir_source *source, WEIR_UNUSED void *state, WEIR_UNUSED void *arg)
{
    bool reads = weir_worker_index(weir_source_worker(source)) == 0;
    char *line = NULL;
    size_t capacity = 0;
    ssize_t length = reads ? getline(&line, &capacity, stdin) : -1;
    if (length >= 0) {
        weir_text text = weir_text_of(line, (uint32_t)length), token;
        for (weir_cursor at = weir_text_begin(text); weir_next_word(&at, &token);)
            word_push(weir_source_out(source), (word){token});
        weir_source_advance(source, weir_source_epoch(source) + 1);
    }
    free(line);
    return length >= 0 ? WEIR_MORE : WEIR_DONE;
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
