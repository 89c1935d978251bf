/* Which packages does a Debian package pull in, itself, directly or through others, and how
 * does that change with the archive? Reads the dependencies of Debian 12 and 1,255
 * transactions (each a package that is new or updated), and keeps the answer up to date.
 *
 *     dependencies -w 2                    of apt and gnome
 *     dependencies -w 4 firefox-esr        of another package
 *     dependencies --reverse apt           which packages pull in apt?
 *
 * A transaction is an epoch. The dataflow is a loop that any change of the dependencies
 * brings up to date, whether they come or go: it looks again only at what the change concerns.
 * Answers go to stdout, times and progress to stderr. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/weir.h>

#include "answer.h"
#include "archive.h"

#define PROGRESS_NS 100000000

#define EDGE(F) F(u64, src) F(u64, dst)
#define VISIT(F) F(u64, node) F(u64, root)
WEIR_ROW(edge, EDGE)
WEIR_ROW(visit, VISIT) /* the node is reached from the root */

typedef struct job {
    archive archive;
    const char *folder;
    bool reverse, list, verbose;
    answer answer; /* this and what follows: worker 0 */
    uint64_t *latencies_ns;
    uint32_t latency_count;
    bool progress;               /* shown, since stderr is a terminal */
    uint64_t start_ns, shown_ns; /* of the transactions, of the last progress line */
} job;

/* ---- the dataflow ----------------------------------------------------------------------- */

WEIR_JOIN(follow, visit, edge, visit)
{
    *out = (visit){b->dst, a->root};
}

/* What is reached from where: how that changes. */
static weir_stream reach(weir_stream edges, weir_stream roots)
{
    weir_loop *loop = weir_loop_begin(edges.scope, "reach");
    weir_stream edges_in = weir_enter(loop, edges);
    weir_stream visits = weir_variable(loop, weir_enter(loop, roots));
    weir_stream reached = weir_distinct(visits);
    weir_variable_set(
        visits, weir_join(reached, WEIR_BY(visit, node), edges_in, WEIR_BY(edge, src), &follow));
    return weir_consolidate(weir_leave(loop, reached));
}

/* ---- sending ---------------------------------------------------------------------------- */

static void push_change(const job *j, weir_out *out, const change *c)
{
    weir_out_diff(out, c->diff);
    edge_push(out, j->reverse ? (edge){c->dst, c->src} : (edge){c->src, c->dst});
}

/* The base, each worker its share. Returns where the transactions begin. */
static uint64_t push_base(weir_worker *worker, const job *j, weir_input *edges)
{
    uint64_t i = 0, index = weir_worker_index(worker), workers = weir_worker_count(worker);
    for (; i < j->archive.change_count && j->archive.changes[i].txn == 0; i++)
        if (i % workers == index)
            push_change(j, weir_input_out(edges), &j->archive.changes[i]);
    return i;
}

/* The changes of one transaction from `at` on. Returns where the next one's begin. */
static uint64_t push_txn(const job *j, uint64_t at, weir_input *edges)
{
    const change *changes = j->archive.changes;
    uint32_t txn = changes[at].txn;
    for (; at < j->archive.change_count && changes[at].txn == txn; at++)
        push_change(j, weir_input_out(edges), &changes[at]);
    return at;
}

/* ---- reporting -------------------------------------------------------------------------- */

static void show_progress(job *j, uint32_t txn, uint64_t now_ns)
{
    if (!j->progress || now_ns - j->shown_ns < PROGRESS_NS)
        return;
    j->shown_ns = now_ns;
    fprintf(stderr, "\r%u of %u transactions, %.0f a second\033[K", txn, j->archive.txn_last,
            txn / ((double)(now_ns - j->start_ns) / 1e9));
}

static void clear_progress(const job *j)
{
    if (j->progress)
        fprintf(stderr, "\r\033[K");
}

