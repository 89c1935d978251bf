/* Large arrays straight from the system: mappings that begin on a huge page's boundary. Some
 * of what is freed is kept for the next array that it fits: a fresh page costs more than what
 * is usually done with it, since the system clears it. What is kept is bounded, and the first
 * to go is what was freed first.
 *
 * A mapping may have more room than was asked for, so each is entered in a table. */
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
#include "assert.h"

#define FROM_SYSTEM ((size_t)1 << 20)
#define HUGE_PAGE ((size_t)2 << 20)
#define KEPT_BYTES_MIN ((size_t)64 << 20) /* always; and a share of what is in use */
#define KEPT_SHARE 4
#define KEPT_MAX 64
#define MOVED_MAX 16384 /* in all: each makes another mapping for the system, which has 65,530 */

typedef struct mapping {
    void *memory; /* NULL: none */
    size_t bytes;
    uint32_t moved; /* times that pages of another were moved into it */
    bool of_file;
} mapping;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all of these */

/* Freed mappings, oldest first. */
static struct {
    mapping list[KEPT_MAX];
    size_t count, bytes;
} cache;

/* Those in use: open addressing, never more than half full. */
static struct {
    mapping *slots;
    size_t size, count; /* size: a power of two, or 0 */
    size_t in_memory;   /* bytes of those that are not of files */
} used;

static size_t moved_count; /* of all mappings, those in use and those kept */

/* Set by the first that asks, for as long as some execution asks for one. */
static struct {
    char *directory;
    size_t budget, users;
} spill;

/* ---- the table (all with the lock) ------------------------------------------------------ */

static size_t home(const void *memory)
{
    return (uintptr_t)memory / HUGE_PAGE * 0x9e3779b97f4a7c15u & (used.size - 1);
}

static mapping *find(const void *memory)
{
    size_t at = home(memory);
    while (used.slots[at].memory != memory) {
        wi_assert(used.slots[at].memory, "what is freed was given out");
        at = (at + 1) & (used.size - 1);
    }
    return &used.slots[at];
}

static void put(mapping entry)
{
    size_t at = home(entry.memory);
    while (used.slots[at].memory)
        at = (at + 1) & (used.size - 1);
    used.slots[at] = entry;
}

static void enter(mapping entry)
{
    if (2 * used.count >= used.size) {
        mapping *old = used.slots;
        size_t old_size = used.size;
        used.size = old_size ? 2 * old_size : 64;
        used.slots = WI_NEWS(mapping, used.size);
        for (size_t i = 0; i < old_size; i++)
            if (old[i].memory)
                put(old[i]);
        wi_free(old);
    }
    put(entry);
    used.count++;
}

/* Takes it out; what was put behind it because its place was taken moves up. */
static mapping leave(const void *memory)
{
    mapping *slot = find(memory), gone = *slot;
    slot->memory = NULL;
    used.count--;
    for (size_t at = (size_t)(slot - used.slots + 1) & (used.size - 1); used.slots[at].memory;
         at = (at + 1) & (used.size - 1)) {
        mapping moved = used.slots[at];
        used.slots[at].memory = NULL;
        put(moved);
    }
    return gone;
}

static mapping take_out(size_t index)
{
    mapping taken = cache.list[index];
    cache.bytes -= taken.bytes;
    cache.count--;
    for (size_t i = index; i < cache.count; i++)
        cache.list[i] = cache.list[i + 1];
    return taken;
}

