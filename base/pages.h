/* Memory for large arrays: whole pages from the system, huge ones where it has them, given
 * back as soon as they are freed. The allocator would keep them, and what a trace drops after
 * a merge is often a good part of all memory. Small sizes come from the allocator. */
#ifndef WEIR_BASE_PAGES_H
#define WEIR_BASE_PAGES_H

#include <stddef.h>

/* Uninitialised; at least aligned to 16. Whoever frees or trims says the size again. */
void *wi_pages_new(size_t bytes) __attribute__((malloc, returns_nonnull));
void wi_pages_free(void *memory, size_t bytes);
/* The same memory, perhaps moved, with less room; what is cut off is given back. */
void *wi_pages_trim(void *memory, size_t bytes, size_t fewer);

#endif
