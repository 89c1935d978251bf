/* Places that a scheduler set: Slurm's srun, a Kubernetes StatefulSet, OpenMPI-style launchers.
 *
 * A scheduler's variables are also there where nobody wants a cluster, as in the script of a
 * batch job. So only those count that speak of this very process and of several: srun's step
 * (SLURM_STEP_NUM_TASKS; a batch script has SLURM_NTASKS and SLURM_PROCID too, but no step of
 * several tasks), a service named for Kubernetes (WEIR_SERVICE), a launcher's rank and size.
 * Who wants processes that stay alone there says --processes 1 or WEIR_PROCESSES=1. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/alloc.h"
#include "hosts.h"
#include "place.h"

#define NODES_MAX 4096
#define HOST_BYTES_MAX 256

static const char *env(const char *name)
{
    const char *text = getenv(name);
    return text && *text ? text : NULL;
}

/* The number in a variable of the scheduler's. */
static weir_err *read_count(const char *name, uint64_t *number_out)
{
    const char *text = env(name);
    if (!text)
        return weir_err_new("%s is not set, although it belongs to what the scheduler has set; "
                            "say --processes, --process and --hosts yourself",
                            name);
    if (!wi_hosts_number(text, UINT32_MAX - 1, number_out))
        return weir_err_new("%s is `%s`, not a whole number", name, text);
    return NULL;
}

/* Notes what a scheduler says of rank and size, if it fits what is known. */
static weir_err *take_rank(wi_place *place, const char *rank_name, const char *size_name)
{
    uint64_t rank, size;
    weir_err *err = read_count(size_name, &size);
    if (!err)
        err = read_count(rank_name, &rank);
    if (err || (size <= 1 && !place->processes))
        return err;
    if (place->processes && place->processes != size)
        return weir_err_new("%s is %u, but %s is %llu: start as many as there are to be",
                            place->processes_from, place->processes, size_name,
                            (unsigned long long)size);
    if (!place->processes) {
        place->processes = (uint32_t)size;
        place->processes_from = size_name;
    }
    if (place->process == WI_PROCESS_UNKNOWN) {
        place->process = (uint32_t)rank;
        place->process_from = rank_name;
    }
    return NULL;
}

/* ---- lists with commas ------------------------------------------------------------------ */

typedef struct text_list {
    char *text;
    size_t length;
} text_list;

static void append_host(text_list *list, const char *name)
{
    size_t more = strlen(name);
    list->text = wi_realloc(list->text, list->length + more + 2);
    if (list->length)
        list->text[list->length++] = ',';
    memcpy(list->text + list->length, name, more + 1);
    list->length += more;
}

/* ---- Slurm ------------------------------------------------------------------------------ */

typedef struct names {
    char **at;
    uint32_t count;
    unsigned capacity;
} names;

static weir_err *bad_nodes(const char *text)
{
    return weir_err_new("Slurm's list of nodes `%s` is not understood; say --hosts", text);
}

/* Expands one entry, up to its comma, from `text` with `prefix` before it. Brackets may follow
 * each other: rack[1-2]node[01-04]. */
static bool expand(names *out, const char *prefix, const char *text, size_t length)
{
    const char *open = memchr(text, '[', length);
    size_t before = open ? (size_t)(open - text) : length;
    char start[HOST_BYTES_MAX], next[HOST_BYTES_MAX];
    int used = snprintf(start, sizeof start, "%s%.*s", prefix, (int)before, text);
    if (used <= 0 || used >= HOST_BYTES_MAX || strcspn(start, "] \t") != (size_t)used)
        return false;
    if (!open) {
        if (out->count == NODES_MAX)
            return false;
        wi_grow(&out->at, &out->capacity, out->count + 1, sizeof *out->at);
        out->at[out->count++] = wi_strdup(start);
        return true;
    }
    const char *close = memchr(open, ']', length - before);
    if (!close)
        return false;
    for (const char *at = open + 1;; at++) {
        char *end;
        unsigned long first = strtoul(at, &end, 10), last = first;
        int width = (int)(end - at);
        if (*at < '0' || *at > '9' || width > 9)
            return false;
        if (*end == '-') {
            at = end + 1;
            last = strtoul(at, &end, 10);
            if (*at < '0' || *at > '9' || last < first || last - first >= NODES_MAX)
                return false;
        }
        for (unsigned long number = first; number <= last; number++) {
            used = snprintf(next, sizeof next, "%s%0*lu", start, width, number);
            if (used >= HOST_BYTES_MAX ||
                !expand(out, next, close + 1, length - (size_t)(close + 1 - text)))
                return false;
        }
        at = end;
        if (at == close)
            return true;
        if (*at != ',')
            return false;
    }
}

