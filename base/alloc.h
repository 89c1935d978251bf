/* Memory that is always there: these never return NULL. When the system has none left,
 * the process stops at once with a message that names the size; a dataflow that has lost
 * an allocation in its middle has no answer that could be trusted. */
#ifndef WEIR_BASE_ALLOC_H
#define WEIR_BASE_ALLOC_H

#include <stddef.h>

void *wi_alloc(size_t bytes) __attribute__((malloc, alloc_size(1), returns_nonnull));
void *wi_calloc(size_t count, size_t bytes)
    __attribute__((malloc, alloc_size(1, 2), returns_nonnull));
void *wi_realloc(void *old, size_t bytes) __attribute__((alloc_size(2), returns_nonnull));
/* Aligned to a cache line, zeroed: for what threads share. */
void *wi_alloc_lines(size_t bytes) __attribute__((malloc, alloc_size(1), returns_nonnull));
char *wi_strdup(const char *text) __attribute__((malloc, returns_nonnull));
void wi_free(void *memory);
/* Stops the process: the system had no memory of that size. */
void wi_alloc_failed(size_t bytes) __attribute__((noreturn, cold));

/* Says what the calling thread is doing ("operator `map`"), for the message. May be NULL;
 * the text must stay valid. */
void wi_alloc_blame(const char *what);

/* Grows *array (elements of `bytes`) so that it holds `needed`, by doubling. */
void wi_grow(void *array, unsigned *capacity, unsigned needed, size_t bytes);

#define WI_NEW(type) ((type *)wi_calloc(1, sizeof(type)))
#define WI_NEWS(type, count) ((type *)wi_calloc((count), sizeof(type)))

#endif
