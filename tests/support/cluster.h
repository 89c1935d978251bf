/* Clusters within one process of the system. */
#ifndef WEIR_TESTS_SUPPORT_CLUSTER_H
#define WEIR_TESTS_SUPPORT_CLUSTER_H

#include <weir/weir.h>

/* weir_execute; or, if the config says that there are several processes, so many executions that
 * are threads of this one, connected as processes are. `arg` is shared by all. Gives the first
 * reason of one that is not the echo of another's. */
weir_err *test_execute(const weir_config *config, weir_worker_fn *run, void *arg);

#endif
