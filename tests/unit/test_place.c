/* A process's place in a cluster: every source, what contradicts itself, and the addresses that
 * come of it; and the words of the rendezvous, with the launcher's side played here. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "runtime/hosts.h"
#include "runtime/place.h"
#include "tests/support/execution.h"

#define WORDS_MAX 24

/* Splits at spaces. */
static unsigned words_of(const char *line, char *copy, size_t bytes, char **words)
{
    unsigned count = 0;
    char *rest;
    snprintf(copy, bytes, "%s", line);
    for (char *w = strtok_r(copy, " ", &rest); w; w = strtok_r(NULL, " ", &rest))
        words[count++] = w;
    words[count] = NULL;
    return count;
}

/* Each test is a process of its own, so what is set here does not last. */
static void set_environment(const char *variables)
{
    char copy[1024], *words[WORDS_MAX];
    unsigned count = words_of(variables, copy, sizeof copy, words);
    for (unsigned i = 0; i < count; i++) {
        char *value = strchr(words[i], '=');
        *value = 0;
        setenv(words[i], value + 1, 1);
    }
}

static weir_err *find(const char *variables, const char *options, weir_config *config)
{
    static char copy[1024];
    static char *argv[WORDS_MAX + 1];
    char line[1024];
    set_environment(variables);
    snprintf(line, sizeof line, "prog %s", options);
    int argc = (int)words_of(line, copy, sizeof copy, argv);
    *config = (weir_config){0};
    return weir_options(&argc, argv, NULL, NULL, config);
}

/* The URLs of all, with spaces between. */
static const char *urls_of(const weir_cluster *cluster)
{
    static char text[4096];
    char **urls;
    weir_err *err = wi_place_urls(cluster, NULL, &urls);
    ck_assert_msg(!err, "%s", weir_err_message(err));
    *text = 0;
    for (uint32_t i = 0; i < cluster->processes; i++)
        sprintf(text + strlen(text), "%s%s", i ? " " : "", urls[i]);
    wi_place_free_urls(urls, cluster->processes);
    return text;
}

/* ---- places that make sense ---------------------------------------------------------------- */

#define SRUN "SLURM_PROCID=2 SLURM_STEP_NUM_TASKS=4 SLURM_STEP_NODELIST=n[1-2] "

typedef struct found {
    const char *variables, *options;
    uint32_t processes, process;
    const char *urls; /* NULL: alone */
} found;

