/* Where this process stands in its cluster, and how it learns where the others are.
 *
 * Who says so, in order of precedence: the command line (options.c), WEIR_* variables (which
 * `weir launch` sets too), and what sets places at scale: Slurm, Kubernetes, OpenMPI-style
 * launchers (schedulers.c). A process of which nobody says anything is alone. */
#ifndef WEIR_RUNTIME_PLACE_H
#define WEIR_RUNTIME_PLACE_H

#include <weir/worker.h>

#define WI_PROCESS_UNKNOWN UINT32_MAX

/* any, one at a time. Completes what the command line said about the cluster from the
 * environment, and checks that it makes sense. What was not said is 0 or NULL, and the process
 * WI_PROCESS_UNKNOWN; afterwards all that matters is set, and alone is 1 process. Texts that are
 * made here stay until the process ends. */
weir_err *wi_place_find(weir_cluster *cluster);
/* any. The shared key itself if the environment has it (WEIR_KEY) and no file was named; or
 * NULL. */
const char *wi_place_key(const weir_cluster *cluster);
/* any. The URL at which this process is to listen (free with wi_free). */
weir_err *wi_place_url(const weir_cluster *cluster, char **url_out);
/* any. The URLs of all processes, in order: from `hosts`, or from the launcher, which is told
 * where this one listens and answers when it knows all (waits for that). Free with
 * wi_place_free_urls. */
weir_err *wi_place_urls(const weir_cluster *cluster, const char *own_url, char ***urls_out);
void wi_place_free_urls(char **urls, uint32_t count);

/* ---- schedulers.c ----------------------------------------------------------------------- */

/* What is known of a place, and who said so, for messages. 0 and WI_PROCESS_UNKNOWN: nobody. */
typedef struct wi_place {
    uint32_t processes, process;
    const char *processes_from, *process_from;
    bool has_hosts;
    char *hosts; /* a list that was made here: the caller's, wi_free; or NULL */
} wi_place;

/* any. Asks Slurm, Kubernetes and OpenMPI-style launchers for what is not known yet. Leaves the
 * place as it is if this is none of them, or one of a single process. */
weir_err *wi_place_ask_schedulers(wi_place *place);
/* any. Slurm's "a[1-2,08],b" becomes names, and "2(x3),1" numbers; free both with wi_free (the
 * names first). For tests. */
weir_err *wi_slurm_nodes(const char *text, char ***names_out, uint32_t *count_out);
weir_err *wi_slurm_tasks(const char *text, uint32_t **tasks_out, uint32_t *count_out);

#endif
