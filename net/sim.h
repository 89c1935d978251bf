/* The simulator's transport: sim://NAME, links in one thread, under a seed and a virtual clock,
 * with the faults that are asked for. Given the same seed and the same calls in the same order,
 * the same happens; wi_sim_net_trace is a hash of all of it.
 *
 * With all faults off it behaves as the transport within a process does. Everything is for one
 * thread at a time; `wake` is called from within writes, closes and wi_sim_net_advance. */
#ifndef WEIR_NET_SIM_H
#define WEIR_NET_SIM_H

#include "transport.h"

/* So many bytes of a direction are on their way, at most. */
#define WI_SIM_BYTES_MAX ((size_t)1 << 20)

/* Chances are from 0 to 1, for each write that is taken. `split` and delays are no faults of a
 * link: a network may do so. A cut breaks it, as a network may; the others no stream of bytes
 * should do, and whoever is above has to notice. */
typedef struct wi_sim_faults {
    bool split;            /* reads and writes move any number of bytes that they could */
    uint64_t delay_ns_max; /* bytes take from 0 to this long; also to open a link */
    double cut;            /* the link breaks at some byte of the write */
    double drop;           /* the write vanishes, though it was sent */
    double reorder;        /* it overtakes the one before, if nothing of that was read yet */
    double flip;           /* one of its bits changes */
} wi_sim_faults;

typedef struct wi_sim_counts {
    uint64_t writes, cuts, drops, reorders, flips;
} wi_sim_counts;

typedef struct wi_sim_net wi_sim_net;

wi_sim_net *wi_sim_net_new(uint64_t seed, const wi_sim_faults *faults);
/* After all of its links and listeners were closed. NULL does nothing. */
void wi_sim_net_free(wi_sim_net *net);
/* Lives as long as the net. */
const wi_transport *wi_sim_net_transport(const wi_sim_net *net);
/* From now on. */
void wi_sim_net_set_faults(wi_sim_net *net, const wi_sim_faults *faults);

uint64_t wi_sim_net_now(const wi_sim_net *net);
/* When something will arrive next; UINT64_MAX: nothing is on its way. */
uint64_t wi_sim_net_next(const wi_sim_net *net);
void wi_sim_net_advance(wi_sim_net *net, uint64_t ns);
/* Breaks a link now, at some byte of what is on its way in each direction. */
void wi_sim_net_cut(wi_link *link);

uint64_t wi_sim_net_trace(const wi_sim_net *net);
wi_sim_counts wi_sim_net_count(const wi_sim_net *net);

#endif
