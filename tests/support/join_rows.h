/* Rows for tests of joins, as batches have them: each flavour has a key k and a value x. */
#ifndef WEIR_TESTS_SUPPORT_JOIN_ROWS_H
#define WEIR_TESTS_SUPPORT_JOIN_ROWS_H

#include <stdio.h>

#include <weir/collection.h>

/* Row types: plain words; keys that are texts, some of them long; keys that come last. */
#define PLAIN(F) F(u64, k) F(u64, x)
#define PLAIN_OUT(F) F(u64, k) F(u64, x) F(u64, y)
#define TEXTS(F) F(weir_text, k) F(u32, x)
#define TEXTS_OUT(F) F(weir_text, k) F(u32, x) F(u32, y)
#define ODD(F) F(i16, x) F(i32, k)
#define ODD_OUT(F) F(i32, k) F(i16, x) F(i16, y)
WEIR_ROW(plain, PLAIN)
WEIR_ROW(plain_out, PLAIN_OUT)
WEIR_ROW(texts, TEXTS)
WEIR_ROW(texts_out, TEXTS_OUT)
WEIR_ROW(odd, ODD)
WEIR_ROW(odd_out, ODD_OUT)

/* A number below `below`, from a seed that moves on. */
static inline uint64_t draw(uint64_t *seed, uint64_t below)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    uint64_t x = (*seed ^ *seed >> 33) * 0xff51afd7ed558ccdu;
    return (x >> 32) % below;
}

static inline void make_plain(weir_batch *batch, uint32_t at, uint64_t k, uint64_t x)
{
    plain row = {k, x};
    plain_store(batch, plain_at(batch, at), &row);
}

static inline weir_text text_key(uint64_t k, char room[64])
{
    sprintf(room, k % 2 ? "a key that does not fit into a handle %lu" : "%lu", (unsigned long)k);
    return weir_text_c(room);
}

static inline void make_texts(weir_batch *batch, uint32_t at, uint64_t k, uint64_t x)
{
    char room[64];
    texts row = {text_key(k, room), (uint32_t)x};
    texts_store(batch, texts_at(batch, at), &row);
}

static inline void make_odd(weir_batch *batch, uint32_t at, uint64_t k, uint64_t x)
{
    odd row = {(int16_t)x, (int32_t)k - 2};
    odd_store(batch, odd_at(batch, at), &row);
}

#endif
