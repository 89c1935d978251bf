/* Where this process listens, and where the others do.
 *
 * Processes that `weir launch` starts on its own host have no fixed addresses: each listens
 * where there is room, tells the launcher over a socket, and is told of all once all have
 * spoken. The words, one line each:
 *
 *     process: listening URL       launcher: addresses URL URL ...    in order, when all are here
 *     process: who                 launcher: missing 1,3              who has not spoken yet
 *
 * A program that runs weir_execute again says so again. */
#include "place.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../base/alloc.h"
#include "hosts.h"

#define CONNECT_NS 30000000000u
#define ANSWER_NS 1000000000u /* for the launcher to say who is missing */
#define LINE_BYTES_MAX (WI_PROCESSES_MAX * 512)

void wi_place_free_urls(char **urls, uint32_t count)
{
    for (uint32_t i = 0; urls && i < count; i++)
        wi_free(urls[i]);
    wi_free(urls);
}

/* ---- from hosts ------------------------------------------------------------------------- */

/* 127.0.0.1 and ports that follow each other: processes started by hand on one host. */
static void all_here(uint32_t processes, wi_hosts *hosts_out)
{
    *hosts_out = (wi_hosts){.at = WI_NEW(wi_host), .count = 1, .capacity = 1};
    hosts_out->at[0] = (wi_host){.name = wi_strdup("127.0.0.1"), .slots = processes};
}

static weir_err *urls_of_hosts(const weir_cluster *cluster, char ***urls_out)
{
    uint32_t port, count = 0;
    wi_hosts hosts = {0};
    weir_err *err = wi_hosts_port(&port);
    if (!err && cluster->hosts)
        err = wi_hosts_read(cluster->hosts, "the hosts of the cluster", &hosts);
    else if (!err)
        all_here(cluster->processes, &hosts);
    if (!err)
        err = wi_hosts_urls(&hosts, cluster->certificate, port, urls_out, &count);
    wi_hosts_fini(&hosts);
    if (!err && count != cluster->processes) {
        err = weir_err_new("the hosts of the cluster are %u, but it has %u processes", count,
                           cluster->processes);
        wi_place_free_urls(*urls_out, count);
    }
    return err;
}

/* ---- where to listen -------------------------------------------------------------------- */

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)address;
        return ntohl(in->sin_addr.s_addr) >> 24 == 127;
    }
    const struct sockaddr_in6 *in6 = (const void *)address;
    return address->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
}

/* Whether a name means this host's loopback, or nothing, although the others are to reach us by
 * it. Debian gives a host's own name the address 127.0.1.1; Kubernetes makes the names of pods
 * known late. */
static bool leads_nowhere(const char *name)
{
    struct in6_addr literal;
    if (inet_pton(AF_INET, name, &literal) == 1 || strchr(name, ':') ||
        !strcmp(name, "localhost"))
        return false;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    if (getaddrinfo(name, NULL, &hints, &found))
        return true;
    bool beyond = false;
    for (const struct addrinfo *a = found; a; a = a->ai_next)
        beyond |= !is_loopback(a->ai_addr);
    freeaddrinfo(found);
    return !beyond;
}

/* The URL to listen at, of the one that others are to dial. */
static char *listen_at(const char *url)
{
    const char *host = strstr(url, "://") + 3, *port = strrchr(url, ':');
    bool tls = !strncmp(url, "tls+tcp", 7);
    if ((strncmp(url, "tcp", 3) && !tls) || port < host)
        return wi_strdup(url);
    char name[256], all[64];
    snprintf(name, sizeof name, "%.*s", (int)(port - host), host);
    if (!leads_nowhere(name))
        return wi_strdup(url);
    snprintf(all, sizeof all, "%s://0.0.0.0%s", tls ? "tls+tcp" : "tcp", port);
    return wi_strdup(all);
}

/* A name that nobody else has, without a file. */
static weir_err *free_place(char **url_out)
{
    uint64_t random[2];
    if (getrandom(random, sizeof random, 0) != sizeof random)
        return weir_err_new("the system gives no random numbers: %s", strerror(errno));
    char url[64];
    snprintf(url, sizeof url, "abstract://weir-%016llx%016llx", (unsigned long long)random[0],
             (unsigned long long)random[1]);
    *url_out = wi_strdup(url);
    return NULL;
}