static const found places[] = {
    {"", "", 1, 0, NULL},
    {"", "--processes 1", 1, 0, NULL},
    {"", "--processes 1 --process 0", 1, 0, NULL},
    {"WEIR_PROCESSES= WEIR_PROCESS= WEIR_HOSTS=", "", 1, 0, NULL},
    /* By hand. */
    {"", "--processes 2 --process 1", 2, 1, "tcp://127.0.0.1:4710 tcp://127.0.0.1:4711"},
    {"WEIR_PORT=9000", "--processes 2 --process 1", 2, 1,
     "tcp://127.0.0.1:9000 tcp://127.0.0.1:9001"},
    {"", "--hosts a,b:99,a,a --process 3", 4, 3,
     "tcp://a:4710 tcp://b:99 tcp://a:4711 tcp://a:4712"},
    {"", "--hosts a,b --processes 2 --process 0", 2, 0, "tcp://a:4710 tcp://b:4710"},
    {"", "--hosts ::1,[::1]:50,fe80::1%eth0 --process 0", 3, 0,
     "tcp://[::1]:4710 tcp://[::1]:50 tcp://[fe80::1%eth0]:4710"},
    {"", "--hosts ipc:///tmp/a,abstract://b,tcp://c:1 --process 0", 3, 0,
     "ipc:///tmp/a abstract://b tcp://c:1"},
    {"", "--hosts me@a,b --process 0", 2, 0, "tcp://a:4710 tcp://b:4710"},
    {"", "--hosts a,b --process 0 --tls-certificate c --tls-key k --tls-authority a", 2, 0,
     "tls+tcp://a:4710 tls+tcp://b:4710"},
    {"WEIR_TLS_CERTIFICATE=c WEIR_TLS_KEY=k WEIR_TLS_AUTHORITY=a", "--hosts a,b --process 0", 2, 0,
     "tls+tcp://a:4710 tls+tcp://b:4710"},
    {"WEIR_PROCESSES=3 WEIR_PROCESS=2", "", 3, 2,
     "tcp://127.0.0.1:4710 tcp://127.0.0.1:4711 tcp://127.0.0.1:4712"},
    {"WEIR_HOSTS=a,b WEIR_PROCESS=1", "", 2, 1, "tcp://a:4710 tcp://b:4710"},
    /* The command line before the environment. */
    {"WEIR_PROCESSES=3 WEIR_PROCESS=2", "--process 1", 3, 1,
     "tcp://127.0.0.1:4710 tcp://127.0.0.1:4711 tcp://127.0.0.1:4712"},
    {"WEIR_PROCESSES=3 WEIR_PROCESS=0", "--processes 2", 2, 0,
     "tcp://127.0.0.1:4710 tcp://127.0.0.1:4711"},
    {"WEIR_HOSTS=a,b WEIR_PROCESS=1", "--hosts c,d", 2, 1, "tcp://c:4710 tcp://d:4710"},
    {SRUN "SLURM_STEP_TASKS_PER_NODE=2(x2)", "--processes 1", 1, 0, NULL},
    {"WEIR_PROCESSES=1 " SRUN "SLURM_STEP_TASKS_PER_NODE=2(x2)", "", 1, 0, NULL},
    /* Slurm. */
    {SRUN "SLURM_STEP_TASKS_PER_NODE=2(x2)", "", 4, 2,
     "tcp://n1:4710 tcp://n1:4711 tcp://n2:4710 tcp://n2:4711"},
    {SRUN "SLURM_STEP_TASKS_PER_NODE=2(x2) SLURM_NODEID=1", "", 4, 2,
     "tcp://n1:4710 tcp://n1:4711 tcp://n2:4710 tcp://n2:4711"},
    {SRUN "SLURM_STEP_TASKS_PER_NODE=1,3", "", 4, 2,
     "tcp://n1:4710 tcp://n2:4710 tcp://n2:4711 tcp://n2:4712"},
    {SRUN "SLURM_STEP_TASKS_PER_NODE=3,1 SLURM_DISTRIBUTION=cyclic", "", 4, 2,
     "tcp://n1:4710 tcp://n2:4710 tcp://n1:4711 tcp://n1:4712"},
    {"SLURM_PROCID=0 SLURM_STEP_NUM_TASKS=2 SLURM_JOB_NODELIST=x,y SLURM_TASKS_PER_NODE=1(x2)", "",
     2, 0, "tcp://x:4710 tcp://y:4710"},
    {SRUN, "--hosts a,b,c,d", 4, 2, "tcp://a:4710 tcp://b:4710 tcp://c:4710 tcp://d:4710"},
    /* In a batch script nobody asked for a cluster, nor did a step of one task. */
    {"SLURM_PROCID=0 SLURM_NTASKS=4 SLURM_JOB_NODELIST=n[1-4] SLURM_TASKS_PER_NODE=1(x4)", "", 1, 0,
     NULL},
    {"SLURM_PROCID=0 SLURM_NTASKS=1 SLURM_STEP_NUM_TASKS=1 SLURM_STEP_NODELIST=n1", "", 1, 0, NULL},
    /* Kubernetes. */
    {"WEIR_PROCESSES=3 WEIR_SERVICE=jobs WEIR_POD=job-2", "", 3, 2,
     "tcp://job-0.jobs:4710 tcp://job-1.jobs:4710 tcp://job-2.jobs:4710"},
    {"WEIR_PROCESSES=2 WEIR_SERVICE=s.ns.svc WEIR_POD=a-b-1.s WEIR_PORT=80", "", 2, 1,
     "tcp://a-b-0.s.ns.svc:80 tcp://a-b-1.s.ns.svc:80"},
    {"WEIR_PROCESSES=2 WEIR_PROCESS=0 WEIR_SERVICE=s WEIR_POD=a-1", "", 2, 0,
     "tcp://a-0.s:4710 tcp://a-1.s:4710"},
    {"WEIR_PROCESSES=1 WEIR_SERVICE=s", "", 1, 0, NULL},
    /* OpenMPI-style. */
    {"OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_LOCAL_SIZE=2", "", 2, 1,
     "tcp://127.0.0.1:4710 tcp://127.0.0.1:4711"},
    {"OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2 WEIR_HOSTS=a,b", "", 2, 1,
     "tcp://a:4710 tcp://b:4710"},
    {"OMPI_COMM_WORLD_RANK=0 OMPI_COMM_WORLD_SIZE=1", "", 1, 0, NULL},
    {"PMI_RANK=1 PMI_SIZE=2 MPI_LOCALNRANKS=2", "", 2, 1,
     "tcp://127.0.0.1:4710 tcp://127.0.0.1:4711"},
};

