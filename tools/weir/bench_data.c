/* See bench_data.h. */
#include "bench_data.h"

#include <stdio.h>
#include <stdlib.h>

uint64_t bench_check_fold(const uint64_t *parts, unsigned count)
{
    uint64_t check = BENCH_SEED;
    for (unsigned i = 0; i < count; i++)
        check = bench_splitmix64(check ^ parts[i]);
    return check;
}

void bench_exchange_buffer(unsigned worker, unsigned buffer, uint64_t batch, uint64_t *rows_out)
{
    uint64_t first = BENCH_SEED + ((uint64_t)worker * BENCH_BUFFERS + buffer) * batch;
    for (uint64_t i = 0; i < batch; i++)
        rows_out[i] = bench_splitmix64(first + i);
}

static int compare_samples(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

void bench_sort_samples(uint32_t *samples, size_t count)
{
    qsort(samples, count, sizeof *samples, compare_samples);
}

uint32_t bench_percentile(const uint32_t *sorted, size_t count, unsigned percent)
{
    size_t rank = (count * percent + 99) / 100;
    return sorted[rank ? rank - 1 : 0];
}

uint64_t bench_peak_kb(void)
{
    FILE *status = fopen("/proc/self/status", "r");
    unsigned long long kb = 0;
    char line[256];
    while (status && fgets(line, sizeof line, status))
        if (sscanf(line, "VmHWM: %llu", &kb) == 1)
            break;
    if (status)
        fclose(status);
    return kb;
}
