/* See memory.h. Programs are linked with jemalloc, or with a sanitizer's allocator. */
#include "memory.h"

#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

/* Whichever there is. */
int __attribute__((weak))
mallctl(const char *name, void *old, size_t *old_bytes, void *new, size_t new_bytes);
size_t __attribute__((weak)) __sanitizer_get_current_allocated_bytes(void);

static int64_t ask(const char *name)
{
    size_t value, bytes = sizeof value;
    return mallctl(name, &value, &bytes, NULL, 0) == 0 ? (int64_t)value : -1;
}

int64_t test_bytes_in_use(void)
{
    uint64_t now = 1;
    if (__sanitizer_get_current_allocated_bytes)
        return (int64_t)__sanitizer_get_current_allocated_bytes();
    if (!mallctl || mallctl("epoch", NULL, NULL, &now, sizeof now) != 0)
        return -1;
    return ask("stats.allocated") - ask("stats.arenas.4096.tcache_bytes"); /* 4096: all arenas */
}

void test_flush_cache(void)
{
    if (mallctl)
        mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
}

int64_t test_resident_bytes(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%*s %ld", &pages) != 1)
        pages = 0;
    if (file)
        fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}
