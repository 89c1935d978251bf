/* Keeping and printing the answer. Lines are sorted by name, so that they do not depend on
 * which worker's changes came first. */
#include "answer.h"

#include <stdio.h>
#include <stdlib.h>

#define NAMES_SHOWN 4 /* of the changes of one transaction */

void answer_init(answer *out, const archive *of)
{
    *out = (answer){.of = of, .reached = calloc(of->name_count, sizeof *out->reached)};
}

void answer_fini(answer *of)
{
    free(of->reached);
    free(of->changes);
}

void answer_update(answer *of, uint32_t root, uint32_t package, int64_t diff)
{
    of->reached[package] ^= UINT64_C(1) << root;
    of->counts[root] += diff;
    if (of->change_count == of->change_capacity) {
        of->change_capacity = of->change_capacity ? 2 * of->change_capacity : 256;
        of->changes = realloc(of->changes, of->change_capacity * sizeof *of->changes);
    }
    of->changes[of->change_count++] = (answer_change){package, root, diff > 0};
}

/* Package numbers are in the order of names. */
static int compare_changes(const void *a, const void *b)
{
    uint32_t left = ((const answer_change *)a)->package;
    uint32_t right = ((const answer_change *)b)->package;
    return left < right ? -1 : left > right;
}

static void print_root(const answer *of, uint32_t r, uint32_t txn)
{
    uint32_t gained = 0, lost = 0, shown = 0;
    for (uint32_t i = 0; i < of->change_count; i++) {
        bool ours = of->changes[i].root == r;
        gained += ours && of->changes[i].gained;
        lost += ours && !of->changes[i].gained;
    }
    if (!gained && !lost)
        return;
    printf("%11u  %-16s %6lld", txn, of->of->names[of->roots[r]], (long long)of->counts[r]);
    if (txn) {
        printf("  +%u -%u ", gained, lost);
        for (uint32_t i = 0; i < of->change_count && shown < NAMES_SHOWN; i++)
            if (of->changes[i].root == r && ++shown)
                printf(" %c%s", of->changes[i].gained ? '+' : '-',
                       of->of->names[of->changes[i].package]);
        printf("%s", shown < gained + lost ? " ..." : "");
    }
    printf("\n");
}

void answer_print(answer *of, uint32_t txn)
{
    qsort(of->changes, of->change_count, sizeof *of->changes, compare_changes);
    for (uint32_t r = 0; r < of->root_count; r++)
        print_root(of, r, txn);
    of->change_count = 0;
}

void answer_list(const answer *of)
{
    for (uint32_t r = 0; r < of->root_count; r++)
        for (uint32_t package = 0; package < of->of->name_count; package++)
            if (of->reached[package] >> r & 1)
                printf("%s\t%s\n", of->of->names[of->roots[r]], of->of->names[package]);
}
