/* Which posts and which comments of a social network are most controversial, as people write,
 * like and make friends? The case of the Transformation Tool Contest 2018 (Hinkel, "The TTC
 * 2018 Social Media Case"); queries.c says how things score.
 *
 *     social_media --stream stream.tsv -w 2
 *
 * Prints `Q1 txn id id id` and `Q2 txn id id id`: the three best posts and comments after each
 * transaction, first all of Q1. Each transaction is an epoch, sent when the one before is
 * answered. Times go to stderr. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/weir.h>

#include "../graph/text_file.h"
#include "queries.h"
#include "stream.h"

/* An epoch replaces at most all rows, and may do so in any order. */
#define KEPT_MAX (2 * QUERIES * BEST)

/* After a transaction: the best first, 0 of them or up to BEST. */
typedef struct result {
    uint64_t txn;
    uint64_t ids[QUERIES][BEST];
    uint32_t count[QUERIES];
} result;

typedef struct job {
    const char *path;
    stream changes;
    uint64_t base_count; /* changes of transaction 0 */
    best kept[KEPT_MAX]; /* this and what follows: worker 0 */
    uint32_t kept_count;
    result *results;
    uint64_t *latencies_ns;
    uint64_t result_count;
} job;

/* ---- the answer ------------------------------------------------------------------------- */

/* Rows come consolidated, and each is there once. */
WEIR_EACH(take_best, best)
{
    job *j = arg;
    if (diff > 0) {
        j->kept[j->kept_count++] = *in;
        return;
    }
    uint32_t at = 0;
    while (!weir_row_equal(&best_type, &j->kept[at], in))
        at++;
    j->kept[at] = j->kept[--j->kept_count];
}

static int compare_best(const void *a, const void *b)
{
    const best *left = a, *right = b;
    if (left->score != right->score)
        return left->score > right->score ? -1 : 1;
    if (left->time != right->time)
        return left->time > right->time ? -1 : 1;
    return left->id < right->id ? -1 : left->id > right->id;
}

static void keep_result(job *j, uint64_t txn, uint64_t latency_ns)
{
    result *to = &j->results[j->result_count];
    *to = (result){.txn = txn};
    j->latencies_ns[j->result_count++] = latency_ns;
    qsort(j->kept, j->kept_count, sizeof *j->kept, compare_best);
    for (uint32_t i = 0; i < j->kept_count; i++) {
        uint64_t query = j->kept[i].query;
        to->ids[query][to->count[query]++] = j->kept[i].id;
    }
}

