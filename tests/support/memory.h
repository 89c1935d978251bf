/* How much memory is in use, as the allocator and the system see it. */
#ifndef WEIR_TESTS_SUPPORT_MEMORY_H
#define WEIR_TESTS_SUPPORT_MEMORY_H

#include <stdint.h>

/* Bytes allocated and not freed, without what thread caches hold; -1: nobody knows. Exact
 * when no other thread allocates. */
int64_t test_bytes_in_use(void);
/* What the allocator keeps for this thread of its own frees is in no total before this call. */
void test_flush_cache(void);
/* Resident memory of this process. Freed pages stay for some time. */
int64_t test_resident_bytes(void);

#endif
