/* Tallies: hash tables from keys to a few numbers that are added up. What totals of collections
 * are kept in where times are totally ordered: one table of what is, and one of what changes
 * for each time that is not complete.
 *
 * Open addressing, by groups of slots: a key is in the first group from its own on that was not
 * full. A slot is the key's words, how many rows, and the sums:
 *
 *     | key ... | count + 2^63 | sums ... |
 *
 * The count is biased so that it is never zero in a slot in use, which needs no mark besides:
 * who adds to a count keeps it from becoming -2^63. Groups are in the order of their keys' hashes,
 * turned by `turn`: tables that are filled from one another must not have the same turn, or keys
 * would come in the order of their places, pile up and be found slowly.
 *
 * Long texts in keys are the table's own, each from wi_alloc. Worker. */
#ifndef WEIR_OPERATORS_COLLECTION_TALLY_H
#define WEIR_OPERATORS_COLLECTION_TALLY_H

#include <weir/text.h>

#define WI_TALLY_BLOCK 256 /* keys that are looked up together, at most */
#define WI_TALLY_BIAS (UINT64_C(1) << 63)

/* What slots look like; of an operator, for all its tables. */
typedef struct wi_tally_form {
    uint32_t key_words, texts; /* of which the first 2 * texts are handles */
    uint32_t sums;
    uint32_t step; /* words of a slot */
} wi_tally_form;

wi_tally_form wi_tally_form_of(uint32_t key_words, uint32_t texts, uint32_t sums);

/* All zeros is an empty table with turn 0. */
typedef struct wi_tally {
    uint64_t *slots;
    uint64_t size; /* number of slots */
    uint32_t turn;
    uint64_t count; /* slots in use */
    uint64_t limit; /* at most so many, without growing */
} wi_tally;

void wi_tally_fini(const wi_tally_form *form, wi_tally *tally);
/* Room for `more` new keys. Slots move. */
void wi_tally_reserve(const wi_tally_form *form, wi_tally *tally, uint64_t more);
/* The slots of keys, at most WI_TALLY_BLOCK, for which there is room; new ones have zeros.
 * Long texts of new keys are copied, or, with `take`, used as they are from then on. */
void wi_tally_find(const wi_tally_form *form, wi_tally *tally, const uint64_t *keys, uint32_t count,
                   bool take, uint64_t **slots_out);
/* Up to WI_TALLY_BLOCK slots in use from *place on (at first 0), which is moved; 0 at the end. */
uint32_t wi_tally_next(const wi_tally_form *form, const wi_tally *tally, uint64_t *place,
                       uint64_t **slots_out);
/* Removes a slot. Others move. */
void wi_tally_remove(const wi_tally_form *form, wi_tally *tally, uint64_t *slot);
/* Removes the slots whose numbers are all zero. Slots move. */
void wi_tally_sweep(const wi_tally_form *form, wi_tally *tally);
/* Gives memory back if few slots are in use. Slots move. */
void wi_tally_shrink(const wi_tally_form *form, wi_tally *tally);
/* Puts keys in place for another turn. Slots move. */
void wi_tally_turn(const wi_tally_form *form, wi_tally *tally, uint32_t turn);
/* Empty again; its memory is kept for about as many keys, its texts are not freed. */
void wi_tally_clear(const wi_tally_form *form, wi_tally *tally);

/* Whether count and sums are all zero. */
static inline bool wi_tally_nothing(const wi_tally_form *form, const uint64_t *slot)
{
    uint64_t any = slot[form->key_words] ^ WI_TALLY_BIAS;
    for (uint32_t i = form->key_words + 1; i < form->step; i++)
        any |= slot[i];
    return any == 0;
}

#endif
