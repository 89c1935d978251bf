/* Allocation that stops the process rather than fail. jemalloc is configured here: few
 * arenas; thread caches that recycle a few batches of each size up to 2 MB without a lock;
 * pages kept for a few seconds, so that a steady dataflow does not fault them in again, and
 * taken from runs of any length. (By default a batch is not cut from a run 64 times its
 * size: batches freed together become such runs, and memory would grow without bound.) */
#include "alloc.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weir/base.h>

#include "assert.h"

#define CACHE_LINE 64

/* Read by jemalloc at its start; in builds without jemalloc (sanitizers) nobody reads it. */
WEIR_API extern const char *malloc_conf;
const char *malloc_conf = "narenas:4,oversize_threshold:0,"
                          "tcache_max:2097152,tcache_nslots_large:8,"
                          "dirty_decay_ms:10000,muzzy_decay_ms:10000,"
                          "lg_extent_max_active_fit:16,thp:default";

static _Thread_local const char *blamed;

void wi_alloc_blame(const char *what)
{
    blamed = what;
}

/* No allocation, no stdio buffer, no destructors: there is no memory left. */
void wi_alloc_failed(size_t bytes)
{
    char text[320];
    int length = snprintf(text, sizeof text,
                          "weir: out of memory: could not get %zu bytes%s%s; the process stops "
                          "here, since no later answer could be trusted. Give it more memory "
                          "(ulimit -v, cgroup limit) or use smaller batches.\n",
                          bytes, blamed ? " for " : "", blamed ? blamed : "");
    if (length > (int)sizeof text - 1)
        length = sizeof text - 1;
    ssize_t ignored = write(STDERR_FILENO, text, (size_t)length);
    (void)ignored;
    _exit(70);
}

void *wi_alloc(size_t bytes)
{
    void *memory = malloc(bytes ? bytes : 1);
    if (WEIR_UNLIKELY(!memory))
        wi_alloc_failed(bytes);
    return memory;
}

void *wi_calloc(size_t count, size_t bytes)
{
    void *memory = calloc(count ? count : 1, bytes ? bytes : 1);
    if (WEIR_UNLIKELY(!memory))
        wi_alloc_failed(count * bytes);
    return memory;
}

void *wi_realloc(void *old, size_t bytes)
{
    void *memory = realloc(old, bytes ? bytes : 1);
    if (WEIR_UNLIKELY(!memory))
        wi_alloc_failed(bytes);
    return memory;
}

void *wi_alloc_lines(size_t bytes)
{
    size_t rounded = (bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    void *memory = aligned_alloc(CACHE_LINE, rounded ? rounded : CACHE_LINE);
    if (WEIR_UNLIKELY(!memory))
        wi_alloc_failed(bytes);
    memset(memory, 0, rounded);
    return memory;
}

char *wi_strdup(const char *text)
{
    size_t bytes = strlen(text) + 1;
    return memcpy(wi_alloc(bytes), text, bytes);
}

void wi_free(void *memory)
{
    free(memory);
}

void wi_grow(void *array, unsigned *capacity, unsigned needed, size_t bytes)
{
    if (needed <= *capacity)
        return;
    uint64_t wanted = *capacity ? (uint64_t)*capacity * 2 : 8;
    if (wanted < needed)
        wanted = needed;
    wi_assert(wanted <= UINT32_MAX, "an array has fewer than 2^32 elements");
    void *grown;
    memcpy(&grown, array, sizeof grown);
    grown = wi_realloc(grown, wanted * bytes);
    memcpy(array, &grown, sizeof grown);
    *capacity = (unsigned)wanted;
}