START_TEST(places_are_found)
{
    const found *f = &places[_i];
    weir_config config;
    weir_err *err = find(f->variables, f->options, &config);
    ck_assert_msg(!err, "%s, %s: %s", f->variables, f->options, weir_err_message(err));
    ck_assert_uint_eq(config.cluster.processes, f->processes);
    ck_assert_uint_eq(config.cluster.process, f->process);
    if (f->urls)
        ck_assert_str_eq(urls_of(&config.cluster), f->urls);
}
END_TEST

START_TEST(settings_are_found)
{
    weir_config config;
    weir_err *err = find("WEIR_PROCESSES=2 WEIR_PROCESS=1 WEIR_CLUSTER=c WEIR_GENERATION=7 "
                         "WEIR_KEY_FILE=k WEIR_CONNECT_TIMEOUT=5 WEIR_WORKERS=3 "
                         "WEIR_LISTEN=tcp://0.0.0.0:5",
                         "", &config);
    ck_assert_msg(!err, "%s", weir_err_message(err));
    ck_assert_str_eq(config.cluster.name, "c");
    ck_assert_uint_eq(config.cluster.generation, 7);
    ck_assert_str_eq(config.cluster.key_file, "k");
    ck_assert_uint_eq(config.cluster.connect_ns, 5000000000u);
    ck_assert_uint_eq(config.workers, 3);
    ck_assert_ptr_null(wi_place_key(&config.cluster));
    char *url;
    ck_assert_ptr_null(wi_place_url(&config.cluster, &url));
    ck_assert_str_eq(url, "tcp://0.0.0.0:5");
    wi_free(url);

    err = find("", "-w 2 --cluster d --key-file other --connect-timeout 0.5 --silence-timeout 2 "
                   "--listen ipc:///tmp/x", &config);
    ck_assert_msg(!err, "%s", weir_err_message(err));
    ck_assert_str_eq(config.cluster.name, "d");
    ck_assert_str_eq(config.cluster.key_file, "other");
    ck_assert_uint_eq(config.cluster.connect_ns, 500000000);
    ck_assert_uint_eq(config.cluster.silence_ns, 2000000000);
    ck_assert_str_eq(config.cluster.listen, "ipc:///tmp/x");
    ck_assert_uint_eq(config.workers, 2);

    unsetenv("WEIR_KEY_FILE");
    err = find("WEIR_KEY=secret", "", &config);
    ck_assert_msg(!err, "%s", weir_err_message(err));
    ck_assert_str_eq(wi_place_key(&config.cluster), "secret");
}
END_TEST

/* ---- those that do not --------------------------------------------------------------------- */

typedef struct refused {
    const char *variables, *options;
    const char *parts[3];
} refused;

