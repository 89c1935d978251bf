/* Which packages does a Debian package pull in, itself, directly or through others, and how
 * does that change with the archive? Reads the dependencies of Debian 12 and 1,255
 * transactions (each a package that is new or updated), and keeps the answer up to date.
 *
 *     dependencies -w 2                    of apt and gnome
 *     dependencies -w 4 firefox-esr        of another package
 *     dependencies --reverse apt           which packages pull in apt?
 *
 * A transaction is an epoch. If it only adds dependencies, the answer is extended from them;
 * if it removes any, the answer is recomputed in full. Answers go to stdout, times and
 * progress to stderr. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answer.h"
#include "archive.h"
#include "reach.h"

#define PROGRESS_NS 100000000

/* How long transactions of one kind took. */
typedef struct latencies {
    uint64_t *ns;
    uint32_t count;
} latencies;

typedef struct job {
    archive archive;
    const char *folder;
    bool reverse, list, verbose;
    answer answer; /* this and what follows: worker 0 */
    latencies extended, recomputed;
    bool progress;               /* shown, since stderr is a terminal */
    uint64_t start_ns, shown_ns; /* of the transactions, of the last progress line */
} job;

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

static void push_roots(const job *j, weir_input *starts)
{
    for (uint32_t r = 0; r < j->answer.root_count; r++)
        visit_push(weir_input_out(starts), (visit){UINT64_C(1) << r, j->answer.roots[r]});
}

/* The changes of one transaction from `at` on. Returns where the next one's begin. */
static uint64_t push_txn(const job *j, uint64_t at, weir_input *edges, bool *removes_out)
{
    const change *changes = j->archive.changes;
    uint32_t txn = changes[at].txn;
    *removes_out = false;
    for (; at < j->archive.change_count && changes[at].txn == txn; at++) {
        push_change(j, weir_input_out(edges), &changes[at]);
        *removes_out |= changes[at].diff < 0;
    }
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

static void print_latencies(latencies *of, const char *how)
{
    if (!of->count)
        return;
    qsort(of->ns, of->count, sizeof *of->ns, compare_ns);
    fprintf(stderr, "%-10s %5u transactions: p50 %.1f us, p99 %.1f us, max %.1f us\n", how,
            of->count, (double)of->ns[of->count / 2] / 1e3,
            (double)of->ns[(uint64_t)of->count * 99 / 100] / 1e3,
            (double)of->ns[of->count - 1] / 1e3);
}

static void report(job *j, uint32_t txn, bool removes, uint64_t begin_ns, uint64_t end_ns)
{
    const char *how = removes ? "recomputed" : "extended";
    latencies *kind = removes ? &j->recomputed : &j->extended;
    kind->ns[kind->count++] = end_ns - begin_ns;
    if (j->answer.change_count)
        clear_progress(j);
    answer_print(&j->answer, txn, how);
    if (j->verbose)
        fprintf(stderr, "transaction %u: %s in %.1f us\n", txn, how,
                (double)(end_ns - begin_ns) / 1e3);
    show_progress(j, txn, end_ns);
}

static void summarise(job *j, uint64_t end_ns)
{
    clear_progress(j);
    printf("after %u transactions:", j->archive.txn_last);
    for (uint32_t r = 0; r < j->answer.root_count; r++)
        printf("%s %s %lld", r ? "," : "", j->archive.names[j->answer.roots[r]],
               (long long)j->answer.counts[r]);
    printf("\n%u only added dependencies: the answer was extended\n"
           "%u removed some: it was recomputed in full\n",
           j->extended.count, j->recomputed.count);
    if (j->list)
        answer_list(&j->answer);
    fflush(stdout);
    fprintf(stderr, "%u transactions in %.3f s\n", j->extended.count + j->recomputed.count,
            (double)(end_ns - j->start_ns) / 1e9);
    print_latencies(&j->extended, "extended");
    print_latencies(&j->recomputed, "recomputed");
}

/* ---- running ---------------------------------------------------------------------------- */

WEIR_EACH(take_change, visit)
{
    job *j = arg;
    answer_update(&j->answer, in, diff);
}

typedef struct entrance {
    weir_input *edges, *starts;
    const weir_probe *done;
} entrance;

/* Ends an epoch and waits for its answer. */
static bool complete(weir_worker *worker, const entrance *to, uint32_t txn)
{
    weir_input_advance(to->edges, txn + 1);
    weir_input_advance(to->starts, txn + 1);
    return weir_probe_wait(worker, to->done, txn + 1);
}

/* Worker 0: the transactions one after the other, each when the one before is answered. */
static void follow(weir_worker *worker, job *j, uint64_t at, const entrance *to)
{
    printf("%llu dependencies, then %u transactions: which packages %s?\n", (unsigned long long)at,
           j->archive.txn_count, j->reverse ? "pull in these" : "do these pull in");
    push_roots(j, to->starts);
    if (!complete(worker, to, 0))
        return;
    printf("transaction  package           count  change\n");
    answer_print(&j->answer, 0, "");
    j->start_ns = j->shown_ns = weir_now(worker);
    while (at < j->archive.change_count) {
        uint32_t txn = j->archive.changes[at].txn;
        uint64_t begin_ns = weir_now(worker);
        bool removes;
        at = push_txn(j, at, to->edges, &removes);
        if (removes)
            push_roots(j, to->starts);
        if (!complete(worker, to, txn))
            return;
        report(j, txn, removes, begin_ns, weir_now(worker));
    }
    summarise(j, weir_now(worker));
}

static void run(weir_worker *worker, void *arg)
{
    job *j = arg;
    entrance to;
    weir_dataflow *flow = weir_dataflow_begin(worker, "dependencies");
    weir_stream edges = weir_input_new(flow, &edge_type, &to.edges);
    weir_stream starts = weir_input_new(flow, &visit_type, &to.starts);
    weir_stream changes = weir_gather(reach(edges, starts), 0);
    to.done = weir_probe_new(weir_inspect_with(changes, &take_change, j));
    if (!weir_dataflow_end_or_stop(flow))
        return;
    uint64_t at = push_base(worker, j, to.edges);
    if (weir_worker_index(worker) == 0)
        follow(worker, j, at, &to);
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
    j->extended.ns = calloc(j->archive.txn_count + 1, sizeof(uint64_t));
    j->recomputed.ns = calloc(j->archive.txn_count + 1, sizeof(uint64_t));
    for (char **name = names; *name && !err; name++)
        err = add_root(j, *name);
    if (!*names && !(err = add_root(j, "apt")))
        err = add_root(j, "gnome");
    if (!err)
        err = weir_execute(config, run, j);
    free(j->extended.ns);
    free(j->recomputed.ns);
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
