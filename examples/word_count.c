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

static void build(weir_dataflow *flow, WEIR_UNUSED void *arg)
{
    const char *path = weir_argument(flow, 0);
    weir_stream lines = weir_read_lines(flow, path ? path : "/dev/stdin");
    weir_stream words = weir_flat_map(lines, &split);
    weir_stream counts = weir_count(words, WEIR_BY(word, word), &tally_type);
    weir_print(counts, stdout);
}

int main(int argc, char **argv)
{
    return weir_main(argc, argv, build, NULL);
}
