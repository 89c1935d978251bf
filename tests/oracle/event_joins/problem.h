/* A random problem of event_joins.c, and what its parts have in common. */
#ifndef WEIR_TESTS_ORACLE_EVENT_JOINS_PROBLEM_H
#define WEIR_TESTS_ORACLE_EVENT_JOINS_PROBLEM_H

#include <weir/weir.h>

#include "tests/support/streams.h"

#define ROWS_MAX 120
#define KEYS 5
#define NOTES 5

#define EVENT(F) F(weir_text, key) F(i64, at) F(i64, value) F(weir_text, note)
#define OTHER(F) F(u8, pad) F(weir_text, note) F(i64, value) F(weir_text, key) F(i64, when)
#define MATCH(F)                                                                               \
    F(weir_text, key) F(i64, a) F(i64, b) F(i64, start) F(i64, end) F(i64, sum) F(weir_text, note)
WEIR_ROW(event, EVENT)
WEIR_ROW(other, OTHER)
WEIR_ROW(match, MATCH)

/* A number below `below`; of this case. */
uint64_t draw(uint64_t below);

typedef enum what { INTERVAL, WINDOW, AS_OF, DEDUPLICATE, WHILE, TOP, WHATS } what;

typedef struct row {
    event event; /* b's are made of it */
    other other;
    int64_t time, stamp, diff;
    uint32_t key;
    bool late; /* by itself; after the computation, also rows that join a session are not */
} row;

typedef struct side {
    row rows[ROWS_MAX];
    uint32_t count;
} side;

typedef struct problem {
    what what;
    side sides[2];
    weir_interval interval;
    weir_window_match window;
    weir_latest latest;
    weir_duplicates duplicates;
    const char *from, *until; /* of WHILE, and of the rows of which TOP takes the first */
    weir_top top;
    const weir_join_kernel *kernel;
    uint32_t flush_every, step_every, step_other;
    test_list results, late[2];
} problem;

/* Makes one; its lists are empty. */
void make_problem(problem *of);

static inline int64_t saturated(__int128 value)
{
    return value > INT64_MAX ? INT64_MAX : value < INT64_MIN ? INT64_MIN : (int64_t)value;
}

int64_t lateness_of(const problem *of);
/* The last instant of the last window that has a time. */
int64_t last_window_of(const problem *of, int64_t time);

/* ---- what is expected ------------------------------------------------------------------- */

/* What an operator gives for a pair: whether it is one of WEIR_JOIN_SOME that gives a row. */
static inline bool make_match(const event *a, const other *b, match *out)
{
    *out = (match){.key = a->key, .a = a->at, .b = b->when, .sum = a->value * 10 + b->value};
    out->note = a->note.length > b->note.length ? a->note : b->note;
    return (a->value + b->value) % 5 != 0;
}

typedef struct expected {
    problem *of;
    test_list results, late[2];
} expected;

void add_result(expected *to, const weir_type *type, const void *result, int64_t time,
                int64_t diff);
/* What a pair of rows (NULL: a row that is alone) gives in a window. */
void add_match(expected *to, const row *a, const row *b, int64_t start, int64_t end, int64_t time,
               int64_t diff);
/* Sorts times; each is there once then. Returns how many. */
uint32_t sort_times(int64_t *times, uint32_t count);

void join_intervals(expected *to);
void join_windows(expected *to);
void join_as_of(expected *to);
void deduplicate(expected *to);
void filter(expected *to);
void take_tops(expected *to);

#endif
