/* Random dataflows of the operators of collections, over random changes, compared with naive
 * re-evaluation at every time: one and two root dimensions, loops, all kinds of rows, random
 * batches and speeds, 1 to 4 workers in threads or in a deterministic order.
 *
 *     oracle_collections [--seed S] [--cases N] [--workers W] [--jobs J] [--case C] [--changes N]
 *                        [--without NAME,NAME] [--only NAME,NAME] [--keep-going N]
 *
 * Cases run in child processes, so that one that crashes or hangs fails like one that is
 * wrong: its number is printed, it is made smaller, and described. There are more processes
 * than cores since an execution ends by sleeping for 10 ms (liburcu's, until it has freed what
 * others may have read). */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/oracle/collections/collections.h"

#define CASE_SECONDS 20
#define SHRINK_SECONDS 30 /* in all, */
#define TRY_SECONDS 3     /* and for each */
#define TRIES 400         /* draws of a case until it has a meaning */
#define JOBS_MAX 32

typedef struct options {
    uint64_t seed, cases, only_case, keep_going;
    uint32_t workers, jobs, changes;
    bool without[KIND_COUNT];
} options;

/* What the child tells its parent. */
typedef struct shared {
    _Atomic(uint64_t) next, refused, nodes[KIND_COUNT];
    _Atomic(uint64_t) at[JOBS_MAX];
} shared;

static options opt = {.seed = 1, .cases = 4000, .only_case = UINT64_MAX, .jobs = 12};
static shared *common;

/* ---- one case --------------------------------------------------------------------------- */

static void make_case(uint64_t index, test_case *out)
{
    rng from = {opt.seed * 0x100000001b3u + index * 0x1000};
    for (int tries = 0; tries < TRIES; tries++) {
        generate(out, &from, opt.without, opt.workers, opt.changes);
        if (naive_check(out))
            return;
        atomic_fetch_add(&common->refused, 1);
    }
    fprintf(stderr, "no case has a meaning\n");
    exit(3);
}

/* Runs a case that naive_check has seen; whether it is right. */
static bool try_case(const test_case *of, FILE *to, unsigned seconds)
{
    static run result;
    alarm(seconds);
    char *problem = run_case(of, &result);
    if (problem && to)
        fprintf(to, "  %s\n", problem);
    bool right = compare_case(of, &result, to) && !problem;
    alarm(0);
    run_free(&result);
    free(problem);
    return right;
}

/* ---- child processes -------------------------------------------------------------------- */

/* Runs a case in a process of its own, silently or not; whether it is right there. */
static bool case_is_right(const test_case *of, FILE *to)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        if (!to && !freopen("/dev/null", "w", stderr))
            _exit(4);
        bool right = try_case(of, to, TRY_SECONDS);
        fflush(NULL);
        _exit(right ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (to && WIFSIGNALED(status))
        fprintf(to, "  ended by signal %d (%s)\n", WTERMSIG(status),
                WTERMSIG(status) == SIGALRM ? "it hangs" : strsignal(WTERMSIG(status)));
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Threads may need luck to fail again. */
static bool fails_again(const test_case *of, void *arg)
{
    const time_t *until = arg;
    if (time(NULL) >= *until || !naive_check(of))
        return false;
    for (int i = of->deterministic || of->workers == 1 ? 1 : 4; i > 0; i--)
        if (!case_is_right(of, NULL))
            return true;
    return false;
}

static void report(uint64_t index)
{
    test_case failed;
    make_case(index, &failed);
    fprintf(stderr, "collections: case %llu of --seed %llu is wrong; making it smaller\n",
            (unsigned long long)index, (unsigned long long)opt.seed);
    time_t until = time(NULL) + SHRINK_SECONDS;
    shrink_case(&failed, fails_again, &until);
    fprintf(stderr, "\n--seed %llu --case %llu%s\n", (unsigned long long)opt.seed,
            (unsigned long long)index, time(NULL) >= until ? " (not the smallest)" : "");
    describe_case(&failed, stderr);
    naive_check(&failed);
    for (int i = 0; i < 20; i++)
        if (!case_is_right(&failed, stderr))
            return;
    fprintf(stderr, "  but not always\n");
}

/* Takes cases until none is left. */
static void run_cases(uint32_t job)
{
    for (;;) {
        uint64_t index = atomic_fetch_add(&common->next, 1);
        if (index >= opt.cases)
            return;
        test_case now;
        atomic_store(&common->at[job], index);
        make_case(index, &now);
        for (int n = 0; n < now.node_count; n++)
            if (now.nodes[n].kind != GONE)
                atomic_fetch_add(&common->nodes[now.nodes[n].kind], 1);
        if (!try_case(&now, NULL, CASE_SECONDS))
            _exit(1);
    }
}

static pid_t start_job(uint32_t job)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        run_cases(job);
        exit(0);
    }
    return child;
}

