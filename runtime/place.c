/* Where this process stands in its cluster: who says so, and whether it makes sense. */
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "../base/alloc.h"
#include "hosts.h"

#define NAME_BYTES_MAX 64

/* An empty variable is one that is not set: that is how one is taken away in many places. */
static const char *env(const char *name)
{
    const char *text = getenv(name);
    return text && *text ? text : NULL;
}

/* ---- texts that stay -------------------------------------------------------------------- */

typedef struct kept {
    struct kept *next;
    char *text;
} kept;

static kept *_Atomic all_kept; /* never taken apart: a weir_cluster may be copied */

static const char *keep(char *text)
{
    kept *one = WI_NEW(kept);
    one->text = text;
    one->next = atomic_load(&all_kept);
    while (!atomic_compare_exchange_weak(&all_kept, &one->next, one))
        ;
    return text;
}

/* ---- how many, and which ---------------------------------------------------------------- */

static weir_err *read_number(const char *name, uint64_t min, uint64_t max, uint64_t *number_out)
{
    const char *text = env(name);
    if (!wi_hosts_number(text, max, number_out) || *number_out < min)
        return weir_err_new("%s is `%s`, not a whole number from %llu to %llu", name, text,
                            (unsigned long long)min, (unsigned long long)max);
    return NULL;
}

/* What `weir launch` said to this process holds: others count on it. */
static weir_err *check_launcher(const wi_place *place)
{
    uint64_t processes, process;
    if (!env("WEIR_RENDEZVOUS") || !env("WEIR_PROCESSES") || !env("WEIR_PROCESS"))
        return NULL;
    weir_err *err = read_number("WEIR_PROCESSES", 1, WI_PROCESSES_MAX, &processes);
    if (!err)
        err = read_number("WEIR_PROCESS", 0, WI_PROCESSES_MAX, &process);
    if (err)
        return err;
    if (place->processes && place->processes != processes)
        return weir_err_new("%s is %u, but `weir launch` has started %u processes; leave it out",
                            place->processes_from, place->processes, (unsigned)processes);
    if (place->process != WI_PROCESS_UNKNOWN && place->process != process)
        return weir_err_new("%s is %u, but `weir launch` has started this as process %u; leave it "
                            "out",
                            place->process_from, place->process, (unsigned)process);
    return NULL;
}

static weir_err *take_from_environment(wi_place *place)
{
    uint64_t number = 0;
    weir_err *err = NULL;
    if (!place->processes && env("WEIR_PROCESSES")) {
        err = read_number("WEIR_PROCESSES", 1, WI_PROCESSES_MAX, &number);
        place->processes = (uint32_t)number;
        place->processes_from = "WEIR_PROCESSES";
    }
    if (!err && place->process == WI_PROCESS_UNKNOWN && env("WEIR_PROCESS")) {
        err = read_number("WEIR_PROCESS", 0, UINT32_MAX - 1, &number);
        place->process = (uint32_t)number;
        place->process_from = "WEIR_PROCESS";
    }
    return err;
}

/* As many processes as there are hosts, if nobody says how many. */
static weir_err *count_hosts(wi_place *place, const char *list, const char *from)
{
    wi_hosts hosts;
    weir_err *err = wi_hosts_read(list, from, &hosts);
    if (err)
        return err;
    uint32_t count = wi_hosts_slots(&hosts);
    wi_hosts_fini(&hosts);
    if (place->processes && place->processes != count)
        return weir_err_new("%s names %u processes, but %s is %u", from, count,
                            place->processes_from, place->processes);
    place->processes = count;
    place->processes_from = from;
    return NULL;
}

