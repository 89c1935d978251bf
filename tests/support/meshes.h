/* Several processes in one: meshes that are opened and driven by threads, frames whose content
 * says whether it is right, and how it all ended. */
#ifndef WEIR_TESTS_SUPPORT_MESHES_H
#define WEIR_TESTS_SUPPORT_MESHES_H

#include <pthread.h>
#include <stdatomic.h>

#include "net/mesh.h"

#define TEST_PROCESSES_MAX 4
#define TEST_SENDERS_MAX 4

typedef struct test_process {
    wi_mesh_config config; /* filled in by test_meshes_init; change it before opening */
    char listen[160];      /* URL */
    const char *urls[TEST_PROCESSES_MAX];
    wi_mesh *mesh;
    uint32_t processes;
    char opened[1600]; /* "" or the error */

    pthread_mutex_t lock; /* around what follows, written in callbacks */
    pthread_cond_t woken;
    bool awake;
    uint64_t taken[TEST_PROCESSES_MAX][WI_LANES][TEST_SENDERS_MAX]; /* numbered frames so far */
    uint64_t taken_in_all;
    char wrong[200]; /* a frame that is not what it should be */
    uint32_t downs, down_process;
    char down[1600];
    _Atomic(uint64_t) acknowledged; /* `sent` callbacks */
} test_process;

typedef struct test_meshes {
    uint32_t count;
    test_process at[TEST_PROCESSES_MAX];
} test_meshes;

uint64_t test_now_ns(void);

/* `url` has a %d for the process's index, or a port 0. */
void test_meshes_init(test_meshes *meshes, uint32_t count, const char *url);
/* Listens, and connects all but those whose bit is in `absent`, each in a thread of its own.
 * What came of it is in `opened`. */
void test_meshes_open(test_meshes *meshes, uint32_t absent);
/* The same, and it must have worked. */
void test_meshes_open_all(test_meshes *meshes);
/* Says goodbye everywhere and polls until all have parted; fails if that takes long. */
void test_meshes_part(test_meshes *meshes);
void test_meshes_close(test_meshes *meshes);
/* Polls all in turn, with ticks at the time, until the process says that it is down; fails
 * after some seconds. Skips those whose bit is in `asleep`. */
void test_meshes_until_down(test_meshes *meshes, uint32_t process, uint32_t asleep);

/* Sends frame `number` of this sender: its content follows from these. `copied` or not. */
void test_send_numbered(test_process *from, uint32_t to, wi_lane lane, uint32_t sender,
                        uint64_t number, size_t bytes, bool copied);
/* Fails if a frame was wrong. */
void test_frames_right(test_meshes *meshes);

#endif