static int compare_ns(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

static void report(job *j)
{
    for (int query = 0; query < QUERIES; query++)
        for (uint64_t i = 0; i < j->result_count; i++) {
            const result *r = &j->results[i];
            printf("Q%d\t%" PRIu64, query + 1, r->txn);
            for (uint32_t b = 0; b < r->count[query]; b++)
                printf("\t%" PRIu64, r->ids[query][b]);
            printf("\n");
        }
    fflush(stdout);
    uint64_t *ns = j->latencies_ns, count = j->result_count - 1; /* the first is the base */
    fprintf(stderr, "loaded %" PRIu64 " rows in %.3f s\n", j->base_count, (double)*ns++ / 1e9);
    if (!count)
        return;
    qsort(ns, count, sizeof *ns, compare_ns);
    fprintf(stderr, "%" PRIu64 " transactions: p50 %.1f us, p99 %.1f us, max %.1f us\n", count,
            (double)ns[count / 2] / 1e3, (double)ns[count * 99 / 100] / 1e3,
            (double)ns[count - 1] / 1e3);
}

/* ---- running ---------------------------------------------------------------------------- */

/* A worker's way into its dataflow: no input for users, of whom nothing is asked. */
typedef struct entrance {
    weir_input *inputs[USER];
    const weir_probe *done;
} entrance;

static void push_change(entrance *to, const change *c)
{
    if (c->of == USER)
        return;
    weir_out *out = weir_input_out(to->inputs[c->of]);
    const int64_t *field = c->field;
    weir_out_diff(out, c->diff);
    if (c->of == POST)
        post_push(out, (post){(uint64_t)field[0], field[1]});
    else if (c->of == COMMENT)
        comment_push(out, (comment){(uint64_t)field[0], field[1], (uint64_t)field[3]});
    else if (c->of == LIKE)
        like_push(out, (like){(uint64_t)field[0], (uint64_t)field[1]});
    else
        friends_push(out, (friends){(uint64_t)field[0], (uint64_t)field[1]});
}

/* Ends an epoch and waits for its answer. */
static bool complete(weir_worker *worker, job *j, entrance *to, uint64_t txn, uint64_t begin_ns)
{
    for (int i = 0; i < USER; i++)
        weir_input_advance(to->inputs[i], txn + 1);
    if (!weir_probe_wait(worker, to->done, txn + 1))
        return false;
    keep_result(j, txn, weir_now(worker) - begin_ns);
    return true;
}

/* Worker 0, once the base is pushed. */
static void follow(weir_worker *worker, job *j, entrance *to, uint64_t begin_ns)
{
    const change *all = j->changes.all;
    if (!complete(worker, j, to, 0, begin_ns))
        return;
    for (uint64_t i = j->base_count; i < j->changes.count;) {
        uint64_t txn = all[i].txn;
        begin_ns = weir_now(worker);
        for (; i < j->changes.count && all[i].txn == txn; i++)
            push_change(to, &all[i]);
        if (!complete(worker, j, to, txn, begin_ns))
            return;
    }
    report(j);
}

static void run(weir_worker *worker, void *arg)
{
    job *j = arg;
    entrance to;
    weir_dataflow *flow = weir_dataflow_begin(worker, "social_media");
    network in = {.posts = weir_input_new(flow, &post_type, &to.inputs[POST]),
                  .comments = weir_input_new(flow, &comment_type, &to.inputs[COMMENT]),
                  .likes = weir_input_new(flow, &like_type, &to.inputs[LIKE]),
                  .friendships = weir_input_new(flow, &friends_type, &to.inputs[FRIENDS])};
    weir_stream answer = weir_gather(weir_consolidate(best_of(in)), 0);
    to.done = weir_probe_new(weir_inspect_with(answer, &take_best, j));
    if (!weir_dataflow_end_or_stop(flow))
        return;
    uint64_t begin_ns = weir_now(worker), workers = weir_worker_count(worker);
    for (uint64_t i = weir_worker_index(worker); i < j->base_count; i += workers)
        push_change(&to, &j->changes.all[i]);
    if (weir_worker_index(worker) == 0)
        follow(worker, j, &to, begin_ns);
}

/* ---- the command line ------------------------------------------------------------------- */

static weir_err *run_job(job *j, const weir_config *config)
{
    if (!j->path)
        return weir_err_new("which network? --stream FILE names it");
    weir_err *err = stream_read(&j->changes, j->path);
    while (j->base_count < j->changes.count && j->changes.all[j->base_count].txn == 0)
        j->base_count++;
    uint64_t results_max = j->changes.count - j->base_count + 1;
    j->results = calloc(results_max, sizeof *j->results);
    j->latencies_ns = calloc(results_max, sizeof *j->latencies_ns);
    if (!err)
        err = text_printed(weir_execute(config, run, j));
    free(j->results);
    free(j->latencies_ns);
    stream_fini(&j->changes);
    return err;
}

int main(int argc, char **argv)
{
    job j = {0};
    weir_config config = {0};
    const weir_option options[] = {
        {.name = "stream", .value = "FILE", .help = "the network and its changes", .text = &j.path},
        {0}};
    weir_err *err = weir_options(
        &argc, argv, "The most controversial posts and comments of a changing social network.",
        options, &config);
    if (!err && config.arguments[0])
        err = weir_err_new("what is `%s`? the network is named by --stream", config.arguments[0]);
    if (err)
        return weir_report(err, 2);
    return weir_report(run_job(&j, &config), 1);
}
