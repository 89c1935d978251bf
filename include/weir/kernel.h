/* Kernels: per-row code that is compiled into a loop over a batch.
 *
 *     WEIR_MAP(upper, word, word) { out->text = in->text; }
 *     weir_stream loud = weir_map(words, &upper);
 *
 * The braces after the macro are the body of an ordinary inline function for one row; the
 * macro wraps it in a batch loop that the compiler can vectorise. In every body `in` is
 * the row and `arg` the pointer given when the operator was built (see the _with forms in
 * stream.h): shared by all workers of a process, so read it only, or guard it.
 *
 *     WEIR_MAP(name, in_row, out_row)        fill *out (it starts as zeros)
 *     WEIR_FILTER(name, row)                 return whether the row stays
 *     WEIR_FLAT_MAP(name, in_row, out_row)   push any number of rows to out
 *     WEIR_FILTER_MAP(name, in_row, out_row) fill *out and return whether it stays
 *     WEIR_EACH(name, row)                   look at a row; `time` and `diff` are its own
 *     WEIR_ROUTE(name, row)                  return a u64 that says where the row goes
 *     WEIR_FOLD(name, in_row, acc_row)       update *acc by a row that counts `diff` times
 *
 * Texts in *out may borrow from *in or from anything else that outlives the body: they are
 * copied where needed. A text that the body itself makes, say from a buffer of its own, is
 * given a place in the batch that *out belongs to: weir_text_new(into, bytes, length).
 * (Pushing copies at once, so in a flat map nothing needs to outlive the push.) A fold has no
 * such batch: a text put into *acc must be one of *in or *acc, or outlive the body; what lies
 * in a buffer of the body is gone before it is copied. */
#ifndef WEIR_KERNEL_H
#define WEIR_KERNEL_H

#include <weir/batch.h>

typedef struct weir_map_kernel {
    const char *name;
    const weir_type *in, *out;
    void (*run)(const void *in, void *out, uint32_t count, weir_batch *into, void *arg);
} weir_map_kernel;

typedef struct weir_filter_kernel {
    const char *name;
    const weir_type *in;
    /* Copies the rows that stay to out, their indexes to kept_out; returns how many. */
    uint32_t (*run)(const void *in, void *out, uint32_t *kept_out, uint32_t count, void *arg);
} weir_filter_kernel;

typedef struct weir_flat_map_kernel {
    const char *name;
    const weir_type *in, *out;
    void (*run)(const weir_batch *in, weir_out *out, void *arg);
} weir_flat_map_kernel;

typedef struct weir_each_kernel {
    const char *name;
    const weir_type *in;
    void (*run)(const weir_batch *in, void *arg);
} weir_each_kernel;

typedef struct weir_route_kernel {
    const char *name;
    const weir_type *in;
    void (*run)(const void *in, uint64_t *routes_out, uint32_t count, void *arg);
    /* The bits in which any of the routes is not `first`. NULL: run says it. */
    uint64_t (*differences)(const void *in, uint32_t count, uint64_t first, void *arg);
} weir_route_kernel;

typedef struct weir_fold_kernel {
    const char *name;
    const weir_type *in, *acc;
    /* Row i is folded into accs[i], diffs[i] (diffs NULL: diff) times. */
    void (*run)(const void *in, void *const *accs, const int64_t *diffs, int64_t diff,
                uint32_t count, void *arg);
} weir_fold_kernel;

/* worker. Rows pushed from now on have the time and diff of that row of the batch. */
WEIR_API void weir_out_stamp(weir_out *out, const weir_batch *like, uint32_t row);

/* Rows up to this size are built on the stack, where the compiler sees all of them. */
#define WEIR_I_SMALL 256

#define WEIR_MAP(id, in_row, out_row)                                                          \
    static inline void id##_row(const in_row *restrict in, out_row *restrict out,              \
                                weir_batch *into, void *arg);                                  \
    static void id##_run(const void *in, void *out, uint32_t count, weir_batch *into,          \
                         void *arg)                                                            \
    {                                                                                          \
        const in_row *restrict from = in;                                                      \
        out_row *restrict to = out;                                                            \
        for (uint32_t i = 0; i < count && sizeof(out_row) <= WEIR_I_SMALL; i++) {              \
            out_row weir_made = {};                                                            \
            id##_row(from + i, &weir_made, into, arg);                                         \
            out_row##_store(into, to + i, &weir_made);                                         \
        }                                                                                      \
        for (uint32_t i = 0; i < count && sizeof(out_row) > WEIR_I_SMALL; i++) {               \
            memset((void *)(to + i), 0, sizeof(out_row));                                      \
            id##_row(from + i, to + i, into, arg);                                             \
            out_row##_store(into, to + i, to + i);                                             \
        }                                                                                      \
    }                                                                                          \
    static const weir_map_kernel id = {#id, &in_row##_type, &out_row##_type, id##_run};        \
    static inline void id##_row(WEIR_UNUSED const in_row *restrict in,                         \
                                WEIR_UNUSED out_row *restrict out,                             \
                                WEIR_UNUSED weir_batch *into, WEIR_UNUSED void *arg)

