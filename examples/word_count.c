/* Counts the words of a file, over any number of workers.
 *
 *     word_count FILE -w 4        without FILE: the standard input
 *
 * Each worker reads its part of the file; equal words meet on one worker. */
#include <stdio.h>

#include <weir/weir.h>

#define LINE(F) F(weir_text, text)
#define WORD(F) F(weir_text, word)
#define TALLY(F) F(weir_text, word) F(i64, count)
WEIR_ROW(line, LINE)
WEIR_ROW(word, WORD)
WEIR_ROW(tally, TALLY)

WEIR_FLAT_MAP(split, line, word)
{
    weir_text token;
    for (weir_cursor at = weir_text_begin(in->text); weir_next_word(&at, &token);)
        word_push(out, (word){token});
}

static void run(weir_worker *worker, void *path)
{
    weir_dataflow *flow = weir_dataflow_begin(worker, "word_count");
    weir_stream lines = weir_read_lines(flow, path);
    weir_stream words = weir_flat_map(lines, &split);
    weir_stream counts = weir_count(words, WEIR_BY(word, word), &tally_type);
    weir_print(counts, stdout);
    weir_err *err = weir_dataflow_end(flow);
    if (err)
        weir_stop(worker, "%s", weir_err_message(err));
    weir_err_free(err);
}

int main(int argc, char **argv)
{
    char standard_input[] = "/dev/stdin";
    weir_config config = {0};
    weir_err *err = weir_options(&argc, argv, "Counts the words of a file.", NULL, &config);
    if (!err)
        err = weir_execute(&config, run, argc > 1 ? argv[1] : standard_input);
    if (!err)
        return 0;
    fprintf(stderr, "word_count: %s\n", weir_err_message(err));
    weir_err_free(err);
    return 1;
}
