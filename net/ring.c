/* Streams of bytes in shared memory. See ring.h.
 *
 * The memory is a file without a name (memfd), which cannot shrink; who opens it goes through
 * /proc, so the system lets nobody in but this user's processes and root's. Its first page says
 * what it is and has both rings' indices, each on cache lines of its own. An index is a count of
 * all bytes ever; each side keeps its own one for itself and only publishes it. */
#include "ring.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/alloc.h"
#include "../base/assert.h"

#define NAME "weir-rings"
#define PAGE ((size_t)4096)
#define BYTES_MAX ((uint64_t)1 << 30)
/* So much is copied before the other side is told, so that both copy at the same time. */
#define STEP ((uint64_t)64 * 1024)

/* Apart, so that each line changes hands only for what it says (and lines that are fetched in
 * pairs, too). */
#define APART _Alignas(128)

/* One way, in the shared memory. */
typedef struct indices {
    APART _Atomic(uint64_t) written;      /* the writer's */
    APART _Atomic(uint64_t) read;         /* the reader's */
    APART _Atomic(uint32_t) awaits[2];    /* set by the reader, and by the writer, that sleeps */
} indices;

typedef struct first_page {
    unsigned char tag[WI_RING_TAG_BYTES];
    indices ways[2]; /* from who made it, and to it */
} first_page;
_Static_assert(sizeof(first_page) <= PAGE, "the indices fit into the first page");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "a lock would be one process's only");

/* One way, as this side sees it: on a line of its own, as wi_alloc_lines gives it. */
typedef struct half {
    _Alignas(64) indices *shared;
    char *data;
    uint64_t bytes;
    uint64_t at;   /* this side's index */
    uint64_t seen; /* the other side's, when it was last looked at */
} half;

struct wi_rings {
    half halves[WI_WAYS];
    void *memory;
    size_t mapped;
};

/* ---- making ----------------------------------------------------------------------------- */

static bool is_size(uint64_t bytes)
{
    return bytes >= PAGE && bytes <= BYTES_MAX && !(bytes & (bytes - 1));
}

static size_t size_of(uint64_t bytes)
{
    return PAGE + 2 * (size_t)bytes;
}

static wi_rings *rings_over(void *memory, uint64_t bytes, bool made)
{
    wi_rings *rings = wi_alloc_lines(sizeof *rings);
    rings->memory = memory;
    rings->mapped = size_of(bytes);
    first_page *page = memory;
    for (int way = 0; way < WI_WAYS; way++) {
        int which = (way == WI_WAY_IN) == made;
        rings->halves[way] = (half){.shared = &page->ways[which],
                                    .data = (char *)memory + PAGE + (size_t)which * bytes,
                                    .bytes = bytes};
    }
    return rings;
}

static void *map(int descriptor, size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    return at == MAP_FAILED ? NULL : at;
}

