/* Between the two files of the naive side: naive.c knows times and loops, naive_operators.c
 * what an operator makes of whole collections. */
#ifndef WEIR_TESTS_ORACLE_NAIVE_H
#define WEIR_TESTS_ORACLE_NAIVE_H

#include "functions.h"

/* Ends the evaluation: the case has no defined meaning. */
_Noreturn void naive_refuse(void);
/* Lasts until the next case. */
void *naive_memory(size_t bytes);
/* `out` is empty; it need not be settled afterwards. */
void naive_row_by_row(const node *how, const bag *in, bag *out);
void naive_join(const node *how, const bag *a, const bag *b, bag *out);
void naive_group(const node *how, const bag *in, bag *out);

#endif
