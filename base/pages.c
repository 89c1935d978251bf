/* Large arrays straight from the system: mappings that begin on a huge page's boundary. */
#include "pages.h"

#include <stdint.h>
#include <sys/mman.h>

#include "alloc.h"

#define FROM_SYSTEM ((size_t)1 << 20)
#define HUGE_PAGE ((size_t)2 << 20)
#define PAGE ((size_t)4096)

static size_t round_up(size_t bytes, size_t to)
{
    return (bytes + to - 1) & ~(to - 1);
}

/* Maps with the start on a huge page's boundary, or the system would not use any. */
static void *map(size_t bytes)
{
    size_t room = bytes + HUGE_PAGE;
    char *all = mmap(NULL, room, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (all == MAP_FAILED)
        return NULL;
    char *start = (char *)round_up((uintptr_t)all, HUGE_PAGE);
    if (start > all)
        munmap(all, (size_t)(start - all));
    munmap(start + bytes, (size_t)(all + room - (start + bytes)));
    madvise(start, bytes, MADV_HUGEPAGE);
    return start;
}

void *wi_pages_new(size_t bytes)
{
    if (bytes < FROM_SYSTEM)
        return wi_alloc(bytes ? bytes : 1);
    void *memory = map(round_up(bytes, PAGE));
    if (!memory)
        wi_alloc_failed(bytes);
    return memory;
}

void wi_pages_free(void *memory, size_t bytes)
{
    if (bytes < FROM_SYSTEM)
        wi_free(memory);
    else if (memory)
        munmap(memory, round_up(bytes, PAGE));
}

void *wi_pages_trim(void *memory, size_t bytes, size_t fewer)
{
    if (bytes == fewer)
        return memory;
    if (bytes < FROM_SYSTEM)
        return wi_realloc(memory, fewer ? fewer : 1);
    if (fewer < FROM_SYSTEM) {
        void *small = wi_alloc(fewer ? fewer : 1);
        __builtin_memcpy(small, memory, fewer);
        wi_pages_free(memory, bytes);
        return small;
    }
    size_t old = round_up(bytes, PAGE), kept = round_up(fewer, PAGE);
    if (kept < old)
        munmap((char *)memory + kept, old - kept);
    return memory;
}
