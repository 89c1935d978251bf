/* Where this process stands in its cluster, and how it learns where the others are. */
#ifndef WEIR_RUNTIME_PLACE_H
#define WEIR_RUNTIME_PLACE_H

#include <weir/worker.h>

/* any. Completes what the command line said about the cluster from the environment: WEIR_*
 * variables (which `weir launch` sets), Slurm, OpenMPI-style launchers, and the host name of a
 * Kubernetes StatefulSet. Checks that it makes sense. */
weir_err *wi_place_find(weir_cluster *cluster);
/* any. The URL at which this process is to listen (free with wi_free). */
weir_err *wi_place_url(const weir_cluster *cluster, char **url_out);
/* any. The URLs of all processes, in order: from `hosts`, or from the launcher, which is told
 * where this one listens and answers when it knows all (waits for that). Free with
 * wi_place_free_urls. */
weir_err *wi_place_urls(const weir_cluster *cluster, const char *own_url, char ***urls_out);
void wi_place_free_urls(char **urls, uint32_t count);

#endif