static weir_err *check_place(const wi_place *place)
{
    bool known = place->process != WI_PROCESS_UNKNOWN;
    if (known && !place->processes)
        return weir_err_new("%s says which process this is, but not how many there are: say "
                            "--processes N (or WEIR_PROCESSES)",
                            place->process_from);
    if (!known && place->processes > 1)
        return weir_err_new("there are %u processes (%s), but nobody says which one this is: say "
                            "--process I, from 0 to %u (or WEIR_PROCESS)",
                            place->processes, place->processes_from, place->processes - 1);
    if (place->processes > WI_PROCESSES_MAX)
        return weir_err_new("%s is %u; at most %d processes are possible", place->processes_from,
                            place->processes, WI_PROCESSES_MAX);
    if (known && place->process >= place->processes)
        return weir_err_new("%s is %u, but there %s %u process%s (%s), counted from 0",
                            place->process_from, place->process,
                            place->processes == 1 ? "is" : "are", place->processes,
                            place->processes == 1 ? "" : "es", place->processes_from);
    return NULL;
}

static weir_err *find_place(weir_cluster *cluster, wi_place *place)
{
    const char *hosts_from = cluster->hosts ? "--hosts" : "WEIR_HOSTS";
    const char *hosts = cluster->hosts ? cluster->hosts : env("WEIR_HOSTS");
    place->has_hosts = hosts;
    weir_err *err = check_launcher(place);
    if (!err)
        err = take_from_environment(place);
    if (!err && place->processes == 1) /* whatever else is said */
        return check_place(place);
    if (!err && hosts)
        err = count_hosts(place, hosts, hosts_from);
    bool launched = env("WEIR_RENDEZVOUS") && !hosts;
    bool complete = place->processes && place->process != WI_PROCESS_UNKNOWN;
    if (!err && !launched && (!complete || (!hosts && env("WEIR_SERVICE"))))
        err = wi_place_ask_schedulers(place);
    if (!err)
        err = check_place(place);
    cluster->hosts = hosts;
    if (place->hosts && !err)
        cluster->hosts = keep(place->hosts);
    else
        wi_free(place->hosts);
    return err;
}

/* ---- the rest --------------------------------------------------------------------------- */

static bool is_name(const char *name)
{
    size_t length = strlen(name);
    return length >= 1 && length <= NAME_BYTES_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") == length;
}

static void take_text(const char **text, const char *name)
{
    if (!*text)
        *text = env(name);
}

static weir_err *take_keys(weir_cluster *cluster)
{
    if (!cluster->key_file && env("WEIR_KEY_FILE") && env("WEIR_KEY"))
        return weir_err_new("both WEIR_KEY and WEIR_KEY_FILE are set; unset the one that does not "
                            "hold");
    take_text(&cluster->key_file, "WEIR_KEY_FILE");
    take_text(&cluster->certificate, "WEIR_TLS_CERTIFICATE");
    take_text(&cluster->certificate_key, "WEIR_TLS_KEY");
    take_text(&cluster->authority, "WEIR_TLS_AUTHORITY");
    int given = !!cluster->certificate + !!cluster->certificate_key + !!cluster->authority;
    if (given && given < 3)
        return weir_err_new("TLS needs three files: %s is missing (%s, or %s)",
                            !cluster->certificate       ? "the certificate"
                            : !cluster->certificate_key ? "the certificate's key"
                                                        : "the authority's certificate",
                            !cluster->certificate       ? "--tls-certificate"
                            : !cluster->certificate_key ? "--tls-key"
                                                        : "--tls-authority",
                            !cluster->certificate       ? "WEIR_TLS_CERTIFICATE"
                            : !cluster->certificate_key ? "WEIR_TLS_KEY"
                                                        : "WEIR_TLS_AUTHORITY");
    return NULL;
}

static weir_err *take_times(weir_cluster *cluster)
{
    uint64_t number = 0;
    weir_err *err = NULL;
    if (!cluster->generation && env("WEIR_GENERATION")) {
        err = read_number("WEIR_GENERATION", 0, UINT64_MAX, &number);
        cluster->generation = number;
    }
    if (!err && !cluster->connect_ns && env("WEIR_CONNECT_TIMEOUT")) {
        err = read_number("WEIR_CONNECT_TIMEOUT", 1, 1000000, &number);
        cluster->connect_ns = number * 1000000000u;
    }
    return err;
}