/* From the smallest that is kept and has room, what is needed; no memory: none has. */
static mapping take_kept(size_t bytes)
{
    size_t best = cache.count;
    for (size_t i = 0; i < cache.count; i++)
        if (cache.list[i].bytes >= bytes &&
            (best == cache.count || cache.list[i].bytes < cache.list[best].bytes))
            best = i;
    if (best == cache.count)
        return (mapping){0};
    size_t part = (bytes + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
    mapping *kept = &cache.list[best];
    if (kept->bytes < part + FROM_SYSTEM)
        return take_out(best);
    mapping taken = {.memory = kept->memory, .bytes = part};
    kept->memory = (char *)kept->memory + part;
    kept->bytes -= part;
    cache.bytes -= part;
    return taken;
}

/* ---- mapping ---------------------------------------------------------------------------- */

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

/* ---- beyond the budget ------------------------------------------------------------------ */

int wi_nameless_file(const char *directory)
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
    int file = wi_nameless_file(spill.directory);
    if (file < 0)
        spill_failed("a file could not be made");
    /* reserved, so that a full disk is noticed here and not by a signal at some store */
    do
        errno = posix_fallocate(file, 0, (off_t)bytes);
    while (errno == EINTR);
    if (errno)
        spill_failed("there is no room");
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (memory == MAP_FAILED)
        spill_failed("a file could not be mapped");
    close(file);
    return memory;
}

