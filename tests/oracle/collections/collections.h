/* What the parts of the collections oracle share: a case (a random dataflow, its changes and
 * the way it is run), and the abstract rows on which the naive side computes.
 *
 * The hard idea: a row of every shape (numbers, texts, several fields; see shape.h) stands
 * for a cell of three small numbers, and encodings keep the order. So one naive evaluator
 * serves all row types, while the dataflow sees real ones of every width.
 *
 *   generate.c   a random case from a seed
 *   naive.c      what every node holds at every time, by evaluating it from scratch
 *   build.c      the same case as a dataflow; feeding it; recording what comes out
 *   describe.c   a case as text
 *   shrink.c     a smaller case that still fails */
#ifndef WEIR_TESTS_ORACLE_COLLECTIONS_H
#define WEIR_TESTS_ORACLE_COLLECTIONS_H

#include <pthread.h>
#include <stdatomic.h>

#include <weir/weir.h>
#include <weir/collection.h>

/* ---- cells ------------------------------------------------------------------------------ */

/* k is in [0, domain.k), v in [-domain.v, domain.v) (0 if that is 0), w in [0, domain.w). */
typedef struct cell {
    int32_t k, v, w;
} cell;

typedef struct domain {
    int32_t k, v, w;
} domain;

/* What a kernel is told. */
typedef struct params {
    int32_t mode, a, b;
    domain in;
    uint64_t stride; /* of real coordinates */
} params;

/* Which fields a key or an order is made of. */
typedef enum part { BY_K, BY_V, BY_KV, BY_WV, BY_NOTHING } part;

/* ---- a case ----------------------------------------------------------------------------- */

#define KINDS(F)                      \
    F(INPUT, "input")                 \
    F(MAP, "map")                     \
    F(FILTER, "filter")               \
    F(FLAT_MAP, "flat_map")           \
    F(FILTER_MAP, "filter_map")       \
    F(CONCAT, "concat")               \
    F(NEGATE, "negate")               \
    F(CONSOLIDATE, "consolidate")     \
    F(DELAY, "delay")                 \
    F(ARRANGED, "arrangement_stream") \
    F(JOIN, "join")                   \
    F(JOIN_SOME, "join_some")         \
    F(JOIN_ARRANGED, "join_arranged") \
    F(JOIN_ENTERED, "join_entered")   \
    F(SEMIJOIN, "semijoin")           \
    F(ANTIJOIN, "antijoin")           \
    F(LEFT_JOIN, "left_join")         \
    F(FULL_JOIN, "full_join")         \
    F(HALF_JOIN, "half_join")         \
    F(DELTA_TWO, "delta_two")         \
    F(DELTA_THREE, "delta_three")     \
    F(REDUCE, "reduce")               \
    F(THRESHOLD, "threshold")         \
    F(DISTINCT, "distinct")           \
    F(COUNT, "count")                 \
    F(SUM, "sum")                     \
    F(AVG, "avg")                     \
    F(MIN, "min")                     \
    F(MAX, "max")                     \
    F(QUANTILE, "quantile")           \
    F(TOP, "top")                     \
    F(FIRST, "first")                 \
    F(LAST, "last")                   \
    F(PREFIX_SUM, "prefix_sum")       \
    F(UPSERT, "upsert")               \
    F(ENTER, "enter")                 \
    F(ENTER_AT, "enter_at")           \
    F(VARIABLE, "variable")           \
    F(LEAVE, "leave")                 \
    F(AS_OF, "as_of")                 \
    F(VALID, "valid")

#define KIND_NAME(kind, name) kind,
typedef enum kind { KINDS(KIND_NAME) KIND_COUNT, GONE } kind;
#undef KIND_NAME

extern const char *const kind_names[KIND_COUNT];

#define NODES_MAX 40
#define NODES_SPARE 16 /* for what begun loops still need */
#define LOOPS_MAX 3
#define INPUTS_MAX 3
#define CHANGES_MAX 160
#define ROUNDS_MAX 30 /* a loop that needs more is not a case */
#define EPOCHS_MAX 60 /* of changes */
#define GRID_MAX 80   /* times of a dimension */

typedef struct node {
    kind kind;
    int scope;   /* 0: the dataflow; otherwise loops[scope - 1] */
    int from[3]; /* nodes; -1: none. A variable: its initial content, and what is next */
    params with;
    part key, order;
    uint32_t descending;
    weir_top top;
    uint64_t at;  /* as_of: the coordinate; delay: by how many */
    int dim;      /* as_of, valid */
    double share; /* quantile */
    bool replace; /* variable */
    bool up_to;   /* half_join */
} node;

typedef struct loop {
    int parent;      /* a scope */
    uint64_t rounds; /* 0: no bound */
} loop;

typedef struct change {
    int input;
    uint64_t at[2];
    cell row;
    int64_t diff;
} change;

typedef enum drive {
    DRIVE_FREE, /* each input of each worker in its own order, at its own speed */
    DRIVE_STEP  /* epoch by epoch, waiting for each to be complete */
} drive;

