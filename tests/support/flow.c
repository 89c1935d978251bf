/* Bytes through links. See flow.h. */
#include "flow.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "execution.h"

#define BLOCK 1048573 /* a prime, so that sizes never fit it */
static char block[BLOCK];
uint64_t test_flow_seed;

static uint64_t next_random(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15u;
    return wi_hash_fold(0, *state);
}

void test_flow_prepare(void)
{
    const char *given = getenv("SEED");
    test_flow_seed = given ? strtoull(given, NULL, 0) : (uint64_t)(test_seconds() * 1e9);
    printf("SEED=%llu\n", (unsigned long long)test_flow_seed);
    fflush(stdout);
    uint64_t state = test_flow_seed;
    for (size_t i = 0; i < BLOCK; i++)
        block[i] = (char)next_random(&state);
}

static size_t some_size(uint64_t *random)
{
    uint64_t r = next_random(random);
    size_t most = (size_t)1 << (r % 19); /* up to 256 KB */
    return 1 + (size_t)(r >> 8) % most;
}

void test_flow_init(test_flow *flow, wi_link *from, wi_link *to, uint64_t total, uint64_t random)
{
    memset(flow, 0, sizeof *flow);
    flow->from = from;
    flow->to = to;
    flow->total = total;
    flow->random_from = random;
    flow->random_to = random + 77;
    flow->taken_hash = XXH3_createState();
    XXH3_64bits_reset(flow->taken_hash);
    flow->buffer = malloc(1 << 18);
}

void test_flow_check(test_flow *flow)
{
    XXH3_state_t *hash = XXH3_createState();
    XXH3_64bits_reset(hash);
    for (uint64_t at = 0; at < flow->total; at += BLOCK)
        XXH3_64bits_update(hash, block, flow->total - at < BLOCK ? flow->total - at : BLOCK);
    ck_assert_uint_eq(flow->taken, flow->total);
    ck_assert_uint_eq(XXH3_64bits_digest(flow->taken_hash), XXH3_64bits_digest(hash));
    XXH3_freeState(hash);
    XXH3_freeState(flow->taken_hash);
    free(flow->buffer);
}

static void write_begin(test_flow *flow)
{
    wi_part parts[WI_WRITE_PARTS_MAX];
    uint32_t count = 1 + (uint32_t)(next_random(&flow->random_from) % WI_WRITE_PARTS_MAX);
    uint64_t at = flow->sent;
    for (uint32_t i = 0; i < count; i++) {
        size_t bytes = some_size(&flow->random_from), offset = at % BLOCK;
        if (bytes > BLOCK - offset)
            bytes = BLOCK - offset;
        if (bytes > flow->total - at)
            bytes = (size_t)(flow->total - at); /* perhaps none */
        parts[i] = (wi_part){block + offset, bytes};
        at += bytes;
    }
    wi_link_write_begin(flow->from, parts, count);
    flow->writing = true;
}

/* Whether it got anywhere. */
bool test_flow_write(test_flow *flow)
{
    if (flow->sent == flow->total)
        return false;
    if (!flow->writing)
        write_begin(flow);
    int64_t count = wi_link_write_end(flow->from);
    ck_assert_msg(count >= 0, "%s", wi_link_why(flow->from));
    flow->sent += (uint64_t)count;
    flow->writing = count == 0;
    return count > 0;
}

bool test_flow_read(test_flow *flow)
{
    if (flow->taken == flow->total)
        return false;
    if (!flow->reading)
        wi_link_read_begin(flow->to, flow->buffer, some_size(&flow->random_to));
    int64_t count = wi_link_read_end(flow->to);
    ck_assert_msg(count >= 0, "%s", wi_link_why(flow->to));
    if (count > 0)
        XXH3_64bits_update(flow->taken_hash, flow->buffer, (size_t)count);
    flow->taken += (uint64_t)count;
    flow->reading = count == 0;
    return count > 0;
}