weir_err *wi_pages_budget(size_t bytes, const char *directory)
{
    int file = wi_nameless_file(directory);
    if (file < 0)
        return weir_err_new("no file can be made in %s, where what --memory has no room for is "
                            "to go: %s; see --spill",
                            directory, strerror(errno));
    close(file);
    pthread_mutex_lock(&lock);
    if (spill.users++ == 0) {
        spill.directory = wi_strdup(directory);
        spill.budget = bytes;
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

void wi_pages_budget_end(void)
{
    pthread_mutex_lock(&lock);
    if (--spill.users == 0) {
        wi_free(spill.directory);
        spill.directory = NULL;
        spill.budget = 0;
    }
    pthread_mutex_unlock(&lock);
}

/* ---- arrays ----------------------------------------------------------------------------- */

/* A mapping that was kept, or else a fresh one. */
static void *array_new(size_t bytes, bool *fresh_out)
{
    bytes = class_of(bytes);
    pthread_mutex_lock(&lock);
    mapping entry = take_kept(bytes);
    if (!entry.memory)
        entry.bytes = bytes;
    entry.of_file = spill.budget && used.in_memory + entry.bytes > spill.budget;
    used.in_memory += entry.of_file ? 0 : entry.bytes;
    if (entry.of_file) {
        moved_count -= entry.moved;
        entry.moved = 0;
    }
    pthread_mutex_unlock(&lock);
    *fresh_out = entry.of_file || !entry.memory;
    if (entry.of_file && entry.memory)
        munmap(entry.memory, entry.bytes);
    if (entry.of_file)
        entry.memory = map_file(entry.bytes);
    else if (!entry.memory)
        entry.memory = map(entry.bytes);
    pthread_mutex_lock(&lock);
    enter(entry);
    pthread_mutex_unlock(&lock);
    return entry.memory;
}

void *wi_pages_new(size_t bytes)
{
    bool fresh;
    return bytes < FROM_SYSTEM ? wi_alloc(bytes) : array_new(bytes, &fresh);
}

void *wi_pages_zeroed(size_t bytes)
{
    if (bytes < FROM_SYSTEM)
        return wi_calloc(bytes, 1);
    bool fresh;
    void *memory = array_new(bytes, &fresh);
    return fresh ? memory : memset(memory, 0, bytes);
}

/* Keeps a freed mapping; gives those that have to go for it. */
static size_t keep(mapping freed, mapping *gone)
{
    size_t count = 0, most = KEPT_BYTES_MIN + used.in_memory / KEPT_SHARE;
    while (cache.count && (cache.count == KEPT_MAX || cache.bytes + freed.bytes > most))
        moved_count -= (gone[count++] = take_out(0)).moved;
    if (freed.bytes > most) {
        moved_count -= (gone[count++] = freed).moved;
        return count;
    }
    cache.list[cache.count++] = freed;
    cache.bytes += freed.bytes;
    return count;
}

void wi_pages_free(void *memory, size_t bytes)
{
    if (bytes < FROM_SYSTEM) {
        wi_free(memory);
        return;
    }
    mapping gone[KEPT_MAX + 1];
    size_t count = 0;
    pthread_mutex_lock(&lock);
    mapping freed = leave(memory);
    if (freed.of_file) {
        gone[count++] = freed;
    } else {
        used.in_memory -= freed.bytes;
        count = keep(freed, gone);
    }
    pthread_mutex_unlock(&lock);
    for (size_t i = 0; i < count; i++)
        munmap(gone[i].memory, gone[i].bytes);
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
    size_t now = class_of(fewer), cut = 0;
    bool of_file = false;
    pthread_mutex_lock(&lock);
    mapping *entry = find(memory);
    if (now < entry->bytes) {
        cut = entry->bytes - now;
        of_file = entry->of_file;
        entry->bytes = now;
        used.in_memory -= entry->of_file ? 0 : cut;
    }
    pthread_mutex_unlock(&lock);
    if (of_file) /* the file, too, is to be smaller; where that cannot be, it is not */
        madvise((char *)memory + now, cut, MADV_REMOVE);
    if (cut)
        munmap((char *)memory + now, cut);
    return memory;
}

void *wi_pages_cut(void *memory, size_t *bytes, size_t first)
{
    bool all = first == *bytes;
    if (*bytes < FROM_SYSTEM) {
        if (!all)
            return memory;
        wi_free(memory);
        *bytes = 0;
        return NULL;
    }
    if (!all) { /* what is left stays a mapping */
        first = first < *bytes - FROM_SYSTEM ? first : *bytes - FROM_SYSTEM;
        first &= ~(HUGE_PAGE - 1);
    }
    if (!first)
        return memory;
    pthread_mutex_lock(&lock);
    mapping rest = leave(memory);
    size_t cut = all ? rest.bytes : first;
    used.in_memory -= rest.of_file ? 0 : cut;
    rest.memory = (char *)memory + cut;
    rest.bytes -= cut;
    if (all)
        moved_count -= rest.moved;
    else
        enter(rest);
    pthread_mutex_unlock(&lock);
    munmap(memory, cut);
    *bytes -= first;
    return all ? NULL : rest.memory;
}

size_t wi_pages_place(size_t byte)
{
    return (byte + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
}

/* Takes the mapping out of the table if its pages can be moved; otherwise it is as it was. */
static mapping take_movable(void *to, void *from)
{
    mapping taken = {0};
    pthread_mutex_lock(&lock);
    mapping *into = find(to), *of = find(from);
    if (!into->of_file && !of->of_file && !of->moved && moved_count < MOVED_MAX) {
        into->moved++;
        moved_count++;
        taken = leave(from);
        used.in_memory -= taken.bytes;
    }
    pthread_mutex_unlock(&lock);
    return taken;
}

size_t wi_pages_move(void *to, size_t to_bytes, size_t at, void *from, size_t bytes)
{
    size_t whole = bytes & ~(HUGE_PAGE - 1);
    wi_dassert(at % HUGE_PAGE == 0, "pages go where pages are");
    mapping taken = whole && at + whole <= to_bytes ? take_movable(to, from) : (mapping){0};
    if (!taken.memory) {
        wi_pages_free(from, bytes);
        return 0;
    }
    char *place = (char *)to + at;
    void *there = mremap(from, whole, whole, MREMAP_MAYMOVE | MREMAP_FIXED, place);
    size_t done = there == place ? whole : 0;
    if (taken.bytes > done)
        munmap((char *)from + done, taken.bytes - done);
    if (!done && mmap(place, whole, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) != place)
        wi_alloc_failed(whole); /* the system may have unmapped what was there */
    return done;
}

void wi_pages_settle(void *memory, size_t bytes)
{
    if (bytes < FROM_SYSTEM)
        return;
    pthread_mutex_lock(&lock);
    mapping entry = *find(memory);
    pthread_mutex_unlock(&lock);
    if (entry.of_file)
        madvise(memory, entry.bytes, MADV_PAGEOUT);
}
