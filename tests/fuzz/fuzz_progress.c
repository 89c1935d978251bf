/* Fuzzes the decoder of progress changes: what it accepts must be the one encoding of it. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "proto/progress.h"

#define CHANGES_MAX 30

static const uint8_t dims[] = {1, 1, 2, 3, 4, 1, 2, 1};
static const wi_progress_places places = {dims, sizeof dims};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    wi_progress_batch batch = {0};
    if (wi_progress_decode(&places, bytes, count, &batch)) {
        uint8_t *again = malloc(wi_progress_bytes_max(batch.count));
        size_t used = wi_progress_encode(&places, batch.changes, batch.count, again);
        if (used != count || memcmp(again, bytes, count) != 0)
            abort();
        free(again);
    }
    if (batch.capacity > count)
        abort();
    wi_progress_batch_fini(&batch);
    return 0;
}

size_t fuzz_valid_input(uint64_t seed, uint8_t *bytes_out, size_t bytes_max)
{
    wi_progress_change changes[CHANGES_MAX];
    uint32_t count = (uint32_t)(seed % CHANGES_MAX);
    for (uint32_t i = 0; i < count; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        changes[i] = (wi_progress_change){.loc = (uint32_t)(seed >> 40) % sizeof dims,
                                          .delta = (int64_t)(seed >> 50) % 5 - 2};
        for (int d = 0; d < dims[changes[i].loc]; d++)
            changes[i].time.at[d] = seed >> 60 ? seed >> 56 : seed;
    }
    return wi_progress_bytes_max(count) > bytes_max
               ? 0
               : wi_progress_encode(&places, changes, count, bytes_out);
}