static const refused refusals[] = {
    {"", "--process 4 --processes 4",
     {"--process is 4, but there are 4 processes (--processes), counted from 0"}},
    {"", "--process 1 --processes 1", {"--process is 1, but there is 1 process ("}},
    {"", "--processes 4", {"4 processes (--processes)", "--process I", "from 0 to 3"}},
    {"", "--process 1", {"--process", "not how many", "--processes N"}},
    {"WEIR_PROCESS=1", "", {"WEIR_PROCESS ", "not how many"}},
    {"WEIR_PROCESSES=4", "", {"WEIR_PROCESSES", "nobody says which"}},
    {"WEIR_PROCESSES=4 WEIR_PROCESS=5", "", {"WEIR_PROCESS is 5", "4 processes (WEIR_PROCESSES)"}},
    {"WEIR_PROCESS=3", "--processes 2", {"WEIR_PROCESS is 3", "2 processes (--processes)"}},
    {"WEIR_PROCESSES=many WEIR_PROCESS=0", "", {"WEIR_PROCESSES is `many`", "whole number"}},
    {"WEIR_PROCESSES=0 WEIR_PROCESS=0", "", {"WEIR_PROCESSES is `0`", "from 1 to 256"}},
    {"WEIR_PROCESSES=2 WEIR_PROCESS=-1", "", {"WEIR_PROCESS is `-1`", "whole number"}},
    {"", "--processes 0", {"--processes", "from 1 to 256"}},
    {"", "--processes 257 --process 0", {"--processes", "from 1 to 256"}},
    {"", "--process x --processes 2", {"--process", "whole number", "`x`"}},
    {"WEIR_WORKERS=65", "", {"WEIR_WORKERS is `65`", "from 1 to 64"}},
    /* Hosts. */
    {"", "--hosts a,b,c --processes 2 --process 0", {"--hosts names 3", "--processes is 2"}},
    {"WEIR_HOSTS=a,b", "--processes 3 --process 0", {"WEIR_HOSTS names 2", "--processes is 3"}},
    {"", "--hosts a,b", {"2 processes (--hosts)", "--process I"}},
    {"", "--hosts a,,b --process 0", {"--hosts", "nothing in it"}},
    {"", "--hosts a,b:x --process 0", {"--hosts: `b:x`", "HOST:PORT"}},
    {"", "--hosts a,b:0 --process 0", {"`b:0`", "port"}},
    {"", "--hosts a,b:65536 --process 0", {"`b:65536`", "port"}},
    {"", "--hosts a,[::1 --process 0", {"`[::1`"}},
    {"", "--hosts a,-b --process 0", {"`-b`"}},
    {"", "--hosts a,b/c --process 0", {"`b/c`"}},
    {"", "--hosts a,http://b --process 0", {"`http://b`", "tcp://HOST:PORT"}},
    {"", "--hosts a:5,a:5 --process 0", {"processes 0 and 1", "tcp://a:5"}},
    {"WEIR_PORT=65535", "--hosts a,a --process 0", {"`a`", "beyond 65535"}},
    {"WEIR_PORT=high", "--hosts a,a --process 0", {"WEIR_PORT is `high`"}},
    {"WEIR_PORT=0", "--hosts a,a --process 0", {"WEIR_PORT is `0`"}},
    {"", "--hosts @/nonexistent --process 0", {"/nonexistent", "No such file"}},
    {"", "--processes 2 --process 0 --listen here:1", {"--listen", "`here:1`", "URL"}},
    /* Names, keys, TLS. */
    {"", "--processes 2 --process 0 --cluster Big", {"`Big`", "--cluster"}},
    {"WEIR_CLUSTER=a/b", "--processes 2 --process 0", {"`a/b`", "WEIR_CLUSTER"}},
    {"WEIR_KEY=k WEIR_KEY_FILE=f", "--processes 2 --process 0", {"WEIR_KEY and WEIR_KEY_FILE"}},
    {"", "--processes 2 --process 0 --tls-key k", {"certificate is missing", "--tls-certificate"}},
    {"", "--processes 2 --process 0 --tls-certificate c --tls-authority a",
     {"key is missing", "--tls-key"}},
    {"WEIR_TLS_CERTIFICATE=c", "--processes 2 --process 0 --tls-key k",
     {"authority's", "WEIR_TLS_AUTHORITY"}},
    {"", "--hosts tls+tcp://a:1,b --process 0", {"tls+tcp://a:1", "--tls-certificate"}},
    {"", "--hosts tcp://a:1,b --process 0 --tls-certificate c --tls-key k --tls-authority a",
     {"tcp://a:1", "without TLS"}},
    {"", "--processes 2 --process 0 --connect-timeout soon", {"--connect-timeout", "`soon`"}},
    {"", "--processes 2 --process 0 --connect-timeout 0", {"--connect-timeout", "0.001"}},
    {"", "--silence-timeout nan", {"--silence-timeout", "`nan`"}},
    {"WEIR_GENERATION=x", "--processes 2 --process 0", {"WEIR_GENERATION is `x`"}},
    /* The launcher's. */
    {"WEIR_RENDEZVOUS=99 WEIR_PROCESSES=2 WEIR_PROCESS=0", "",
     {"WEIR_RENDEZVOUS is 99", "no socket", "--processes 1"}},
    {"WEIR_RENDEZVOUS=x WEIR_PROCESSES=2 WEIR_PROCESS=0", "", {"WEIR_RENDEZVOUS is `x`"}},
    {"WEIR_RENDEZVOUS=9 WEIR_PROCESSES=2 WEIR_PROCESS=0", "--process 1",
     {"--process is 1", "started this as process 0"}},
    {"WEIR_RENDEZVOUS=9 WEIR_PROCESSES=2 WEIR_PROCESS=0", "--processes 3",
     {"--processes is 3", "has started 2"}},
    /* Schedulers'. */
    {SRUN "SLURM_STEP_TASKS_PER_NODE=2", "", {"do not fit", "2 nodes", "--hosts"}},
    {SRUN "SLURM_STEP_TASKS_PER_NODE=1(x2)", "", {"do not fit", "4 tasks"}},
    {SRUN "SLURM_STEP_TASKS_PER_NODE=2(x", "", {"`2(x`", "not understood"}},
    {SRUN, "", {"SLURM_STEP_TASKS_PER_NODE is not set", "--hosts"}},
    {SRUN "SLURM_STEP_TASKS_PER_NODE=2(x2) SLURM_NODEID=0", "", {"SLURM_NODEID is 0", "node 1"}},
    {SRUN "SLURM_STEP_TASKS_PER_NODE=2(x2) SLURM_DISTRIBUTION=plane=2", "", {"`plane=2`"}},
    {SRUN "SLURM_STEP_TASKS_PER_NODE=2(x2)", "--processes 3",
     {"--processes is 3", "SLURM_STEP_NUM_TASKS is 4"}},
    {"SLURM_PROCID=0 SLURM_STEP_NUM_TASKS=lots", "", {"SLURM_STEP_NUM_TASKS is `lots`"}},
    {"SLURM_PROCID=9 SLURM_STEP_NUM_TASKS=2 SLURM_STEP_NODELIST=n SLURM_STEP_TASKS_PER_NODE=2", "",
     {"SLURM_PROCID is 9", "2 processes (SLURM_STEP_NUM_TASKS)"}},
    {"WEIR_SERVICE=s WEIR_POD=a-1", "", {"WEIR_SERVICE is `s`", "WEIR_PROCESSES is not set"}},
    {"WEIR_SERVICE=s WEIR_POD=alone WEIR_PROCESSES=2", "", {"`alone`", "StatefulSet"}},
    {"WEIR_SERVICE=s WEIR_POD=a-2 WEIR_PROCESSES=2", "", {"pod's name is 2", "2 processes"}},
    {"OMPI_COMM_WORLD_RANK=0 OMPI_COMM_WORLD_SIZE=4 OMPI_COMM_WORLD_LOCAL_SIZE=2", "",
     {"OMPI_COMM_WORLD_SIZE", "4 processes", "WEIR_HOSTS"}},
    {"PMI_RANK=0 PMI_SIZE=2", "", {"PMI_SIZE", "WEIR_HOSTS"}},
};