/* The descriptor is not for programs that this one may start. */
static weir_err *take_rendezvous(weir_cluster *cluster)
{
    uint64_t number;
    struct stat info;
    if (cluster->rendezvous > 0 || cluster->hosts || !env("WEIR_RENDEZVOUS"))
        return NULL;
    weir_err *err = read_number("WEIR_RENDEZVOUS", 1, INT32_MAX, &number);
    if (err)
        return err;
    int fd = (int)number;
    if (fstat(fd, &info) || !S_ISSOCK(info.st_mode) || fcntl(fd, F_SETFD, FD_CLOEXEC))
        return weir_err_new("WEIR_RENDEZVOUS is %d, but no socket of `weir launch` is open there. "
                            "Was this started by a program that `weir launch` started? Then say "
                            "--processes 1",
                            fd);
    cluster->rendezvous = fd;
    return NULL;
}

/* Addresses with TLS, and certificates, go together. */
static weir_err *check_scheme(const weir_cluster *cluster, const char *url)
{
    bool tls = !strncmp(url, "tls+tcp://", 10), tcp = !strncmp(url, "tcp://", 6);
    if (tls && !cluster->certificate)
        return weir_err_new("%s needs TLS: say --tls-certificate, --tls-key and --tls-authority",
                            url);
    if (tcp && cluster->certificate)
        return weir_err_new("there are certificates, but %s is without TLS: say tls+tcp://, or "
                            "leave the scheme out (weir launch: --transport tls)",
                            url);
    return NULL;
}

static weir_err *check_addresses(weir_cluster *cluster)
{
    take_text(&cluster->listen, "WEIR_LISTEN");
    if (cluster->listen && !strstr(cluster->listen, "://"))
        return weir_err_new("--listen (or WEIR_LISTEN) is `%s`, not a URL such as "
                            "tcp://0.0.0.0:%d",
                            cluster->listen, WI_PORT);
    weir_err *err = cluster->listen ? check_scheme(cluster, cluster->listen) : NULL;
    if (err || cluster->rendezvous > 0)
        return err;
    char **urls;
    err = wi_place_urls(cluster, NULL, &urls);
    if (err)
        return err;
    for (uint32_t i = 0; !err && i < cluster->processes; i++)
        err = check_scheme(cluster, urls[i]);
    wi_place_free_urls(urls, cluster->processes);
    return err;
}

weir_err *wi_place_find(weir_cluster *cluster)
{
    wi_place place = {.processes = cluster->processes,
                      .process = cluster->process,
                      .processes_from = "--processes",
                      .process_from = "--process"};
    weir_err *err = find_place(cluster, &place);
    if (err)
        return err;
    bool alone = place.processes <= 1;
    cluster->processes = alone ? 1 : place.processes;
    cluster->process = alone ? 0 : place.process;
    if (alone)
        return NULL;
    take_text(&cluster->name, "WEIR_CLUSTER");
    if (cluster->name && !is_name(cluster->name))
        return weir_err_new("the cluster's name `%s` (--cluster or WEIR_CLUSTER) is not 1 to %d of "
                            "a-z, 0-9, dot, dash and underscore",
                            cluster->name, NAME_BYTES_MAX);
    cluster->nng |= env("WEIR_NNG") != NULL;
    cluster->no_shared_memory |= env("WEIR_NO_SHARED_MEMORY") != NULL;
    err = take_keys(cluster);
    if (!err)
        err = take_times(cluster);
    if (!err)
        err = take_rendezvous(cluster);
    return err ? err : check_addresses(cluster);
}

const char *wi_place_key(const weir_cluster *cluster)
{
    return cluster->key_file ? NULL : env("WEIR_KEY");
}
