/* Runs a graph program. All workers push their shares of the base and are done; worker 0 then
 * pushes one transaction after the other, each when the answer to the one before is there. */
#include "program.h"

#include <inttypes.h>
#include <math.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "changes.h"

#define OPTIONS_MAX 16

/* The answer as worker 0 keeps it: rows and how often each is there, sorted. */
typedef struct kept {
    answer row;
    int64_t count;
} kept;

typedef struct job {
    const graph_program *program;
    changes changes;
    const char *edges, *facts, *updates, *at_list;
    uint64_t *at; /* the transactions to print, ascending */
    uint64_t at_count;
    kept *rows; /* this and what follows: worker 0 */
    uint64_t row_count, row_capacity;
    uint64_t *latencies_ns;
    uint64_t latency_count;
} job;

/* ---- the answer ------------------------------------------------------------------------- */

/* The first place whose row is not before this one. */
static uint64_t place_of(const job *j, const answer *row)
{
    uint64_t low = 0, high = j->row_count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (weir_row_compare(&answer_type, &j->rows[middle].row, row) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void take_row(job *j, const answer *row, int64_t diff)
{
    uint64_t at = place_of(j, row);
    kept *place = &j->rows[at];
    if (at < j->row_count && weir_row_equal(&answer_type, &place->row, row)) {
        place->count += diff;
        if (place->count == 0)
            memmove(place, place + 1, (--j->row_count - at) * sizeof *place);
        return;
    }
    if (j->row_count == j->row_capacity) {
        j->row_capacity = j->row_capacity ? j->row_capacity * 2 : 256;
        j->rows = realloc(j->rows, j->row_capacity * sizeof *j->rows);
        if (!j->rows) {
            fprintf(stderr, "no memory for the answer\n");
            exit(70);
        }
        place = &j->rows[at];
    }
    memmove(place + 1, place, (j->row_count++ - at) * sizeof *place);
    *place = (kept){*row, diff};
}

WEIR_EACH(take_answer, answer)
{
    take_row(arg, in, diff);
}

/* Greatest value first, then smallest key. */
static int compare_shares(const void *a, const void *b)
{
    const answer *left = &((const kept *)a)->row, *right = &((const kept *)b)->row;
    if (left->value != right->value)
        return left->value > right->value ? -1 : 1;
    return left->key < right->key ? -1 : left->key > right->key;
}

static int compare_rows(const void *a, const void *b)
{
    return weir_row_compare(&answer_type, &((const kept *)a)->row, &((const kept *)b)->row);
}

static void print_line(uint64_t txn, const answer_line *line, const kept *at)
{
    if (at->count != 1)
        printf("%" PRId64 " times: ", at->count);
    printf("%" PRIu64 "\t%s\t", txn, line->name);
    if (line->kind == LINE_TOTAL)
        printf("%" PRId64 "\n", at->row.value);
    else if (line->kind == LINE_KEYED)
        printf("%" PRIu64 "\t%" PRId64 "\n", at->row.key, at->row.value);
    else
        printf("%" PRIu64 "\t%.12g\n", at->row.key, ldexp((double)at->row.value, -62));
}

static void print_answer(job *j, uint64_t txn)
{
    const answer_line *lines = j->program->lines;
    for (uint64_t line = 0; lines[line].name; line++) {
        uint64_t begin = place_of(j, &(answer){.line = line, .value = INT64_MIN});
        uint64_t end = place_of(j, &(answer){.line = line + 1, .value = INT64_MIN});
        bool share = lines[line].kind == LINE_SHARE; /* in another order for a moment */
        if (share && begin < end)
            qsort(j->rows + begin, end - begin, sizeof *j->rows, compare_shares);
        for (uint64_t i = begin; i < end; i++)
            print_line(txn, &lines[line], &j->rows[i]);
        if (share && begin < end)
            qsort(j->rows + begin, end - begin, sizeof *j->rows, compare_rows);
        if (begin == end && lines[line].kind == LINE_TOTAL)
            print_line(txn, &lines[line], &(kept){.count = 1});
    }
}

/* ---- running ---------------------------------------------------------------------------- */

/* A worker's way into its dataflow, and how it sees the end of an epoch. */
typedef struct entrance {
    weir_input *inputs[RELATIONS_MAX];
    const weir_probe *done;
} entrance;

static void push_change(const job *j, const entrance *to, const change *c)
{
    weir_out *out = weir_input_out(to->inputs[c->relation]);
    weir_out_diff(out, c->diff);
    if (j->program->weighted)
        road_push(out, (road){c->src, c->dst, c->weight});
    else
        edge_push(out, (edge){c->src, c->dst});
}

/* Ends an epoch, or all of them, and waits for its answer. Without updates to come, inputs
 * are closed: the dataflow then keeps nothing that only they could ask for. */
static bool complete(weir_worker *worker, job *j, entrance *to, uint64_t txn, bool last)
{
    for (uint32_t r = 0; j->changes.relations[r]; r++)
        if (last)
            weir_input_close(&to->inputs[r]);
        else
            weir_input_advance(to->inputs[r], txn + 1);
    return weir_probe_wait(worker, to->done, txn + 1);
}

/* Applies the transactions up to `txn`, from `*next` on. */
static bool follow_to(weir_worker *worker, job *j, entrance *to, uint64_t *next, uint64_t txn,
                      uint64_t end)
{
    const change *all = j->changes.all;
    while (*next < end && all[*next].txn <= txn) {
        uint64_t begin_ns = weir_now(worker), now = all[*next].txn;
        for (; *next < end && all[*next].txn == now; ++*next)
            push_change(j, to, &all[*next]);
        if (!complete(worker, j, to, now, *next == end))
            return false;
        j->latencies_ns[j->latency_count++] = weir_now(worker) - begin_ns;
    }
    return true;
}

static int compare_numbers(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

static void report(job *j, uint64_t load_ns)
{
    uint64_t count = j->latency_count, *ns = j->latencies_ns;
    fflush(stdout);
    fprintf(stderr, "loaded %" PRIu64 " rows in %.3f s\n", j->changes.base_count,
            (double)load_ns / 1e9);
    if (!count)
        return;
    qsort(ns, count, sizeof *ns, compare_numbers);
    fprintf(stderr, "%" PRIu64 " transactions: p50 %.1f us, p99 %.1f us, max %.1f us\n", count,
            (double)ns[count / 2] / 1e3, (double)ns[count * 99 / 100] / 1e3,
            (double)ns[count - 1] / 1e3);
}

/* Worker 0, once the base is pushed. */
static void follow(weir_worker *worker, job *j, entrance *to, uint64_t begin_ns)
{
    uint64_t next = j->changes.base_count, end = next;
    while (end < j->changes.count && j->changes.all[end].txn <= j->at[j->at_count - 1])
        end++;
    if (!complete(worker, j, to, 0, next == end))
        return;
    uint64_t load_ns = weir_now(worker) - begin_ns;
    for (uint64_t i = 0; i < j->at_count; i++) {
        if (!follow_to(worker, j, to, &next, j->at[i], end))
            return;
        print_answer(j, j->at[i]);
    }
    report(j, load_ns);
}

static void run(weir_worker *worker, void *arg)
{
    job *j = arg;
    entrance to;
    weir_stream relations[RELATIONS_MAX];
    const weir_type *type = j->program->weighted ? &road_type : &edge_type;
    weir_dataflow *flow = weir_dataflow_begin(worker, j->program->lines->name);
    for (uint32_t r = 0; j->changes.relations[r]; r++)
        relations[r] = weir_distinct(weir_input_new(flow, type, &to.inputs[r]));
    weir_stream rows = weir_gather(j->program->build(flow, relations), 0);
    to.done = weir_probe_new(weir_inspect_with(rows, &take_answer, j));
    if (!weir_dataflow_end_or_stop(flow))
        return;
    uint64_t begin_ns = weir_now(worker), workers = weir_worker_count(worker);
    for (uint64_t i = weir_worker_index(worker); i < j->changes.base_count; i += workers)
        push_change(j, &to, &j->changes.all[i]);
    if (weir_worker_index(worker) == 0)
        follow(worker, j, &to, begin_ns);
}

/* ---- the command line ------------------------------------------------------------------- */

/* Numbers with commas between them. Returns how many, 0 if malformed; free(*out). */
static uint64_t parse_list(const char *list, uint64_t **out)
{
    uint64_t count = 0;
    *out = malloc((strlen(list) + 1) * sizeof **out);
    for (const char *at = list; *at; at += *at == ',') {
        char *end;
        if (*at < '0' || *at > '9')
            return 0;
        errno = 0;
        (*out)[count++] = strtoull(at, &end, 10);
        if (errno || (*end && (*end != ',' || !end[1])))
            return 0;
        at = end;
    }
    return count;
}

static weir_err *read_changes(job *j)
{
    static const char *const just_edges[] = {"edges", NULL};
    const char *const *names = j->program->relations ? j->program->relations : just_edges;
    bool one = !names[1];
    weir_err *err = NULL;
    for (uint32_t r = 0; names[r]; r++)
        j->changes.relations[r] = names[r];
    if (j->edges && j->facts)
        return weir_err_new("which graph? --edges or --facts names it, not both");
    if (!j->edges && !j->facts)
        return weir_err_new(one ? "which graph? --edges FILE names it"
                                : "which relations? --facts DIR says where they are");
    if (j->edges)
        err = changes_read_base(&j->changes, 0, j->edges);
    for (uint32_t r = 0; names[r] && !j->edges && !err; r++)
        err = changes_read_facts(&j->changes, r, j->facts);
    if (!err && j->updates)
        err = changes_read_updates(&j->changes, j->updates);
    return err;
}

/* What --at says; without it the last transaction. */
static weir_err *read_at(job *j)
{
    const changes *c = &j->changes;
    if (j->at_list) {
        j->at_count = parse_list(j->at_list, &j->at);
        if (!j->at_count)
            return weir_err_new("--at is a list of transactions, say 0,10,20, not `%s`",
                                j->at_list);
        qsort(j->at, j->at_count, sizeof *j->at, compare_numbers);
        return NULL;
    }
    j->at_count = 1;
    j->at = calloc(1, sizeof *j->at);
    *j->at = c->count > c->base_count ? c->all[c->count - 1].txn : 0;
    return NULL;
}

static weir_err *run_job(job *j, const weir_config *config)
{
    weir_err *err = read_changes(j);
    if (!err)
        err = read_at(j);
    if (!err) {
        j->latencies_ns = calloc(j->changes.count - j->changes.base_count + 1, sizeof(uint64_t));
        err = text_printed(weir_execute(config, run, j));
    }
    free(j->at);
    free(j->rows);
    free(j->latencies_ns);
    changes_fini(&j->changes);
    return err;
}

int graph_main(int argc, char **argv, const graph_program *program)
{
    job j = {.program = program, .changes.weighted = program->weighted};
    weir_config config = {0};
    bool several = program->relations && program->relations[1], weighted = program->weighted;
    const char *edges = weighted ? "the graph: src dst [weight]" : "the graph: src dst";
    const char *updates = several    ? "how they change: txn relation src dst diff"
                          : weighted ? "how it changes: txn src dst [weight] diff"
                                     : "how it changes: txn src dst diff";
    const weir_option of_all[] = {
        {.name = "edges", .value = "FILE", .help = edges, .text = &j.edges},
        {.name = "facts",
         .value = "DIR",
         .help = several ? "where the files of the relations are" : "or where its file is",
         .text = &j.facts},
        {.name = "updates", .value = "FILE", .help = updates, .text = &j.updates},
        {.name = "at",
         .value = "LIST",
         .help = "after which transactions to print, say 0,10,20",
         .text = &j.at_list}};
    weir_option options[OPTIONS_MAX] = {0};
    uint32_t count = 0;
    for (uint32_t i = several; i < 4; i++) /* several relations are not --edges */
        options[count++] = of_all[i];
    for (uint32_t i = 0; program->options && program->options[i].name; i++)
        options[count++] = program->options[i];
    weir_err *err = weir_options(&argc, argv, program->about, options, &config);
    if (!err && config.arguments[0])
        err = weir_err_new("what is `%s`? %s", config.arguments[0],
                           several ? "--facts says where the relations are"
                                   : "the graph is named by --edges");
    if (err)
        return weir_report(err, 2);
    return weir_report(run_job(&j, &config), 1);
}

weir_stream graph_nodes(weir_dataflow *flow, const char *list)
{
    uint64_t *ids;
    uint64_t count = parse_list(list, &ids);
    if (!count)
        weir_scope_fail(flow, "`%s` is not a list of numbers", list);
    weir_stream nodes = weir_from_rows(flow, &node_type, ids, count);
    free(ids);
    return nodes;
}