START_TEST(nonsense_is_refused)
{
    const refused *r = &refusals[_i];
    weir_config config;
    weir_err *err = find(r->variables, r->options, &config);
    ck_assert_msg(err != NULL, "%s, %s is accepted", r->variables, r->options);
    for (int i = 0; i < 3 && r->parts[i]; i++)
        ck_assert_msg(strstr(weir_err_message(err), r->parts[i]) != NULL, "%s, %s: %s",
                      r->variables, r->options, weir_err_message(err));
    weir_err_free(err);
}
END_TEST

/* ---- lists --------------------------------------------------------------------------------- */

typedef struct expansion {
    const char *text, *names; /* NULL: not understood */
} expansion;

static const expansion expansions[] = {
    {"n1", "n1"},
    {"n[1-3]", "n1 n2 n3"},
    {"n[08-11,3],m", "n08 n09 n10 n11 n3 m"},
    {"a,b[1,3-4]c,d", "a b1c b3c b4c d"},
    {"r[1-2]n[01-02]", "r1n01 r1n02 r2n01 r2n02"},
    {"n[1-2].example.org", "n1.example.org n2.example.org"},
    {"", NULL},
    {"a,,b", NULL},
    {"a,", NULL},
    {"n[", NULL},
    {"n[1", NULL},
    {"n[1-]", NULL},
    {"n[]", NULL},
    {"n[x]", NULL},
    {"n[3-1]", NULL},
    {"n1]", NULL},
    {"n[1-9999999]", NULL},
    {"n[1-2,]", NULL},
};