typedef enum importing {
    IMPORT_NOT,
    IMPORT_ALL,  /* what the last node holds, by another dataflow, from the beginning */
    IMPORT_LATER /* or from some time on */
} importing;

typedef struct test_case {
    int shape;
    int dims;
    uint64_t span[4]; /* all changes, delays included, are at coordinates below */
    uint64_t stride;  /* real coordinates are these times that */
    node nodes[NODES_MAX];
    int node_count;
    loop loops[LOOPS_MAX];
    int loop_count;
    change changes[CHANGES_MAX];
    int change_count;
    int watched; /* a node; -1: all */
    uint32_t workers;
    bool deterministic;
    uint64_t seed;
    drive drive;
    uint32_t flush_in, step_in; /* one in so many pushes */
    uint32_t repeats;           /* as often is each change also taken back and made again */
    importing import;
    bool columns; /* rows may be pushed before their input is at their time */
} test_case;

/* How many coordinates times have in a scope. */
int scope_dims(const test_case *of, int scope);
/* The node that is probed and published: the watched one, or the last. */
int probed(const test_case *of);

/* ---- drawing ---------------------------------------------------------------------------- */

typedef struct rng {
    uint64_t state;
} rng;

uint64_t draw(rng *from, uint64_t below);

/* Makes a case; what must not appear is listed by kind; `workers` and the most changes are
 * drawn if they are 0. It may still have no defined meaning
 * (naive_check says so): then draw again. */
void generate(test_case *out, rng *from, const bool without[KIND_COUNT], uint32_t workers,
              uint32_t changes);

/* ---- the naive side --------------------------------------------------------------------- */

typedef struct entry {
    uint64_t id; /* of a cell */
    int64_t count;
} entry;

/* Sorted by id; no count is zero. */
typedef struct bag {
    entry *entries;
    uint32_t count, capacity;
} bag;

uint64_t cell_id(cell of);
cell cell_of(uint64_t id);
/* Sorts and adds up. */
void bag_settle(bag *of);
void bag_add(bag *to, uint64_t id, int64_t count);

/* Starts evaluating a case. Returns whether every node has a meaning at every time: loops
 * end, and counts are not negative where that is not defined. */
bool naive_check(const test_case *of);
/* What the node holds at a time: root coordinates, then rounds. Valid until naive_check. */
const bag *naive_value(int node, const uint64_t at[4]);
/* The same; NULL if that has no meaning, or takes too long. */
const bag *naive_try(int node, const uint64_t at[4]);

/* ---- the dataflow ----------------------------------------------------------------------- */

typedef struct update {
    uint64_t id;
    weir_time time;
    int64_t diff;
} update;

typedef struct record {
    update *updates;
    uint32_t count, capacity;
} record;

typedef struct run run;

/* What a node's recorder is told. */
typedef struct watch {
    run *run;
    int node;
    bool last;
} watch;

struct run {
    const test_case *of;
    params with[NODES_MAX];
    pthread_mutex_t lock;
    record nodes[NODES_MAX + 1]; /* and what was imported */
    _Atomic(uint64_t) complete;  /* epochs below are, where the last node is probed */
    _Atomic(bool) late;
    watch watches[NODES_MAX + 1];
};

/* Runs the case. Returns NULL, or what went wrong (the caller frees it). */
char *run_case(const test_case *of, run *out);
void run_free(run *of);

/* Compares what a run recorded with the naive side; prints differences to `to`. */
bool compare_case(const test_case *of, const run *got, void *to /* FILE* */);

void describe_case(const test_case *of, void *to /* FILE* */);
void describe_cell(cell of, void *to /* FILE* */);

/* ---- shrinking -------------------------------------------------------------------------- */

/* Whether the case still fails, in whatever way. */
typedef bool still_fails(const test_case *of, void *arg);
void shrink_case(test_case *of, still_fails *fails, void *arg);

/* ---- shapes ----------------------------------------------------------------------------- */

/* Rows of one kind of fields, and kernels that compute on their cells (functions.h). */
typedef struct shape {
    const char *name;
    domain most;
    bool sums_v;     /* v is a number */
    bool prefixes_v; /* v is an integer */
    const weir_type *type;
    void (*push)(weir_out *out, cell of);
    cell (*read)(const void *row);
    weir_key (*key)(part by);
    weir_order (*order)(part by, uint32_t descending);
    const weir_map_kernel *map, *alone, *b_alone;
    const weir_filter_kernel *filter;
    const weir_flat_map_kernel *flat_map, *filter_map;
    const weir_join_kernel *join, *join_swapped, *join_some;
    const weir_reduce_kernel *reduce;
    const weir_route_kernel *round, *from, *until;
    weir_stream (*group)(weir_stream in, const node *how, params *with);
} shape;

extern const shape shape_pair, shape_small, shape_node, shape_text, shape_wide, shape_string;
#define SHAPES 6
extern const shape *const shapes[SHAPES];

#endif
