/* Memory for large arrays: whole pages from the system, huge ones where it has them, given
 * back as soon as they are freed. The allocator would keep them, and what a trace drops after
 * a merge is often a good part of all memory. Small sizes come from the allocator.
 *
 * With a budget, arrays that would go beyond it are mapped from a file that has no name and
 * so is gone with the process. The system writes their pages back and drops them as it needs
 * to; wi_pages_settle asks it to. */
#ifndef WEIR_BASE_PAGES_H
#define WEIR_BASE_PAGES_H

#include <stddef.h>

#include <weir/base.h>

/* Uninitialised; at least aligned to 16. Whoever frees or trims says the size again. */
void *wi_pages_new(size_t bytes) __attribute__((malloc, returns_nonnull));
void *wi_pages_zeroed(size_t bytes) __attribute__((malloc, returns_nonnull));
void wi_pages_free(void *memory, size_t bytes);
/* The same memory, perhaps moved, with less room; what is cut off is given back. */
void *wi_pages_trim(void *memory, size_t bytes, size_t fewer);
/* The memory without so many first bytes, or somewhat fewer: they are given back. *bytes is what is
 * left; if that is none, the result is NULL, and nothing is kept for the next array. */
void *wi_pages_cut(void *memory, size_t *bytes, size_t first);
/* Frees `from`, and puts what whole pages it has in the place of those of `to` from byte `at` on,
 * whose contents are lost. For arrays that are read as another is written: pages that were just
 * read serve the writer, who otherwise would get fresh ones, which cost more than what is done
 * with them. Returns how many bytes of `to`, from `at` on, are such pages; perhaps 0. */
size_t wi_pages_move(void *to, size_t to_bytes, size_t at, void *from, size_t bytes);
/* The first `at` of those that wi_pages_move takes, at or after a byte. */
size_t wi_pages_place(size_t byte);
/* It will not be written any more, and may not be read for long. */
void wi_pages_settle(void *memory, size_t bytes);

/* A file in the directory that has no name and is gone with its descriptor; -1 and errno. */
int wi_nameless_file(const char *directory);

/* For the whole process, until wi_pages_budget_end: how many bytes such arrays may have in
 * memory, and the directory for what goes beyond. An error if nothing can be written there. If
 * there is a budget already, that one stays, until the last that asked has ended it. */
weir_err *wi_pages_budget(size_t bytes, const char *directory);
void wi_pages_budget_end(void);

#endif