START_TEST(lists_of_nodes_are_expanded)
{
    const expansion *e = &expansions[_i];
    char **names, joined[256] = "";
    uint32_t count = 0;
    weir_err *err = wi_slurm_nodes(e->text, &names, &count);
    ck_assert_msg(!err == !!e->names, "%s: %s", e->text, weir_err_message(err));
    weir_err_free(err);
    if (!e->names)
        return;
    for (uint32_t i = 0; i < count; i++)
        sprintf(joined + strlen(joined), "%s%s", i ? " " : "", names[i]);
    ck_assert_str_eq(joined, e->names);
    wi_place_free_urls(names, count);
}
END_TEST

START_TEST(lists_of_tasks_are_expanded)
{
    uint32_t *tasks, count;
    ck_assert_ptr_null(wi_slurm_tasks("2(x3),1,16(x1)", &tasks, &count));
    ck_assert_uint_eq(count, 5);
    ck_assert(tasks[0] == 2 && tasks[2] == 2 && tasks[3] == 1 && tasks[4] == 16);
    wi_free(tasks);
    static const char *const wrong[] = {"",      "x",    "2(x",  "2(x3", "2(x0)",
                                        "2(3)", "2,,1", "1,", "-1"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        weir_err *err = wi_slurm_tasks(wrong[i], &tasks, &count);
        ck_assert_msg(err != NULL, "`%s` is accepted", wrong[i]);
        weir_err_free(err);
    }
}
END_TEST

/* A file with this text; its path stays valid. */
static const char *file_of(const char *text)
{
    static char path[] = "/tmp/weir-place-XXXXXX";
    int fd = mkstemp(path);
    ck_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    return path;
}

START_TEST(files_of_hosts_are_read)
{
    char options[128];
    weir_config config;
    const char *path = file_of("# all of them\n\n  alpha slots=2 # the big one\n"
                               "beta:99\r\nme@gamma");
    snprintf(options, sizeof options, "--hosts @%s --process 3", path);
    weir_err *err = find("", options, &config);
    ck_assert_msg(!err, "%s", weir_err_message(err));
    ck_assert_str_eq(urls_of(&config.cluster),
                     "tcp://alpha:4710 tcp://alpha:4711 tcp://beta:99 tcp://gamma:4710");
    unlink(path);
}
END_TEST

static const char *const bad_files[][2] = {
    {"a slots=0\n", ":1: `slots=0`"}, {"a\nb slots=x\n", ":2: `slots=x`"},
    {"a b\n", ":1: `b`"},             {"# nobody\n", "names no host"},
    {"a\n\n/x\n", ":3: `/x`"},
};

START_TEST(wrong_files_of_hosts_are_refused)
{
    char options[128];
    weir_config config;
    const char *path = file_of(bad_files[_i][0]);
    snprintf(options, sizeof options, "--hosts @%s --process 0", path);
    weir_err *err = find("", options, &config);
    unlink(path);
    ck_assert_msg(err && strstr(weir_err_message(err), bad_files[_i][1]), "%s",
                  weir_err_message(err));
    weir_err_free(err);
}
END_TEST

