/* Bytes through one direction of a link, in pieces of random sizes, and whether they arrive. */
#ifndef WEIR_TESTS_SUPPORT_FLOW_H
#define WEIR_TESTS_SUPPORT_FLOW_H

#include "base/hash.h"
#include "net/transport.h"

/* Of this run: from the environment's SEED, or new. */
extern uint64_t test_flow_seed;
/* Once, before all others: makes the bytes and prints the seed. */
void test_flow_prepare(void);

/* One direction: the block over and over, in pieces of random sizes, from one end to the other. */
typedef struct test_flow {
    wi_link *from, *to;
    uint64_t random_from, random_to;
    uint64_t total, sent, taken;
    XXH3_state_t *taken_hash;
    bool writing, reading;
    char *buffer;
} test_flow;

void test_flow_init(test_flow *flow, wi_link *from, wi_link *to, uint64_t total, uint64_t random);
/* One call of write_end and of read_end each; whether they moved anything. */
bool test_flow_write(test_flow *flow);
bool test_flow_read(test_flow *flow);
/* All has arrived, as it was sent. Releases the flow. */
void test_flow_check(test_flow *flow);

#endif