weir_err *wi_place_url(const weir_cluster *cluster, char **url_out)
{
    if (cluster->listen) {
        *url_out = wi_strdup(cluster->listen);
        return NULL;
    }
    if (cluster->rendezvous > 0)
        return free_place(url_out);
    char **urls;
    weir_err *err = urls_of_hosts(cluster, &urls);
    if (err)
        return err;
    *url_out = listen_at(urls[cluster->process]);
    wi_place_free_urls(urls, cluster->processes);
    return NULL;
}

/* ---- the launcher ----------------------------------------------------------------------- */

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static weir_err *launcher_gone(void)
{
    return weir_err_new("weir launch, which was to say where the other processes are, is gone");
}

static weir_err *say(int launcher, const char *word, const char *url)
{
    char line[512];
    int length = snprintf(line, sizeof line, "%s%s%s\n", word, *url ? " " : "", url);
    if (length >= (int)sizeof line)
        return weir_err_new("the address %s is too long", url);
    for (int sent = 0; sent < length;) {
        ssize_t now = send(launcher, line + sent, (size_t)(length - sent), MSG_NOSIGNAL);
        if (now < 0 && errno != EINTR)
            return launcher_gone();
        sent += now < 0 ? 0 : (int)now;
    }
    return NULL;
}

/* A line without its end, which is the caller's; NULL there: the time is over. */
static weir_err *hear(int launcher, uint64_t deadline_ns, char **line_out)
{
    char *line = wi_alloc(LINE_BYTES_MAX);
    size_t length = 0;
    weir_err *err = NULL;
    *line_out = NULL;
    while (!err && !*line_out) {
        uint64_t now = now_ns();
        int wait_ms = now < deadline_ns ? (int)((deadline_ns - now) / 1000000 + 1) : 0;
        struct pollfd ready = {.fd = launcher, .events = POLLIN};
        int polled = poll(&ready, 1, wait_ms);
        if (polled < 0 && errno == EINTR)
            continue;
        if (polled == 0)
            break;
        /* One byte at a time: what follows the line is the next one's. */
        ssize_t got = recv(launcher, line + length, 1, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0 || length == LINE_BYTES_MAX - 1) {
            err = launcher_gone();
        } else if (line[length++] == '\n') {
            line[length - 1] = 0;
            *line_out = wi_strdup(line);
        }
    }
    wi_free(line);
    return err;
}

/* Why no answer came in time; or the answer, if it comes just now. */
static weir_err *ask_who_is_missing(const weir_cluster *cluster, uint64_t waited_ns,
                                    char **line_out)
{
    char *line = NULL;
    weir_err *err = say(cluster->rendezvous, "who", "");
    if (!err)
        err = hear(cluster->rendezvous, now_ns() + ANSWER_NS, &line);
    if (err)
        return err;
    if (line && !strncmp(line, "addresses ", 10)) {
        *line_out = line;
        return NULL;
    }
    bool named = line && !strncmp(line, "missing ", 8);
    err = weir_err_new("not all of the %u processes have come within %.1f s; missing: %s. Does "
                       "each of them run weir_execute (weir_main)?",
                       cluster->processes, (double)waited_ns / 1e9, named ? line + 8 : "unknown");
    wi_free(line);
    return err;
}

static weir_err *split_addresses(char *line, uint32_t processes, char ***urls_out)
{
    char *rest, *word = strtok_r(line, " ", &rest);
    char **urls = WI_NEWS(char *, processes);
    uint32_t count = 0;
    bool good = word && !strcmp(word, "addresses");
    while (good && (word = strtok_r(NULL, " ", &rest))) {
        good = count < processes;
        if (good)
            urls[count++] = wi_strdup(word);
    }
    if (good && count == processes) {
        *urls_out = urls;
        return NULL;
    }
    wi_place_free_urls(urls, count);
    return weir_err_new("weir launch does not say where the %u processes are, but `%s`; is it of "
                        "this version (%s)?",
                        processes, line, weir_version());
}

weir_err *wi_place_urls(const weir_cluster *cluster, const char *own_url, char ***urls_out)
{
    if (cluster->rendezvous <= 0)
        return urls_of_hosts(cluster, urls_out);
    uint64_t wait_ns = cluster->connect_ns ? cluster->connect_ns : CONNECT_NS;
    char *line = NULL;
    weir_err *err = say(cluster->rendezvous, "listening", own_url);
    if (!err)
        err = hear(cluster->rendezvous, now_ns() + wait_ns, &line);
    if (!err && !line)
        err = ask_who_is_missing(cluster, wait_ns, &line);
    if (!err)
        err = split_addresses(line, cluster->processes, urls_out);
    wi_free(line);
    return err;
}