/* Where the entry ends: at a comma outside of brackets. */
static size_t entry_length(const char *text)
{
    size_t length = 0;
    for (bool inside = false; text[length] && (inside || text[length] != ','); length++)
        inside = text[length] == '[' || (inside && text[length] != ']');
    return length;
}

weir_err *wi_slurm_nodes(const char *text, char ***names_out, uint32_t *count_out)
{
    names found = {0};
    bool good = true;
    for (const char *at = text; good;) {
        size_t length = entry_length(at);
        good = length && expand(&found, "", at, length);
        at += length;
        if (!*at)
            break;
        at++;
    }
    if (!good) {
        wi_place_free_urls(found.at, found.count);
        return bad_nodes(text);
    }
    *names_out = found.at;
    *count_out = found.count;
    return NULL;
}

weir_err *wi_slurm_tasks(const char *text, uint32_t **tasks_out, uint32_t *count_out)
{
    uint32_t *tasks = NULL, count = 0;
    unsigned capacity = 0;
    for (const char *at = text;; at++) {
        char *end;
        unsigned long number = strtoul(at, &end, 10), times = 1;
        bool good = *at >= '0' && *at <= '9' && number <= NODES_MAX;
        if (good && !strncmp(end, "(x", 2)) {
            at = end + 2;
            times = strtoul(at, &end, 10);
            good = *at >= '0' && *at <= '9' && times && *end++ == ')';
        }
        if (!good || count + times > NODES_MAX || (*end && *end != ',')) {
            wi_free(tasks);
            return weir_err_new("Slurm's list of tasks of each node `%s` is not understood; say "
                                "--hosts",
                                text);
        }
        wi_grow(&tasks, &capacity, count + (uint32_t)times, sizeof *tasks);
        while (times--)
            tasks[count++] = (uint32_t)number;
        at = end;
        if (!*at)
            break;
    }
    *tasks_out = tasks;
    *count_out = count;
    return NULL;
}

/* Which node each task is on: in blocks, or round and round. node_out has room for all. */
static bool deal(const uint32_t *tasks, uint32_t nodes, bool cyclic, uint32_t processes,
                 uint32_t *node_out)
{
    uint32_t dealt = 0;
    for (uint32_t round = 0; dealt < processes; round++) {
        uint32_t before = dealt;
        for (uint32_t node = 0; node < nodes; node++) {
            uint32_t share = cyclic ? tasks[node] > round : round ? 0 : tasks[node];
            for (; share && dealt < processes; share--)
                node_out[dealt++] = node;
        }
        if (dealt == before)
            return false;
    }
    return true;
}

static weir_err *check_own_node(uint32_t expected)
{
    uint64_t node;
    const char *text = env("SLURM_NODEID");
    if (!text || (wi_hosts_number(text, UINT32_MAX, &node) && node == expected))
        return NULL;
    return weir_err_new("SLURM_NODEID is %s, but by Slurm's list of tasks this process is on node "
                        "%u; say --hosts",
                        text, expected);
}

static weir_err *deal_hosts(wi_place *place, char **nodes, uint32_t node_count,
                            const uint32_t *tasks, uint32_t task_count)
{
    const char *how = env("SLURM_DISTRIBUTION");
    bool cyclic = how && !strncmp(how, "cyclic", 6);
    if (how && !cyclic && strncmp(how, "block", 5))
        return weir_err_new("Slurm's distribution `%s` of tasks is none of block and cyclic; say "
                            "--hosts",
                            how);
    uint32_t *node_of = WI_NEWS(uint32_t, place->processes);
    weir_err *err = NULL;
    if (task_count != node_count || !deal(tasks, node_count, cyclic, place->processes, node_of))
        err = weir_err_new("Slurm's lists do not fit: %u nodes, tasks on %u of them, %u tasks in "
                           "all; say --hosts",
                           node_count, task_count, place->processes);
    else if (place->process < place->processes)
        err = check_own_node(node_of[place->process]);
    text_list list = {0};
    for (uint32_t i = 0; !err && i < place->processes; i++)
        append_host(&list, nodes[node_of[i]]);
    place->hosts = list.text;
    wi_free(node_of);
    return err;
}

