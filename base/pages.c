/* Large arrays straight from the system: mappings that begin on a huge page's boundary. Sizes
 * are rounded up to four classes an octave, and some of what is freed is kept for the next of
 * its class: a fresh page costs more than what is usually done with it, since the system
 * clears it. What is kept is bounded, and the first to go is what was freed first. */
#include "pages.h"

#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>

#include "alloc.h"

#define FROM_SYSTEM ((size_t)1 << 20)
#define HUGE_PAGE ((size_t)2 << 20)
#define KEPT_BYTES_MAX ((size_t)64 << 20)
#define KEPT_MAX 64

typedef struct kept {
    void *memory;
    size_t bytes;
} kept;

/* Freed mappings, oldest first. */
static struct {
    pthread_mutex_t lock;
    kept list[KEPT_MAX];
    size_t count, bytes;
} cache = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Rounds up to a multiple of an eighth to a quarter of the size, itself a power of two. */
static size_t class_of(size_t bytes)
{
    size_t step = (size_t)1 << (61 - __builtin_clzll(bytes));
    return (bytes + step - 1) & ~(step - 1);
}

/* Maps with the start on a huge page's boundary, or the system would not use any. */
static void *map(size_t bytes)
{
    size_t room = bytes + HUGE_PAGE;
    char *all = mmap(NULL, room, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (all == MAP_FAILED)
        wi_alloc_failed(bytes);
    char *start = (char *)(((uintptr_t)all + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1));
    if (start > all)
        munmap(all, (size_t)(start - all));
    munmap(start + bytes, (size_t)(all + room - (start + bytes)));
    madvise(start, bytes, MADV_HUGEPAGE);
    return start;
}

static kept take_out(size_t index)
{
    kept taken = cache.list[index];
    cache.bytes -= taken.bytes;
    cache.count--;
    for (size_t i = index; i < cache.count; i++)
        cache.list[i] = cache.list[i + 1];
    return taken;
}

/* The one freed last, whose pages are most likely to be in a cache. */
static void *take_kept(size_t bytes)
{
    void *memory = NULL;
    pthread_mutex_lock(&cache.lock);
    for (size_t i = cache.count; i > 0 && !memory; i--)
        if (cache.list[i - 1].bytes == bytes)
            memory = take_out(i - 1).memory;
    pthread_mutex_unlock(&cache.lock);
    return memory;
}

static void keep(void *memory, size_t bytes)
{
    kept gone[KEPT_MAX];
    size_t gone_count = 0;
    pthread_mutex_lock(&cache.lock);
    while (cache.count && (cache.count == KEPT_MAX || cache.bytes + bytes > KEPT_BYTES_MAX))
        gone[gone_count++] = take_out(0);
    cache.list[cache.count++] = (kept){memory, bytes};
    cache.bytes += bytes;
    pthread_mutex_unlock(&cache.lock);
    for (size_t i = 0; i < gone_count; i++)
        munmap(gone[i].memory, gone[i].bytes);
}

void *wi_pages_new(size_t bytes)
{
    if (bytes < FROM_SYSTEM)
        return wi_alloc(bytes);
    bytes = class_of(bytes);
    void *memory = take_kept(bytes);
    return memory ? memory : map(bytes);
}

void wi_pages_free(void *memory, size_t bytes)
{
    if (bytes < FROM_SYSTEM)
        wi_free(memory);
    else if (class_of(bytes) > KEPT_BYTES_MAX)
        munmap(memory, class_of(bytes));
    else
        keep(memory, class_of(bytes));
}

void *wi_pages_trim(void *memory, size_t bytes, size_t fewer)
{
    if (bytes == fewer)
        return memory;
    if (bytes < FROM_SYSTEM)
        return wi_realloc(memory, fewer);
    if (fewer < FROM_SYSTEM) {
        void *small = wi_alloc(fewer);
        __builtin_memcpy(small, memory, fewer);
        wi_pages_free(memory, bytes);
        return small;
    }
    size_t old = class_of(bytes), now = class_of(fewer);
    if (now < old)
        munmap((char *)memory + now, old - now);
    return memory;
}
