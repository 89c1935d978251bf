/* The simulator's transport: names, time and counts. See sim.h; links: sim_link.c. */
#include "sim_link.h"

#include <string.h>

#include "../base/alloc.h"
#include "../base/assert.h"

/* ---- listeners -------------------------------------------------------------------------- */

static sim_listener **find_listener(wi_sim_net *net, const char *url)
{
    sim_listener **at = &net->listeners;
    while (*at && strcmp((*at)->url, url) != 0)
        at = &(*at)->next;
    return at;
}

/* The oldest that waits; counts them. */
static sim_wire *find_waiting(const wi_sim_net *net, const char *url, uint32_t *count_out)
{
    sim_wire *oldest = NULL;
    uint32_t count = 0;
    for (sim_wire *wire = net->wires; wire; wire = wire->next) {
        if (wire->accepted || strcmp(wire->url, url) != 0)
            continue;
        oldest = wire;
        count++;
    }
    if (count_out)
        *count_out = count;
    return oldest;
}

static const char *listener_url(const wi_listener *listener)
{
    return ((const sim_listener *)listener)->url;
}

static wi_link *listener_accept(wi_listener *listener)
{
    sim_listener *at = (sim_listener *)listener;
    sim_wire *wire = find_waiting(at->net, at->url, NULL);
    if (!wire || wire->open_ns > at->net->now_ns)
        return NULL;
    wire->accepted = true;
    wi_sim_note(&wire->ends[1], SIM_ACCEPTED, 0);
    return &wire->ends[1].link;
}

static void listener_close(wi_listener *listener)
{
    sim_listener *at = (sim_listener *)listener;
    *find_listener(at->net, at->url) = at->next;
    for (sim_wire *wire; (wire = find_waiting(at->net, at->url, NULL));) {
        wire->accepted = true;
        wi_sim_end_close(&wire->ends[1].link);
    }
    wi_free(at->url);
    wi_free(at);
}

static const wi_listener_ops listener_ops = {
    .url = listener_url,
    .accept = listener_accept,
    .close = listener_close,
};

static weir_err *check_url(const char *url)
{
    if (strncmp(url, "sim://", 6) == 0 && url[6])
        return NULL;
    return weir_err_new("'%s' is no address of the simulator: write sim://NAME", url);
}

static weir_err *sim_listen(const wi_transport *transport, const char *url, const wi_tls *tls,
                            wi_listener **listener_out)
{
    (void)tls;
    wi_sim_net *net = transport->arg;
    weir_err *err = check_url(url);
    if (err)
        return err;
    sim_listener **at = find_listener(net, url);
    if (*at)
        return weir_err_new("cannot listen at %s: somebody in this net does already", url);
    sim_listener *listener = WI_NEW(sim_listener);
    *listener = (sim_listener){.listener.ops = &listener_ops, .net = net, .url = wi_strdup(url)};
    *at = listener;
    *listener_out = &listener->listener;
    return NULL;
}

static weir_err *sim_dial(const wi_transport *transport, const char *url, const wi_tls *tls,
                          wi_link **link_out)
{
    (void)tls;
    wi_sim_net *net = transport->arg;
    weir_err *err = check_url(url);
    if (err)
        return err;
    uint32_t waiting;
    find_waiting(net, url, &waiting);
    bool refused = !*find_listener(net, url) || waiting == WI_LINKS_WAITING_MAX;
    sim_wire *wire = WI_NEW(sim_wire);
    *wire = (sim_wire){.net = net, .url = wi_strdup(url), .number = net->links++,
                       .open_ns = wi_sim_arrival(net), .accepted = refused, .next = net->wires};
    for (int i = 0; i < 2; i++)
        wire->ends[i] =
            (sim_end){.link.ops = &wi_sim_end_ops, .wire = wire, .other = &wire->ends[!i]};
    net->wires = wire;
    wi_sim_note(&wire->ends[0], SIM_DIALLED, refused);
    if (refused) {
        wi_sim_end_close(&wire->ends[1].link);
        wire->ends[0].why = "connection refused: nobody listens there";
    }
    *link_out = &wire->ends[0].link;
    return NULL;
}

/* ---- the net ---------------------------------------------------------------------------- */

wi_sim_net *wi_sim_net_new(uint64_t seed, const wi_sim_faults *faults)
{
    wi_sim_net *net = WI_NEW(wi_sim_net);
    net->transport = (wi_transport){
        .name = "sim", .listen = sim_listen, .dial = sim_dial, .arg = net};
    net->faults = *faults;
    net->random = seed;
    return net;
}

void wi_sim_net_free(wi_sim_net *net)
{
    if (!net)
        return;
    wi_assert(!net->wires && !net->listeners, "a net is freed after its links");
    wi_free(net);
}

const wi_transport *wi_sim_net_transport(const wi_sim_net *net)
{
    return &net->transport;
}

void wi_sim_net_set_faults(wi_sim_net *net, const wi_sim_faults *faults)
{
    net->faults = *faults;
}

uint64_t wi_sim_net_now(const wi_sim_net *net)
{
    return net->now_ns;
}

uint64_t wi_sim_net_next(const wi_sim_net *net)
{
    uint64_t next = UINT64_MAX;
    for (const sim_wire *wire = net->wires; wire; wire = wire->next) {
        if (wire->open_ns > net->now_ns && wire->open_ns < next)
            next = wire->open_ns;
        for (int i = 0; i < 2; i++)
            for (const parcel *at = wire->ends[i].first; at; at = at->next)
                if (at->due_ns > net->now_ns && at->due_ns < next)
                    next = at->due_ns;
    }
    return next;
}

void wi_sim_net_advance(wi_sim_net *net, uint64_t ns)
{
    net->now_ns += ns;
    for (sim_wire *wire = net->wires; wire; wire = wire->next)
        for (int i = 0; i < 2; i++)
            wi_sim_end_wake(&wire->ends[i]);
}

void wi_sim_net_cut(wi_link *link)
{
    wi_sim_wire_cut(((sim_end *)link)->wire);
}

uint64_t wi_sim_net_trace(const wi_sim_net *net)
{
    return net->trace;
}

wi_sim_counts wi_sim_net_count(const wi_sim_net *net)
{
    return net->counts;
}