static weir_err *slurm_hosts(wi_place *place)
{
    const char *node_text = env("SLURM_STEP_NODELIST");
    const char *task_text = env("SLURM_STEP_TASKS_PER_NODE");
    node_text = node_text ? node_text : env("SLURM_JOB_NODELIST");
    task_text = task_text ? task_text : env("SLURM_TASKS_PER_NODE");
    if (!node_text || !task_text)
        return weir_err_new("%s is not set, so where Slurm runs the others is not known; say "
                            "--hosts",
                            node_text ? "SLURM_STEP_TASKS_PER_NODE" : "SLURM_STEP_NODELIST");
    char **nodes = NULL;
    uint32_t *tasks = NULL, node_count = 0, task_count = 0;
    weir_err *err = wi_slurm_nodes(node_text, &nodes, &node_count);
    if (!err)
        err = wi_slurm_tasks(task_text, &tasks, &task_count);
    if (!err)
        err = deal_hosts(place, nodes, node_count, tasks, task_count);
    wi_place_free_urls(nodes, node_count);
    wi_free(tasks);
    return err;
}

static weir_err *ask_slurm(wi_place *place)
{
    weir_err *err = take_rank(place, "SLURM_PROCID", "SLURM_STEP_NUM_TASKS");
    if (err || place->processes <= 1 || place->has_hosts || place->processes > WI_PROCESSES_MAX)
        return err;
    return slurm_hosts(place);
}

/* ---- Kubernetes ------------------------------------------------------------------------- */

/* The pods of a StatefulSet are NAME-0, NAME-1, ...; a headless service makes them known as
 * NAME-0.SERVICE. */
static weir_err *ask_kubernetes(wi_place *place)
{
    char pod[HOST_BYTES_MAX], host[2 * HOST_BYTES_MAX];
    const char *service = env("WEIR_SERVICE"), *name = env("WEIR_POD");
    uint64_t ordinal;
    if (!place->processes)
        return weir_err_new("WEIR_SERVICE is `%s`, but WEIR_PROCESSES is not set: make it the "
                            "number of replicas",
                            service);
    if (!name && gethostname(pod, sizeof pod - 1))
        return weir_err_new("the system does not say its host name: %s", strerror(errno));
    if (name && strlen(name) >= sizeof pod)
        return weir_err_new("WEIR_POD is longer than a host name may be");
    if (name)
        strcpy(pod, name);
    pod[strcspn(pod, ".")] = 0;
    char *dash = strrchr(pod, '-');
    if (!dash || !wi_hosts_number(dash + 1, UINT32_MAX - 1, &ordinal))
        return weir_err_new("WEIR_SERVICE is set, but the host name `%s` does not end with a "
                            "number as those of a StatefulSet do (NAME-0); say WEIR_POD, or "
                            "WEIR_PROCESS and WEIR_HOSTS",
                            pod);
    *dash = 0;
    if (place->process == WI_PROCESS_UNKNOWN) {
        place->process = (uint32_t)ordinal;
        place->process_from = "the number in the pod's name";
    }
    if (place->has_hosts)
        return NULL;
    text_list list = {0};
    for (uint32_t i = 0; i < place->processes && i < WI_PROCESSES_MAX; i++) {
        snprintf(host, sizeof host, "%s-%u.%s", pod, i, service);
        append_host(&list, host);
    }
    place->hosts = list.text;
    return NULL;
}

/* ---- OpenMPI-style launchers ------------------------------------------------------------ */

static const struct {
    const char *rank, *size, *local_size;
} launchers[] = {
    {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_SIZE"},
    {"PMI_RANK", "PMI_SIZE", "MPI_LOCALNRANKS"},
};

/* They do not say where the others are, except that all are here. */
static weir_err *ask_launcher(wi_place *place, unsigned which)
{
    weir_err *err = take_rank(place, launchers[which].rank, launchers[which].size);
    if (err || place->processes <= 1 || place->has_hosts)
        return err;
    const char *local = env(launchers[which].local_size);
    uint64_t here = 0;
    if (local && wi_hosts_number(local, UINT32_MAX, &here) && here == place->processes)
        return NULL;
    return weir_err_new("%s says that there are %u processes, but not where; set WEIR_HOSTS (a "
                        "list, or @FILE), in the order of ranks",
                        launchers[which].size, place->processes);
}

weir_err *wi_place_ask_schedulers(wi_place *place)
{
    if (env("WEIR_SERVICE"))
        return ask_kubernetes(place);
    if (env("SLURM_STEP_NUM_TASKS") && env("SLURM_PROCID"))
        return ask_slurm(place);
    for (unsigned i = 0; i < sizeof launchers / sizeof *launchers; i++)
        if (env(launchers[i].rank) && env(launchers[i].size))
            return ask_launcher(place, i);
    return NULL;
}
