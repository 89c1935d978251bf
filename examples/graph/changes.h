/* Relations and how they change, read from files. A relation's file has a row a line:
 *
 *     src dst [weight]                                the base, transaction 0
 *
 * and the file of updates has changes, in the order of their transactions, from 1 on:
 *
 *     txn [relation] src dst [weight] diff            diff 1 adds the row, -1 removes it
 *
 * with the relation's name where there are several. Fields are separated by tabs or spaces. */
#ifndef GRAPH_CHANGES_H
#define GRAPH_CHANGES_H

#include "text_file.h"

#define RELATIONS_MAX 8

typedef struct change {
    uint64_t txn;
    uint64_t src, dst;
    int64_t weight;
    int32_t diff;
    uint32_t relation;
} change;

typedef struct changes {
    change *all; /* the base, then the transactions in order */
    uint64_t count, capacity;
    uint64_t base_count;
    const char *relations[RELATIONS_MAX + 1]; /* their names; NULL behind the last */
    bool weighted; /* rows have a weight; what a row without one has is edge_weight's */
} changes;

/* The weight of an edge for which none is given: 1 to 10. */
int64_t edge_weight(uint64_t src, uint64_t dst);

/* Appends the base of a relation: a file, or the file of its name in a folder (.tsv, .facts
 * or .csv, perhaps packed; a name "a|b" stands for either). */
weir_err *changes_read_base(changes *into, uint32_t relation, const char *path);
weir_err *changes_read_facts(changes *into, uint32_t relation, const char *folder);
/* Appends the updates, once the base is complete. */
weir_err *changes_read_updates(changes *into, const char *path);
void changes_fini(changes *of);

#endif
