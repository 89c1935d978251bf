/* Random streams through windows, and what must come of them: what the files of the oracle of
 * windows (../windows.c) share. */
#ifndef WEIR_TESTS_ORACLE_WINDOWS_NAIVE_H
#define WEIR_TESTS_ORACLE_WINDOWS_NAIVE_H

#include <weir/weir.h>

#include "tests/support/streams.h"

#define ROWS_MAX 240
#define KEYS 5

#define EVENT(F)                                                                               \
    F(weir_text, key) F(u8, part) F(i64, at) F(i64, mark) F(i64, value) F(weir_text, note)
#define TALLY(F)                                                                               \
    F(weir_text, key) F(i64, start) F(i64, end) F(i64, rows) F(i64, sum) F(weir_text, longest)
WEIR_ROW(event, EVENT)
WEIR_ROW(tally, TALLY)

typedef struct update {
    event row;
    int64_t diff, stamp;
    uint32_t key;
} update;

typedef struct problem {
    update rows[ROWS_MAX];
    uint32_t count;
    weir_windows how;
    weir_watermark_policy policy;
    bool boxed;   /* the sum is in memory of its own */
    bool doubled; /* when it is finished */
    uint32_t flush_every, step_every;
    test_list results, late, missed;
} problem;

typedef struct expected {
    const problem *of;
    test_list results, late, missed;
} expected;

/* Some rows, by their indexes. */
typedef struct rows {
    uint32_t at[ROWS_MAX];
    uint32_t count;
} rows;

static inline int64_t saturated(__int128 value)
{
    return value > INT64_MAX ? INT64_MAX : value < INT64_MIN ? INT64_MIN : (int64_t)value;
}

static inline bool longer(const weir_text *a, const weir_text *b)
{
    return a->length != b->length ? a->length > b->length : weir_text_compare(a, b) > 0;
}

/* The result of some rows, and whether there is one: if there are rows, or, of results that are to
 * be added up, anything else. */
bool result_of(const expected *to, const rows *of, int64_t start, int64_t last, tally *out);
/* It is expected at a time. */
void expect_result(expected *to, const tally *result, int64_t time, int64_t diff);
/* A row has missed so many windows. */
void expect_missed(expected *to, const update *u, int64_t windows, bool late);
/* Whether a window of this last instant takes the row. */
bool takes(const problem *of, const update *u, int64_t last);
/* The last instant of the window of a width, or of all time, that begins there, and whether it
 * has a time. */
int64_t last_of(const problem *of, __int128 start);
bool has(const problem *of, __int128 start, int64_t time);
/* Calls `expect` for each such window and key that has rows, taken or not, and says which rows have
 * missed some. */
void each_window(expected *to, void (*expect)(expected *to, uint32_t key, __int128 start));

/* fixed.c: windows of a width that fire when they close, from definitions. */
void expect_fixed(expected *to);
/* played.c: sessions, and windows with a trigger, moment by moment. */
void expect_played(expected *to);
/* counted.c: windows of a number of rows. */
void expect_counted(expected *to);

#endif
