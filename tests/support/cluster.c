/* See cluster.h. */
#include "cluster.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct member {
    weir_config config;
    weir_worker_fn *run;
    void *arg;
    weir_err *err;
    pthread_t thread;
} member;

static void *run_member(void *arg)
{
    member *self = arg;
    self->err = weir_execute(&self->config, self->run, self->arg);
    return NULL;
}

/* "abstract://NAME-0,abstract://NAME-1,...", which no other cluster has. */
static char *new_hosts(uint32_t processes)
{
    static _Atomic(unsigned) count;
    unsigned number = atomic_fetch_add(&count, 1);
    char *hosts = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&hosts, &bytes);
    for (uint32_t p = 0; p < processes; p++)
        fprintf(to, "%sabstract://weir-test-%d-%u-%u", p ? "," : "", (int)getpid(), number, p);
    fclose(to);
    return hosts;
}

static bool is_echo(const weir_err *err)
{
    const char *message = weir_err_message(err);
    return strncmp(message, "process ", 8) == 0 && strstr(message, " stopped: ") != NULL;
}

weir_err *test_execute(const weir_config *config, weir_worker_fn *run, void *arg)
{
    uint32_t processes = config->cluster.processes;
    if (processes <= 1)
        return weir_execute(config, run, arg);
    char *hosts = new_hosts(processes);
    member *members = calloc(processes, sizeof *members);
    for (uint32_t p = 0; p < processes; p++) {
        members[p] = (member){.config = *config, .run = run, .arg = arg};
        members[p].config.cluster.process = p;
        members[p].config.cluster.hosts = hosts;
        pthread_create(&members[p].thread, NULL, run_member, &members[p]);
    }
    weir_err *first = NULL;
    for (uint32_t p = 0; p < processes; p++)
        pthread_join(members[p].thread, NULL);
    for (uint32_t p = 0; p < processes; p++) {
        weir_err *err = members[p].err;
        bool better = err && (!first || (is_echo(first) && !is_echo(err)));
        if (better) {
            weir_err_free(first);
            first = err;
        } else {
            weir_err_free(err);
        }
    }
    free(members);
    free(hosts);
    return first;
}
