/* The machine: its memory made ready, and one line about it. How long a cache line takes from
 * core to core and back decides most figures of two workers, and on a virtual machine it changes
 * by the hour. */
#include "bench.h"
#include "bench_data.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SAMPLES = 15, TRIPS = 2000, WARM_MB_MAX = 2048 };

/* The line that goes back and forth. Even: the measuring thread's turn; odd: the other's.
 * Written by both in turn; each store releases what the other's load acquires. */
struct ball {
    _Alignas(128) _Atomic uint64_t turn;
    int cpu; /* of the thread that returns it */
};

static void pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
}

static void wait_for(struct ball *ball, uint64_t turn)
{
    while (atomic_load_explicit(&ball->turn, memory_order_acquire) != turn)
        ;
}

static void *return_ball(void *arg)
{
    struct ball *ball = arg;
    pin(ball->cpu);
    for (uint64_t trip = 0; trip < (uint64_t)SAMPLES * TRIPS; trip++) {
        wait_for(ball, 2 * trip + 1);
        atomic_store_explicit(&ball->turn, 2 * trip + 2, memory_order_release);
    }
    return NULL;
}

/* The median round trip between two CPUs in ns, or 0 if it cannot be measured. */
static double round_trip_ns(int here, int there)
{
    static struct ball ball; /* not on the stack, which some sanitizers do not align so far */
    uint32_t samples_ns[SAMPLES];
    cpu_set_t before;
    pthread_t other;
    sched_getaffinity(0, sizeof before, &before);
    atomic_store(&ball.turn, 0);
    ball.cpu = there;
    if (pthread_create(&other, NULL, return_ball, &ball))
        return 0;
    pin(here);
    for (uint64_t sample = 0, trip = 0; sample < SAMPLES; sample++) {
        uint64_t begin = bench_now_ns();
        for (unsigned i = 0; i < TRIPS; i++, trip++) {
            atomic_store_explicit(&ball.turn, 2 * trip + 1, memory_order_release);
            wait_for(&ball, 2 * trip + 2);
        }
        samples_ns[sample] = (uint32_t)(bench_now_ns() - begin);
    }
    pthread_join(other, NULL);
    sched_setaffinity(0, sizeof before, &before);
    bench_sort_samples(samples_ns, SAMPLES);
    return (double)bench_percentile(samples_ns, SAMPLES, 50) / TRIPS;
}

static void model_name(char *name, size_t size)
{
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[256];
    snprintf(name, size, "unknown processor");
    while (file && fgets(line, sizeof line, file)) {
        char *value = strstr(line, ": ");
        if (strncmp(line, "model name", 10) || !value)
            continue;
        value[strcspn(value, "\n")] = 0;
        snprintf(name, size, "%s", value + 2);
        break;
    }
    if (file)
        fclose(file);
}

/* How many CPUs this process may use; the first two of them. */
static int usable_cpus(int cpus_out[2])
{
    int count = 0;
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    sched_getaffinity(0, sizeof allowed, &allowed);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &allowed) && count++ < 2)
            cpus_out[count - 1] = cpu;
    return count;
}

double bench_line_ns(void)
{
    int cpus[2];
    return usable_cpus(cpus) > 1 ? round_trip_ns(cpus[0], cpus[1]) : 0;
}

void bench_warm_memory(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t half = (size_t)sysconf(_SC_AVPHYS_PAGES) / 2 * page, bytes = (size_t)WARM_MB_MAX << 20;
    if (bytes > half)
        bytes = half;
    char *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
        return;
    madvise(pages, bytes, MADV_HUGEPAGE);
    for (size_t at = 0; at < bytes; at += page)
        pages[at] = 1;
    munmap(pages, bytes);
}

char *bench_machine(void)
{
    char name[200], trip[64] = "";
    int cpus[2], count = usable_cpus(cpus);
    if (count > 1)
        snprintf(trip, sizeof trip, ", cache-line round trip %.0f ns", bench_line_ns());
    model_name(name, sizeof name);
    char *line;
    if (asprintf(&line, "%s, %d core%s%s", name, count, count == 1 ? "" : "s", trip) < 0)
        return NULL;
    return line;
}
