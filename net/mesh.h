/* All links of a process to the others: two to each, one for progress and one for data, so
 * that queued data cannot delay progress.
 *
 * Opening: each process listens, learns where the others listen, dials those of lower index,
 * and shakes hands with all (handshake.h): version, cluster, generation, index, counts, keys.
 * Then frames travel. On each link they are numbered and checksummed, and arrive in order, once.
 * What is not so, a gap, a checksum, a break, silence, ends the mesh: it is never resumed.
 *
 * The mesh has no thread and no clock. Whoever has nothing better to do polls it; somebody
 * calls tick every 50 ms or so (heartbeats, silence), with the time as it sees it.
 *
 * Invariants
 *   M1 Frames of a link are delivered in the order in which they were sent, without a gap, and
 *      only frames of this generation (RELIABILITY: I2, I3).
 *   M2 One thread at a time delivers frames of a link.
 *   M3 After `down` was called nothing more is delivered from that process. */
#ifndef WEIR_NET_MESH_H
#define WEIR_NET_MESH_H

#include "transport.h"

typedef struct wi_mesh wi_mesh;
typedef struct wi_chunk wi_chunk;

typedef enum wi_lane { WI_LANE_PROGRESS, WI_LANE_DATA } wi_lane;
#define WI_LANES 2

/* A frame that has arrived. Its bytes start on a cache line, lie in a chunk that was received
 * as it is, and stay while the chunk is retained; they may be written to (nobody else reads
 * them). */
typedef struct wi_arrival {
    uint32_t process; /* who sent it */
    wi_lane lane;
    uint16_t kind;    /* as given to wi_mesh_send */
    char *bytes;
    uint32_t count;
    wi_chunk *chunk;
} wi_arrival;

void wi_chunk_retain(wi_chunk *chunk);
void wi_chunk_drop(wi_chunk *chunk);

/* Larger frames are not sent, and refused when they are announced. */
#define WI_FRAME_BYTES_MAX (64u << 20)

typedef struct wi_mesh_config {
    uint32_t process, processes; /* which one this is, of how many */
    uint32_t workers;            /* in each process */
    const char *cluster;         /* [a-z0-9._-]{1,64} */
    uint64_t generation;
    const char *key_file;        /* shared key, mode 0600; NULL: see `key` */
    const char *key;             /* the key itself (from the environment); NULL: none */
    wi_tls tls;
    const wi_transport *transport; /* NULL: by the URL's scheme, */
    bool nng;                      /* and then nng's, if it has one for it */
    bool no_shared_memory; /* between processes of one machine */
    uint64_t connect_ns; /* how long to wait for all processes when opening; 0: 30 s */
    uint64_t silence_ns; /* how long a link may be silent; 0: 2.5 s */

    /* All may be called from within any call below, on the caller's thread. They do not block
     * and do not call the mesh, except for wi_mesh_send. */
    void (*frame)(void *arg, const wi_arrival *arrival);
    /* The mesh is over: a process is lost. Takes the error. At most once for a process. */
    void (*down)(void *arg, uint32_t process, weir_err *why);
    /* Any thread, also one of the transport's: something arrived after wi_mesh_arm. */
    void (*wake)(void *arg);
    void *arg;
} wi_mesh_config;

/* any. Starts to listen at the URL (its port may be 0). Addresses beyond loopback without a key
 * or TLS are refused. What `config` points to stays until close. */
weir_err *wi_mesh_listen(const wi_mesh_config *config, const char *url, wi_mesh **mesh_out);
/* any. Where it listens, with the real port. */
const char *wi_mesh_url(const wi_mesh *mesh);
/* any. Connects to all others, urls[process] each, and waits until all have shaken hands.
 * After connect_ns the error names who is missing; what does not fit names both values. */
weir_err *wi_mesh_connect(wi_mesh *mesh, const char *const *urls);
/* any. The same in steps that do not wait, for a simulator: one thread, several meshes, and the
 * clock that it gives. True: it is over, well or with an error. */
bool wi_mesh_connect_step(wi_mesh *mesh, const char *const *urls, uint64_t now_ns,
                          weir_err **err_out);

/* any. Sends a frame: the parts one after the other. If `sent` is NULL they are copied; if not
 * they stay as they are until sent(arg) is called: perhaps within this call, from any thread
 * that polls, or from close. Never blocks; what waits is bounded by the caller (backlog).
 * After the mesh is down, or after goodbye, frames are let go. */
void wi_mesh_send(wi_mesh *mesh, uint32_t process, wi_lane lane, uint16_t kind,
                  const wi_part *parts, uint32_t count, void (*sent)(void *arg), void *arg);
/* any. Frames on the lane of data wait until much is to be sent, or until this is called (or
 * wi_mesh_poll): several go out in one call of the system. */
void wi_mesh_push(wi_mesh *mesh);
/* any. Bytes that were sent and not yet taken by the system. A hint, without a lock. */
size_t wi_mesh_backlog(const wi_mesh *mesh, uint32_t process, wi_lane lane);

/* any. Takes what arrived and sends what waits, as much as can be done without waiting, up to
 * some 256 KB a link. Returns whether there was anything. Links that another thread looks at
 * are left to it. */
bool wi_mesh_poll(wi_mesh *mesh, uint64_t now_ns);
/* any. Heartbeats when nothing else was sent, and whether all were heard of lately. */
void wi_mesh_tick(wi_mesh *mesh, uint64_t now_ns);
/* any. The caller is about to sleep: `wake` will be called when something arrives or waiting
 * frames can be sent. False: something is there already. */
bool wi_mesh_arm(wi_mesh *mesh);

/* any. This process will send nothing more (after everything sent so far). */
void wi_mesh_goodbye(wi_mesh *mesh);
/* any. Whether all others that are not lost have said so too, and all of our frames have come to
 * them: the mesh may be closed. */
bool wi_mesh_parted(const wi_mesh *mesh);
/* any, nobody in another call. NULL does nothing. */
void wi_mesh_close(wi_mesh *mesh);

/* any. Bytes and frames so far, of all links. */
typedef struct wi_mesh_totals {
    uint64_t sent_frames[WI_LANES], sent_bytes[WI_LANES];
    uint64_t taken_frames[WI_LANES], taken_bytes[WI_LANES];
} wi_mesh_totals;
void wi_mesh_count(const wi_mesh *mesh, wi_mesh_totals *totals_out);

#endif