#define WEIR_FILTER(id, row)                                                                   \
    static inline bool id##_row(const row *in, void *arg);                                     \
    static uint32_t id##_run(const void *in, void *out, uint32_t *kept_out, uint32_t count,    \
                             void *arg)                                                        \
    {                                                                                          \
        const row *from = in;                                                                  \
        row *to = out;                                                                         \
        uint32_t kept = 0;                                                                     \
        for (uint32_t i = 0; i < count; i++) {                                                 \
            bool stays = id##_row(from + i, arg);                                              \
            if (sizeof(row) <= 64 || stays)                                                    \
                memcpy((void *)(to + kept), from + i, sizeof(row));                            \
            kept_out[kept] = i;                                                                \
            kept += stays;                                                                     \
        }                                                                                      \
        return kept;                                                                           \
    }                                                                                          \
    static const weir_filter_kernel id = {#id, &row##_type, id##_run};                         \
    static inline bool id##_row(WEIR_UNUSED const row *in, WEIR_UNUSED void *arg)

#define WEIR_FLAT_MAP(id, in_row, out_row)                                                     \
    static inline void id##_row(const in_row *in, weir_out *out, void *arg);                   \
    static void id##_run(const weir_batch *in, weir_out *out, void *arg)                       \
    {                                                                                          \
        const in_row *from = in->rows;                                                         \
        bool columns = in->times || in->diffs;                                                 \
        for (uint32_t i = 0; i < in->count; i++) {                                             \
            if (columns)                                                                       \
                weir_out_stamp(out, in, i);                                                    \
            id##_row(from + i, out, arg);                                                      \
        }                                                                                      \
    }                                                                                          \
    static const weir_flat_map_kernel id = {#id, &in_row##_type, &out_row##_type, id##_run};   \
    static inline void id##_row(WEIR_UNUSED const in_row *in, WEIR_UNUSED weir_out *out,       \
                                WEIR_UNUSED void *arg)

#define WEIR_FILTER_MAP(id, in_row, out_row)                                                   \
    static inline bool id##_row(const in_row *restrict in, out_row *restrict out,              \
                                weir_batch *into, void *arg);                                  \
    static void id##_run(const weir_batch *in, weir_out *out, void *arg)                       \
    {                                                                                          \
        const in_row *from = in->rows;                                                         \
        bool columns = in->times || in->diffs;                                                 \
        for (uint32_t i = 0; i < in->count; i++) {                                             \
            uint32_t room;                                                                     \
            out_row *to = weir_out_room(out, 1, &room);                                        \
            memset((void *)to, 0, sizeof(out_row));                                            \
            if (!id##_row(from + i, to, out->batch, arg))                                      \
                continue;                                                                      \
            if (columns)                                                                       \
                weir_out_stamp(out, in, i);                                                    \
            out_row##_store(out->batch, to, to);                                               \
            weir_out_commit(out, 1);                                                           \
        }                                                                                      \
    }                                                                                          \
    static const weir_flat_map_kernel id = {#id, &in_row##_type, &out_row##_type, id##_run};   \
    static inline bool id##_row(WEIR_UNUSED const in_row *restrict in,                         \
                                WEIR_UNUSED out_row *restrict out,                             \
                                WEIR_UNUSED weir_batch *into, WEIR_UNUSED void *arg)

#define WEIR_EACH(id, row)                                                                     \
    static inline void id##_row(const row *in, const weir_time *time, int64_t diff,            \
                                void *arg);                                                    \
    static void id##_run(const weir_batch *in, void *arg)                                      \
    {                                                                                          \
        const row *from = in->rows;                                                            \
        for (uint32_t i = 0; i < in->count; i++)                                               \
            id##_row(from + i, weir_batch_time(in, i), weir_batch_diff(in, i), arg);           \
    }                                                                                          \
    static const weir_each_kernel id = {#id, &row##_type, id##_run};                           \
    static inline void id##_row(WEIR_UNUSED const row *in, WEIR_UNUSED const weir_time *time,  \
                                WEIR_UNUSED int64_t diff, WEIR_UNUSED void *arg)

#define WEIR_ROUTE(id, row)                                                                    \
    static inline uint64_t id##_row(const row *in, void *arg);                                 \
    static void id##_run(const void *in, uint64_t *routes_out, uint32_t count, void *arg)      \
    {                                                                                          \
        const row *from = in;                                                                  \
        for (uint32_t i = 0; i < count; i++)                                                   \
            routes_out[i] = id##_row(from + i, arg);                                           \
    }                                                                                          \
    static uint64_t id##_differences(const void *in, uint32_t count, uint64_t first, void *arg) \
    {                                                                                          \
        const row *from = in;                                                                  \
        uint64_t differ = 0;                                                                   \
        for (uint32_t i = 0; i < count; i++)                                                   \
            differ |= id##_row(from + i, arg) ^ first;                                         \
        return differ;                                                                         \
    }                                                                                          \
    static const weir_route_kernel id = {#id, &row##_type, id##_run, id##_differences};        \
    static inline uint64_t id##_row(WEIR_UNUSED const row *in, WEIR_UNUSED void *arg)

#define WEIR_FOLD(id, in_row, acc_row)                                                         \
    static inline void id##_row(const in_row *in, acc_row *acc, int64_t diff, void *arg);      \
    static void id##_run(const void *in, void *const *accs, const int64_t *diffs,              \
                         int64_t diff, uint32_t count, void *arg)                              \
    {                                                                                          \
        const in_row *from = in;                                                               \
        for (uint32_t i = 0; i < count; i++)                                                   \
            id##_row(from + i, accs[i], diffs ? diffs[i] : diff, arg);                         \
    }                                                                                          \
    static const weir_fold_kernel id = {#id, &in_row##_type, &acc_row##_type, id##_run};       \
    static inline void id##_row(WEIR_UNUSED const in_row *in, WEIR_UNUSED acc_row *acc,        \
                                WEIR_UNUSED int64_t diff, WEIR_UNUSED void *arg)

#endif
