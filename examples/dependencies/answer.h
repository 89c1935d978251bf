/* The answer as worker 0 keeps it: for each package asked for, which packages it pulls in,
 * and what the present transaction has changed in that. */
#ifndef ANSWER_H
#define ANSWER_H

#include "archive.h"

#define ROOTS_MAX 64

typedef struct answer_change {
    uint32_t package, root;
    bool gained; /* or lost */
} answer_change;

typedef struct answer {
    const archive *of;
    uint32_t roots[ROOTS_MAX], root_count; /* the packages asked for */
    int64_t counts[ROOTS_MAX];
    uint64_t *reached; /* for each package, which roots pull it in: a bit each */
    answer_change *changes;
    uint32_t change_count, change_capacity;
} answer;

void answer_init(answer *out, const archive *of);
void answer_fini(answer *of);
/* Root `root` now pulls in the package (diff 1), or does so no longer (-1). */
void answer_update(answer *of, uint32_t root, uint32_t package, int64_t diff);
/* Prints a line for each root that the transaction has changed, and forgets the changes.
 * Transaction 0 is the base. */
void answer_print(answer *of, uint32_t txn);
/* Prints every package that every root pulls in. */
void answer_list(const answer *of);

#endif
