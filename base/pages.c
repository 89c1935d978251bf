/* Large arrays straight from the system: mappings that begin on a huge page's boundary. Sizes
 * are rounded up to four classes an octave, and some of what is freed is kept for the next of
 * its class: a fresh page costs more than what is usually done with it, since the system
 * clears it. What is kept is bounded, and the first to go is what was freed first. */
#include "pages.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "alloc.h"

#define FROM_SYSTEM ((size_t)1 << 20)
#define HUGE_PAGE ((size_t)2 << 20)
#define KEPT_BYTES_MIN ((size_t)64 << 20) /* always; and a share of what is in use */
#define KEPT_SHARE 8
#define KEPT_MAX 64

typedef struct kept {
    void *memory;
    size_t bytes;
} kept;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all of these */

/* Freed mappings, oldest first. */
static struct {
    kept list[KEPT_MAX];
    size_t count, bytes;
} cache;

/* What is mapped from files, and how much is not. */
static struct {
    char *directory;
    size_t budget, in_memory;
    void **mapped;
    unsigned count, capacity;
} spill;

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
    pthread_mutex_lock(&lock);
    for (size_t i = cache.count; i > 0 && !memory; i--)
        if (cache.list[i - 1].bytes == bytes)
            memory = take_out(i - 1).memory;
    pthread_mutex_unlock(&lock);
    return memory;
}

static void keep(void *memory, size_t bytes)
{
    kept gone[KEPT_MAX];
    size_t gone_count = 0;
    pthread_mutex_lock(&lock);
    size_t most = KEPT_BYTES_MIN + spill.in_memory / KEPT_SHARE;
    while (cache.count && (cache.count == KEPT_MAX || cache.bytes + bytes > most))
        gone[gone_count++] = take_out(0);
    if (bytes <= most) {
        cache.list[cache.count++] = (kept){memory, bytes};
        cache.bytes += bytes;
        memory = NULL;
    }
    pthread_mutex_unlock(&lock);
    for (size_t i = 0; i < gone_count; i++)
        munmap(gone[i].memory, gone[i].bytes);
    if (memory)
        munmap(memory, bytes);
}

/* ---- beyond the budget ------------------------------------------------------------------ */

/* A file without a name, or -1 and errno. */
static int nameless(const char *directory)
{
    int file = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (file >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
        return file;
    char path[4096];
    snprintf(path, sizeof path, "%s/weir-XXXXXX", directory);
    file = mkostemp(path, O_CLOEXEC);
    if (file >= 0)
        unlink(path);
    return file;
}

static void __attribute__((noreturn, cold)) spill_failed(const char *what)
{
    fprintf(stderr,
            "weir: --memory is used up and %s in %s: %s; the process stops here, since no later "
            "answer could be trusted. Give it more room there, another directory (--spill) or "
            "more memory.\n",
            what, spill.directory, strerror(errno));
    _exit(70);
}

static void *map_file(size_t bytes)
{
    int file = nameless(spill.directory);
    if (file < 0)
        spill_failed("a file could not be made");
    /* reserved, so that a full disk is noticed here and not by a signal at some store */
    if ((errno = posix_fallocate(file, 0, (off_t)bytes)) != 0)
        spill_failed("there is no room");
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (memory == MAP_FAILED)
        spill_failed("a file could not be mapped");
    close(file);
    pthread_mutex_lock(&lock);
    wi_grow(&spill.mapped, &spill.capacity, spill.count + 1, sizeof *spill.mapped);
    spill.mapped[spill.count++] = memory;
    pthread_mutex_unlock(&lock);
    return memory;
}

/* Whether that is mapped from a file; if so, perhaps forgets it. */
static bool is_of_file(const void *memory, bool forget)
{
    bool found = false;
    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < spill.count && !found; i++) {
        found = spill.mapped[i] == memory;
        if (found && forget)
            spill.mapped[i] = spill.mapped[--spill.count];
    }
    pthread_mutex_unlock(&lock);
    return found;
}

/* Counts an array in memory; false, and it is not, if it would be too much. */
static bool admit(size_t bytes)
{
    pthread_mutex_lock(&lock);
    bool fits = !spill.budget || spill.in_memory + bytes <= spill.budget;
    spill.in_memory += fits ? bytes : 0;
    pthread_mutex_unlock(&lock);
    return fits;
}

static void release(size_t bytes)
{
    pthread_mutex_lock(&lock);
    spill.in_memory -= bytes;
    pthread_mutex_unlock(&lock);
}

weir_err *wi_pages_budget(size_t bytes, const char *directory)
{
    if (bytes) {
        int file = nameless(directory);
        if (file < 0)
            return weir_err_new("no file can be made in %s, where what --memory has no room for "
                                "is to go: %s; see --spill",
                                directory, strerror(errno));
        close(file);
    }
    pthread_mutex_lock(&lock);
    wi_free(spill.directory);
    spill.directory = bytes ? wi_strdup(directory) : NULL;
    spill.budget = bytes;
    pthread_mutex_unlock(&lock);
    return NULL;
}

/* ---- arrays ----------------------------------------------------------------------------- */

void *wi_pages_new(size_t bytes)
{
    if (bytes < FROM_SYSTEM)
        return wi_alloc(bytes);
    bytes = class_of(bytes);
    if (!admit(bytes))
        return map_file(bytes);
    void *memory = take_kept(bytes);
    return memory ? memory : map(bytes);
}

void wi_pages_free(void *memory, size_t bytes)
{
    if (bytes < FROM_SYSTEM) {
        wi_free(memory);
        return;
    }
    bytes = class_of(bytes);
    bool of_file = is_of_file(memory, true);
    if (!of_file)
        release(bytes);
    if (of_file)
        munmap(memory, bytes);
    else
        keep(memory, bytes);
}

void *wi_pages_trim(void *memory, size_t bytes, size_t fewer)
{
    if (bytes == fewer)
        return memory;
    if (bytes < FROM_SYSTEM)
        return wi_realloc(memory, fewer);
    if (fewer < FROM_SYSTEM) {
        void *small = wi_alloc(fewer);
        memcpy(small, memory, fewer);
        wi_pages_free(memory, bytes);
        return small;
    }
    size_t old = class_of(bytes), now = class_of(fewer);
    if (now < old) {
        munmap((char *)memory + now, old - now);
        if (!is_of_file(memory, false))
            release(old - now);
    }
    return memory;
}

void wi_pages_settle(void *memory, size_t bytes)
{
    if (bytes >= FROM_SYSTEM && is_of_file(memory, false))
        madvise(memory, class_of(bytes), MADV_PAGEOUT);
}
