/* What the graph programs have in common: they read relations and updates from files, make
 * each transaction an epoch, keep an answer up to date and print it at some of them. Such a
 * program is only a description and a function that builds its dataflow:
 *
 *     static const answer_line lines[] = {{"reached", LINE_TOTAL}, {0}};
 *     static weir_stream build(weir_dataflow *flow, const weir_stream *relations);
 *     static const graph_program program = {.about = "...", .lines = lines, .build = build};
 *
 *     int main(int argc, char **argv) { return graph_main(argc, argv, &program); }
 *
 * `build` gets the relations as sets: a row is there once while more of it has come than gone.
 * It gives rows of type `answer`, those that are to be printed now. */
#ifndef GRAPH_PROGRAM_H
#define GRAPH_PROGRAM_H

#include <weir/weir.h>

/* A row of a relation; with a weight only for programs that say so. */
#define EDGE(F) F(u64, src) F(u64, dst)
#define ROAD(F) F(u64, src) F(u64, dst) F(i64, weight)
#define NODE(F) F(u64, id)
#define ANSWER(F) F(u64, line) F(u64, key) F(i64, value)
WEIR_ROW(edge, EDGE)
WEIR_ROW(road, ROAD)
WEIR_ROW(node, NODE)
WEIR_ROW(answer, ANSWER)

/* How rows of the answer are printed; their field `line` is the index of one of these. */
typedef enum answer_kind {
    LINE_TOTAL, /* txn NAME VALUE; 0 if there is no row */
    LINE_KEYED, /* txn NAME KEY VALUE, in the order of keys */
    LINE_SHARE  /* txn NAME KEY VALUE / 2^62, greatest first */
} answer_kind;

typedef struct answer_line {
    const char *name; /* in the order in which they are printed; ends with NULL */
    answer_kind kind;
} answer_line;

typedef struct graph_program {
    const char *about;
    /* Names of relations, to be read from files in --facts DIR; ends with NULL. Without: one,
     * from the file --edges. With just one: either. */
    const char *const *relations;
    bool weighted; /* rows are roads, not edges */
    const answer_line *lines;
    const weir_option *options; /* of its own; ends with a NULL name */
    weir_stream (*build)(weir_dataflow *flow, const weir_stream *relations);
} graph_program;

int graph_main(int argc, char **argv, const graph_program *program);

/* While building: the rows (nodes) that a list of numbers with commas gives, say "0,17". */
weir_stream graph_nodes(weir_dataflow *flow, const char *list);

#endif
