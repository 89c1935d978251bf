/* The answer as worker 0 keeps it: for each package asked for, which packages it pulls in,
 * and what the present transaction has changed in that. */
#ifndef ANSWER_H
#define ANSWER_H

#include "archive.h"
#include "reach.h"

typedef struct answer_change {
    uint32_t package;
    bool gained; /* or lost */
    uint64_t roots;
} answer_change;

typedef struct answer {
    const archive *of;
    uint32_t roots[ROOTS_MAX], root_count; /* the packages asked for */
    int64_t counts[ROOTS_MAX];
    uint64_t *reached; /* for each package, which roots pull it in */
    answer_change *changes;
    uint32_t change_count, change_capacity;
} answer;

void answer_init(answer *out, const archive *of);
void answer_fini(answer *of);
/* Takes a row of reach's result. */
void answer_update(answer *of, const visit *row, int64_t diff);
/* Prints a line for each root that the transaction has changed, and forgets the changes.
 * `how` the answer was brought up to date. Transaction 0 is the base. */
void answer_print(answer *of, uint32_t txn, const char *how);
/* Prints every package that every root pulls in. */
void answer_list(const answer *of);

#endif
