/* The state of a window operator as bytes, key by key: written when the dataflow is torn down, and
 * read when it is built again, with any number of workers. In memory, until there are checkpoints.
 *
 * It is that at a closed frontier: no row stamped before it is on its way, none stamped at or
 * after it has come. Windows with such a state are those of general.c, which have it by key. Accs
 * that own memory (`release`) cannot be saved. */
#ifndef WEIR_OPERATORS_WINDOW_SAVED_H
#define WEIR_OPERATORS_WINDOW_SAVED_H

#include <pthread.h>

#include "moment.h"

#define WI_SAVED_BINS 256 /* by the upper bits of keys' hashes */

typedef struct wi_saved_bytes {
    char *at;
    uint32_t count, capacity;
} wi_saved_bytes;

/* The keys of all workers of a process: written by each as it stops, read when all have. */
typedef struct wi_saved {
    pthread_mutex_t lock;
    wi_saved_bytes bins[WI_SAVED_BINS];
} wi_saved;

void wi_saved_init(wi_saved *saved);
void wi_saved_fini(wi_saved *saved);

/* worker. Adds all keys of an operator; puts those that are this worker's into it, which has none,
 * and asks for their notifications (in `start`). */
void wi_saved_write(wi_saved *to, const wi_windowing *call, const wi_window_keys *keys);
void wi_saved_read(wi_now *now, const wi_saved *from);

/* counted.c: a queue's part, which may be NULL. */
void wi_queue_write(const wi_windowing *call, const wi_queue *queue, wi_saved_bytes *to);
wi_queue *wi_queue_read(const wi_windowing *call, const wi_window_key *key, const char **at);

void wi_saved_put(wi_saved_bytes *to, const void *bytes, size_t count);
void wi_saved_get(const char **at, void *bytes_out, size_t count);
/* An acc, with the texts that are its own; those of its key come from the key. */
void wi_saved_put_acc(const wi_windowing *call, wi_saved_bytes *to, const char *acc);
char *wi_saved_get_acc(const wi_windowing *call, const wi_window_key *key, const char **at);

/* window.c, worker, building: weir_window with a state. `from` and `to` may be NULL, and have to
 * outlive the dataflow. */
weir_stream wi_window_saved(weir_stream in, const weir_windows *how, weir_key key,
                            const weir_fold_kernel *fold, void *arg, weir_late *late_out,
                            const wi_saved *from, wi_saved *to);

#endif