static int compare_ns(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

static void print_latencies(job *j)
{
    uint64_t *ns = j->latencies_ns, count = j->latency_count;
    if (!count)
        return;
    qsort(ns, count, sizeof *ns, compare_ns);
    fprintf(stderr, "latencies: p50 %.1f us, p99 %.1f us, max %.1f us\n",
            (double)ns[count / 2] / 1e3, (double)ns[count * 99 / 100] / 1e3,
            (double)ns[count - 1] / 1e3);
}

static void report(job *j, uint32_t txn, uint64_t begin_ns, uint64_t end_ns)
{
    j->latencies_ns[j->latency_count++] = end_ns - begin_ns;
    if (j->answer.change_count)
        clear_progress(j);
    answer_print(&j->answer, txn);
    if (j->verbose)
        fprintf(stderr, "transaction %u: %.1f us\n", txn, (double)(end_ns - begin_ns) / 1e3);
    show_progress(j, txn, end_ns);
}

static void summarise(job *j, uint64_t end_ns)
{
    clear_progress(j);
    printf("after %u transactions:", j->archive.txn_last);
    for (uint32_t r = 0; r < j->answer.root_count; r++)
        printf("%s %s %lld", r ? "," : "", j->archive.names[j->answer.roots[r]],
               (long long)j->answer.counts[r]);
    printf("\n");
    if (j->list)
        answer_list(&j->answer);
    fflush(stdout);
    fprintf(stderr, "%u transactions in %.3f s\n", j->latency_count,
            (double)(end_ns - j->start_ns) / 1e9);
    print_latencies(j);
}

/* ---- running ---------------------------------------------------------------------------- */

WEIR_EACH(take_change, visit)
{
    job *j = arg;
    answer_update(&j->answer, (uint32_t)in->root, (uint32_t)in->node, diff);
}

static weir_stream roots_of(weir_dataflow *flow, const answer *of)
{
    visit roots[ROOTS_MAX];
    for (uint32_t r = 0; r < of->root_count; r++)
        roots[r] = (visit){of->roots[r], r};
    return weir_from_rows(flow, &visit_type, roots, of->root_count);
}

/* Ends an epoch and waits for its answer. */
static bool complete(weir_worker *worker, weir_input *edges, const weir_probe *done, uint32_t txn)
{
    weir_input_advance(edges, txn + 1);
    return weir_probe_wait(worker, done, txn + 1);
}

/* Worker 0: the transactions one after the other, each when the one before is answered. */
static void follow_updates(weir_worker *worker, job *j, uint64_t at, weir_input *edges,
                           const weir_probe *done)
{
    printf("%llu dependencies, then %u transactions: which packages %s?\n", (unsigned long long)at,
           j->archive.txn_count, j->reverse ? "pull in these" : "do these pull in");
    uint64_t load_ns = weir_now(worker);
    if (!complete(worker, edges, done, 0))
        return;
    printf("transaction  package           count  change\n");
    answer_print(&j->answer, 0);
    j->start_ns = j->shown_ns = weir_now(worker);
    fprintf(stderr, "loaded in %.3f s\n", (double)(j->start_ns - load_ns) / 1e9);
    while (at < j->archive.change_count) {
        uint32_t txn = j->archive.changes[at].txn;
        uint64_t begin_ns = weir_now(worker);
        at = push_txn(j, at, edges);
        if (!complete(worker, edges, done, txn))
            return;
        report(j, txn, begin_ns, weir_now(worker));
    }
    summarise(j, weir_now(worker));
}

static void run(weir_worker *worker, void *arg)
{
    job *j = arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "dependencies");
    weir_stream edges = weir_input_new(flow, &edge_type, &input);
    weir_stream changes = weir_gather(reach(edges, roots_of(flow, &j->answer)), 0);
    weir_probe *done = weir_probe_new(weir_inspect_with(changes, &take_change, j));
    if (!weir_dataflow_end_or_stop(flow))
        return;
    uint64_t at = push_base(worker, j, input);
    if (weir_worker_index(worker) == 0)
        follow_updates(worker, j, at, input, done);
}

/* ---- the command line ------------------------------------------------------------------- */

static weir_err *add_root(job *j, const char *name)
{
    if (j->answer.root_count == ROOTS_MAX)
        return weir_err_new("too many packages: at most %d at once", ROOTS_MAX);
    return archive_find(&j->archive, name, &j->answer.roots[j->answer.root_count++]);
}

static weir_err *answer_all(const weir_config *config, job *j, char **names)
{
    weir_err *err = archive_read(&j->archive, j->folder);
    if (err)
        return err;
    answer_init(&j->answer, &j->archive);
    j->latencies_ns = calloc(j->archive.txn_count + 1, sizeof(uint64_t));
    for (char **name = names; *name && !err; name++)
        err = add_root(j, *name);
    if (!*names && !(err = add_root(j, "apt")))
        err = add_root(j, "gnome");
    if (!err)
        err = text_printed(weir_execute(config, run, j));
    free(j->latencies_ns);
    answer_fini(&j->answer);
    return err;
}

int main(int argc, char **argv)
{
    job j = {.folder = "examples/data", .progress = isatty(STDERR_FILENO)};
    weir_config config = {0};
    const weir_option options[] = {
        {.name = "data",
         .value = "DIR",
         .help = "where the data is (examples/data)",
         .text = &j.folder},
        {.name = "reverse", .help = "which packages pull in the given ones", .flag = &j.reverse},
        {.name = "list", .help = "in the end, list every package pulled in", .flag = &j.list},
        {.name = "verbose", .help = "how long each transaction took", .flag = &j.verbose},
        {0}};
    weir_err *err = weir_options(&argc, argv,
                                 "Which packages do Debian packages pull in, kept up to date? "
                                 "ARGUMENTs are packages, apt and gnome if there are none.",
                                 options, &config);
    if (err)
        return weir_report(err, 2);
    err = answer_all(&config, &j, config.arguments);
    archive_fini(&j.archive);
    return weir_report(err, 1);
}