/* All cases, in `jobs` processes; how many are wrong. */
static uint64_t run_all(void)
{
    pid_t jobs[JOBS_MAX];
    uint64_t wrong = 0;
    uint32_t running = opt.jobs;
    for (uint32_t j = 0; j < opt.jobs; j++)
        jobs[j] = start_job(j);
    while (running) {
        int status;
        pid_t child = wait(&status);
        uint32_t j = 0;
        while (j < opt.jobs && jobs[j] != child)
            j++;
        if (j == opt.jobs)
            continue;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
            running--;
            continue;
        }
        if (++wrong >= opt.keep_going)
            atomic_store(&common->next, opt.cases); /* the others end soon */
        if (wrong <= 1 || wrong <= opt.keep_going)
            report(atomic_load(&common->at[j]));
        if (wrong >= opt.keep_going)
            running--;
        else
            jobs[j] = start_job(j);
    }
    return wrong;
}

/* ---- the command line ------------------------------------------------------------------- */

static void choose(const char *names, bool value)
{
    char list[512];
    snprintf(list, sizeof list, "%s", names);
    for (char *rest = list, *name; (name = strtok_r(rest, ",", &rest));) {
        int k = 0;
        while (k < KIND_COUNT && strcmp(kind_names[k], name) != 0)
            k++;
        if (k == KIND_COUNT) {
            fprintf(stderr, "there is no operator `%s`\n", name);
            exit(2);
        }
        opt.without[k] = value;
    }
}

static void read_options(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *name = argv[i], *value = argv[i + 1];
        uint64_t n = strtoull(value, NULL, 10);
        if (strcmp(name, "--seed") == 0)
            opt.seed = n;
        else if (strcmp(name, "--cases") == 0)
            opt.cases = n;
        else if (strcmp(name, "--case") == 0)
            opt.only_case = n;
        else if (strcmp(name, "--workers") == 0)
            opt.workers = (uint32_t)n;
        else if (strcmp(name, "--changes") == 0)
            opt.changes = (uint32_t)n;
        else if (strcmp(name, "--jobs") == 0)
            opt.jobs = n < 1 ? 1 : n > JOBS_MAX ? JOBS_MAX : (uint32_t)n;
        else if (strcmp(name, "--keep-going") == 0)
            opt.keep_going = n;
        else if (strcmp(name, "--without") == 0)
            choose(value, true);
        else if (strcmp(name, "--only") == 0) {
            memset(opt.without, true, sizeof opt.without);
            choose(value, false);
        }
    }
}

int main(int argc, char **argv)
{
    read_options(argc, argv);
    common = mmap(NULL, sizeof *common, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (common == MAP_FAILED)
        return 2;
    printf("collections: %llu cases, --seed %llu\n", (unsigned long long)opt.cases,
           (unsigned long long)opt.seed);
    if (opt.only_case != UINT64_MAX) {
        test_case one;
        make_case(opt.only_case, &one);
        if (case_is_right(&one, NULL))
            return 0;
        report(opt.only_case);
        return 1;
    }
    uint64_t wrong = run_all();
    printf("collections: %llu wrong; %llu draws refused; nodes:", (unsigned long long)wrong,
           (unsigned long long)atomic_load(&common->refused));
    for (int k = 0; k < KIND_COUNT; k++)
        printf(" %s %llu", kind_names[k], (unsigned long long)atomic_load(&common->nodes[k]));
    printf("\n");
    return wrong ? 1 : 0;
}
