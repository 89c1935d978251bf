/* What the simulator's transport is made of: wires with two ends each. For sim.c and
 * sim_link.c alone.
 *
 * What a write sends travels as a parcel, due at some time; a direction is a queue of parcels
 * whose times do not decrease, so that bytes stay in order unless a fault swaps two. A wire
 * lives until both of its ends are closed. */
#ifndef WEIR_NET_SIM_LINK_H
#define WEIR_NET_SIM_LINK_H

#include "sim.h"

typedef struct parcel {
    struct parcel *next;
    uint64_t due_ns;
    size_t count, taken;
    char bytes[];
} parcel;

typedef struct wake_call {
    void (*wake)(void *arg); /* NULL: not armed */
    void *arg;
} wake_call;

typedef struct sim_wire sim_wire;

typedef struct sim_end {
    wi_link link;
    sim_wire *wire;
    struct sim_end *other;
    bool closed;
    bool ended;         /* nothing comes after what is on its way */
    const char *ending; /* why not */
    const char *why;    /* down */
    void *buffer;
    size_t wanted;
    wi_part parts[WI_WRITE_PARTS_MAX];
    uint32_t parts_count;
    int64_t sent;
    parcel *first, *last; /* on their way to this end */
    size_t bytes;         /* of all parcels, not yet taken */
    wake_call reader, writer;
} sim_end;

struct sim_wire {
    wi_sim_net *net;
    sim_end ends[2]; /* who dialled, who accepted */
    char *url;
    uint64_t number, open_ns;
    bool accepted; /* or refused: nobody is at the other end */
    sim_wire *next;
};

typedef struct sim_listener {
    wi_listener listener;
    wi_sim_net *net;
    char *url;
    struct sim_listener *next;
} sim_listener;

struct wi_sim_net {
    wi_transport transport;
    wi_sim_faults faults;
    wi_sim_counts counts;
    uint64_t random, now_ns, trace, links;
    sim_wire *wires;
    sim_listener *listeners;
};

typedef enum sim_event {
    SIM_DIALLED,
    SIM_ACCEPTED,
    SIM_SENT,
    SIM_TAKEN,
    SIM_CUT,
    SIM_DROPPED,
    SIM_SWAPPED,
    SIM_FLIPPED,
    SIM_ENDED,
    SIM_CLOSED
} sim_event;

extern const wi_link_ops wi_sim_end_ops;

/* Adds to the net's trace. */
void wi_sim_note(const sim_end *end, sim_event kind, uint64_t detail);
/* When something that is sent now will arrive. */
uint64_t wi_sim_arrival(wi_sim_net *net);
void wi_sim_wire_cut(sim_wire *wire);
/* Calls what is armed and can go on. */
void wi_sim_end_wake(sim_end *end);
void wi_sim_end_close(wi_link *link);

#endif