START_TEST(a_name_that_leads_nowhere_is_listened_for_everywhere)
{
    static const char *const cases[][2] = {
        {"127.0.0.1:5,b", "tcp://127.0.0.1:5"},
        {"localhost:5,b", "tcp://localhost:5"},
        {"[::1]:5,b", "tcp://[::1]:5"},
        {"nobody.invalid:5,b", "tcp://0.0.0.0:5"},
        {"ipc:///tmp/x,b", "ipc:///tmp/x"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_cluster cluster = {.processes = 2, .hosts = cases[i][0]};
        char *url;
        weir_err *err = wi_place_url(&cluster, &url);
        ck_assert_msg(!err, "%s", weir_err_message(err));
        ck_assert_str_eq(url, cases[i][1]);
        wi_free(url);
    }
}
END_TEST

/* ---- the rendezvous ------------------------------------------------------------------------ */

typedef struct played {
    int fd;
    const char *answers[2]; /* to each line; NULL: hang up, empty: nothing */
    char heard[256];
} played;

static void *play_launcher(void *arg)
{
    played *p = arg;
    for (int i = 0; i < 2; i++) {
        char byte = 0;
        while (byte != '\n' && recv(p->fd, &byte, 1, 0) == 1)
            strncat(p->heard, &byte, 1);
        if (!p->answers[i])
            break;
        ck_assert_int_eq(send(p->fd, p->answers[i], strlen(p->answers[i]), MSG_NOSIGNAL),
                         (ssize_t)strlen(p->answers[i]));
    }
    shutdown(p->fd, SHUT_RDWR);
    return NULL;
}

/* What wi_place_urls gives when the launcher answers so; the error's text if it fails. */
static const char *meet(const char *first, const char *second, char *heard)
{
    static char text[512];
    int pair[2];
    pthread_t thread;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    played p = {.fd = pair[0], .answers = {first, second}};
    weir_cluster cluster = {
        .processes = 2, .process = 1, .rendezvous = pair[1], .connect_ns = 200000000};
    pthread_create(&thread, NULL, play_launcher, &p);
    char **urls;
    weir_err *err = wi_place_urls(&cluster, "abstract://b", &urls);
    if (err) {
        snprintf(text, sizeof text, "%s", weir_err_message(err));
        weir_err_free(err);
    } else {
        snprintf(text, sizeof text, "%s %s", urls[0], urls[1]);
        wi_place_free_urls(urls, 2);
    }
    close(pair[1]);
    pthread_join(thread, NULL);
    close(pair[0]);
    strcpy(heard, p.heard);
    return text;
}

START_TEST(processes_and_the_launcher_understand_each_other)
{
    char heard[256];
    ck_assert_str_eq(meet("addresses abstract://a abstract://b\n", NULL, heard),
                     "abstract://a abstract://b");
    ck_assert_str_eq(heard, "listening abstract://b\n");
    ck_assert_str_eq(meet("", "addresses a b\n", heard), "a b"); /* just in time */
    const char *text = meet("", "missing 0,3\n", heard);
    ck_assert_msg(strstr(text, "not all of the 2 processes") && strstr(text, "missing: 0,3"), "%s",
                  text);
    ck_assert_str_eq(heard, "listening abstract://b\nwho\n");
    ck_assert_msg(strstr(meet(NULL, NULL, heard), "is gone"), "hung up");
    ck_assert_msg(strstr(meet("addresses a\n", NULL, heard), "2 processes"), "too few");
    ck_assert_msg(strstr(meet("addresses a b c\n", NULL, heard), "2 processes"), "too many");
    ck_assert_msg(strstr(meet("hello\n", NULL, heard), "`hello`"), "other words");
}
END_TEST

START_TEST(places_to_listen_are_free)
{
    weir_cluster cluster = {.processes = 2, .rendezvous = 3};
    char *one, *other;
    ck_assert_ptr_null(wi_place_url(&cluster, &one));
    ck_assert_ptr_null(wi_place_url(&cluster, &other));
    ck_assert(!strncmp(one, "abstract://weir-", 16) && strcmp(one, other));
    wi_free(one);
    wi_free(other);
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

int main(void)
{
    TCase *cases = tcase_create("place");
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, places_are_found, 0, COUNT(places));
    tcase_add_test(cases, settings_are_found);
    tcase_add_loop_test(cases, nonsense_is_refused, 0, COUNT(refusals));
    tcase_add_loop_test(cases, lists_of_nodes_are_expanded, 0, COUNT(expansions));
    tcase_add_test(cases, lists_of_tasks_are_expanded);
    tcase_add_test(cases, files_of_hosts_are_read);
    tcase_add_loop_test(cases, wrong_files_of_hosts_are_refused, 0, COUNT(bad_files));
    tcase_add_test(cases, a_name_that_leads_nowhere_is_listened_for_everywhere);
    tcase_add_test(cases, processes_and_the_launcher_understand_each_other);
    tcase_add_test(cases, places_to_listen_are_free);
    return test_main("place", cases);
}