wi_rings *wi_rings_new(const unsigned char tag[WI_RING_TAG_BYTES], uint64_t bytes,
                       wi_ring_place *place_out)
{
    wi_assert(is_size(bytes), "a ring's size is a power of two");
    *place_out = (wi_ring_place){0};
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur < size_of(bytes))
        return NULL; /* making it that large would end the process */
    int descriptor = memfd_create(NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (descriptor < 0)
        return NULL;
    void *memory = NULL;
    if (fchmod(descriptor, 0600) == 0 && ftruncate(descriptor, (off_t)size_of(bytes)) == 0 &&
        fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        memory = map(descriptor, size_of(bytes));
    if (!memory) {
        close(descriptor);
        return NULL;
    }
    first_page *page = memory;
    memcpy(page->tag, tag, WI_RING_TAG_BYTES);
    *place_out = (wi_ring_place){(uint32_t)getpid(), (uint32_t)descriptor};
    return rings_over(memory, bytes, true);
}

/* The descriptor's file, if it looks like one of ours: it is not opened before that is seen, since
 * opening may do something (to a terminal, a FIFO). -1: it does not. */
static int open_place(wi_ring_place place)
{
    char path[64], name[64];
    snprintf(path, sizeof path, "/proc/%u/fd/%u", place.pid, place.descriptor);
    ssize_t length = readlink(path, name, sizeof name);
    static const char expected[] = "/memfd:" NAME;
    if (length < (ssize_t)strlen(expected) || memcmp(name, expected, strlen(expected)) != 0)
        return -1;
    return open(path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

/* How many bytes it has each way, by its size, which is sealed; 0: it cannot be. */
static uint64_t judge(int descriptor, const unsigned char tag[WI_RING_TAG_BYTES])
{
    struct stat what;
    int seals = fcntl(descriptor, F_GET_SEALS);
    if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(descriptor, &what) < 0)
        return 0;
    uint64_t bytes = ((uint64_t)what.st_size - PAGE) / 2;
    if ((uint64_t)what.st_size < PAGE || !is_size(bytes) ||
        (uint64_t)what.st_size != size_of(bytes))
        return 0;
    first_page *page = map(descriptor, PAGE);
    bool good = page && memcmp(page->tag, tag, WI_RING_TAG_BYTES) == 0;
    if (page)
        munmap(page, PAGE);
    return good ? bytes : 0;
}

wi_rings *wi_rings_open(const unsigned char tag[WI_RING_TAG_BYTES], wi_ring_place place)
{
    int descriptor = open_place(place);
    if (descriptor < 0)
        return NULL;
    uint64_t bytes = judge(descriptor, tag);
    void *memory = bytes ? map(descriptor, size_of(bytes)) : NULL;
    close(descriptor);
    return memory ? rings_over(memory, bytes, false) : NULL;
}

void wi_rings_free(wi_rings *rings)
{
    if (!rings)
        return;
    munmap(rings->memory, rings->mapped);
    wi_free(rings);
}

/* ---- moving ----------------------------------------------------------------------------- */

/* How far this side can go: bytes that are there, or that there is room for; -1: the other side's
 * index cannot be. It is looked at only when the last look is used up. */
static int64_t reach(half *own, wi_way way)
{
    bool in = way == WI_WAY_IN;
    uint64_t room = in ? own->seen - own->at : own->seen + own->bytes - own->at;
    if (room)
        return (int64_t)room;
    _Atomic(uint64_t) *other = in ? &own->shared->written : &own->shared->read;
    uint64_t now = atomic_load_explicit(other, memory_order_seq_cst);
    room = in ? now - own->at : now + own->bytes - own->at;
    if (room > own->bytes)
        return -1; /* and the next time again */
    own->seen = now;
    return (int64_t)room;
}

static void publish(half *own, wi_way way, memory_order order)
{
    _Atomic(uint64_t) *index = way == WI_WAY_IN ? &own->shared->read : &own->shared->written;
    atomic_store_explicit(index, own->at, order);
}

/* Moves up to so many bytes from here to the ring, or from there to here. */
static int64_t move(half *own, wi_way way, char *here, size_t bytes)
{
    size_t moved = 0;
    while (moved < bytes) {
        int64_t room = reach(own, way);
        if (room <= 0)
            return room < 0 ? -1 : (int64_t)moved;
        size_t at = own->at & (own->bytes - 1);
        size_t step = bytes - moved;
        step = step < (size_t)room ? step : (size_t)room;
        step = step < STEP ? step : STEP;
        step = step < own->bytes - at ? step : own->bytes - at;
        if (way == WI_WAY_IN)
            memcpy(here + moved, own->data + at, step);
        else
            memcpy(own->data + at, here + moved, step);
        own->at += step;
        moved += step;
        if (step == STEP)
            publish(own, way, memory_order_release);
    }
    return (int64_t)moved;
}

int64_t wi_rings_read(wi_rings *rings, void *to, size_t bytes)
{
    half *own = &rings->halves[WI_WAY_IN];
    int64_t moved = move(own, WI_WAY_IN, to, bytes);
    if (moved > 0)
        publish(own, WI_WAY_IN, memory_order_seq_cst);
    return moved;
}

int64_t wi_rings_write(wi_rings *rings, const struct iovec *pieces, size_t count)
{
    half *own = &rings->halves[WI_WAY_OUT];
    int64_t total = 0;
    for (size_t i = 0; i < count; i++) {
        int64_t moved = move(own, WI_WAY_OUT, pieces[i].iov_base, pieces[i].iov_len);
        if (moved < 0)
            return -1;
        total += moved;
        if ((size_t)moved < pieces[i].iov_len)
            break;
    }
    if (total > 0)
        publish(own, WI_WAY_OUT, memory_order_seq_cst);
    return total;
}

/* ---- sleeping --------------------------------------------------------------------------- */

bool wi_rings_await(wi_rings *rings, wi_way way)
{
    half *own = &rings->halves[way];
    atomic_store_explicit(&own->shared->awaits[way], 1, memory_order_seq_cst);
    if (reach(own, way) == 0)
        return true;
    wi_rings_rest(rings, way);
    return false;
}

void wi_rings_rest(wi_rings *rings, wi_way way)
{
    atomic_store_explicit(&rings->halves[way].shared->awaits[way], 0, memory_order_relaxed);
}

bool wi_rings_awaited(wi_rings *rings, wi_way way)
{
    _Atomic(uint32_t) *waits = &rings->halves[way].shared->awaits[way == WI_WAY_IN];
    return atomic_load_explicit(waits, memory_order_seq_cst) &&
           atomic_exchange_explicit(waits, 0, memory_order_seq_cst);
}
