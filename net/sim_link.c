/* The links of the simulator's transport, and what befalls them. See sim.h and sim_link.h. */
#include "sim_link.h"

#include <string.h>

#include "../base/alloc.h"
#include "../base/assert.h"
#include "../base/hash.h"

/* ---- chance and trace ------------------------------------------------------------------- */

static uint64_t draw(wi_sim_net *net)
{
    net->random += 0x9e3779b97f4a7c15u; /* splitmix64 */
    return wi_hash_fold(0, net->random);
}

/* From 0 to less than `limit`. */
static uint64_t below(wi_sim_net *net, uint64_t limit)
{
    return draw(net) % limit;
}

static bool happens(wi_sim_net *net, double chance)
{
    return chance > 0 && (double)(draw(net) >> 11) * 0x1p-53 < chance;
}

void wi_sim_note(const sim_end *end, sim_event kind, uint64_t detail)
{
    wi_sim_net *net = end->wire->net;
    uint64_t event[5] = {kind, net->now_ns, end->wire->number, end == &end->wire->ends[1], detail};
    net->trace = XXH3_64bits_withSeed(event, sizeof event, net->trace);
}

uint64_t wi_sim_arrival(wi_sim_net *net)
{
    return net->now_ns + (net->faults.delay_ns_max ? below(net, net->faults.delay_ns_max + 1) : 0);
}

/* ---- what is on its way ----------------------------------------------------------------- */

static void wake(wake_call *armed)
{
    wake_call call = *armed;
    *armed = (wake_call){0};
    if (call.wake)
        call.wake(call.arg);
}

static bool is_open(const sim_end *end)
{
    return end->wire->open_ns <= end->wire->net->now_ns;
}

static bool can_read(const sim_end *end)
{
    if (!is_open(end))
        return false;
    return end->first ? end->first->due_ns <= end->wire->net->now_ns : end->ended;
}

/* Whether a write would end: there is room, or it fails. */
static bool can_write(const sim_end *end)
{
    return end->other->bytes < WI_SIM_BYTES_MAX || end->other->ended;
}

void wi_sim_end_wake(sim_end *end)
{
    if (can_read(end))
        wake(&end->reader);
    if (can_write(end))
        wake(&end->writer);
}

static void free_first(sim_end *end)
{
    parcel *first = end->first;
    end->bytes -= first->count - first->taken;
    end->first = first->next;
    if (!end->first)
        end->last = NULL;
    wi_free(first);
}

/* Keeps so many bytes of what is on its way; the rest never arrives. */
static void truncate_to(sim_end *end, size_t kept)
{
    parcel **at = &end->first;
    end->last = NULL;
    end->bytes = kept;
    while (*at) {
        parcel *passed = *at;
        size_t left = passed->count - passed->taken;
        if (kept == 0) {
            *at = passed->next;
            wi_free(passed);
            continue;
        }
        if (left > kept)
            passed->count = passed->taken + kept;
        kept -= left < kept ? left : kept;
        end->last = passed;
        at = &passed->next;
    }
}

static void end_direction(sim_end *end, const char *why)
{
    if (end->ended)
        return;
    end->ended = true;
    end->ending = why;
}

void wi_sim_wire_cut(sim_wire *wire)
{
    wire->net->counts.cuts++;
    for (int i = 0; i < 2; i++) {
        sim_end *end = &wire->ends[i];
        truncate_to(end, below(wire->net, end->bytes + 1));
        wi_sim_note(end, SIM_CUT, end->bytes);
        end_direction(end, "connection reset by peer");
    }
    for (int i = 0; i < 2; i++)
        wi_sim_end_wake(&wire->ends[i]);
}

/* Puts a parcel at the end of the queue to `end`, or before the last one. */
static void post(sim_end *end, parcel *sent)
{
    wi_sim_net *net = end->wire->net;
    parcel *last = end->last;
    sent->due_ns = wi_sim_arrival(net);
    if (last && sent->due_ns < last->due_ns)
        sent->due_ns = last->due_ns;
    end->bytes += sent->count;
    if (last && last->taken == 0 && happens(net, net->faults.reorder)) {
        net->counts.reorders++;
        wi_sim_note(end, SIM_SWAPPED, sent->count);
        parcel **at = &end->first;
        while (*at != last)
            at = &(*at)->next;
        uint64_t due_ns = last->due_ns;
        last->due_ns = sent->due_ns;
        sent->due_ns = due_ns;
        sent->next = last;
        *at = sent;
        return;
    }
    if (last)
        last->next = sent;
    else
        end->first = sent;
    end->last = sent;
}

static void send_parcel(sim_end *end, parcel *sent)
{
    wi_sim_net *net = end->wire->net;
    net->counts.writes++;
    wi_sim_note(end, SIM_SENT, XXH3_64bits(sent->bytes, sent->count));
    if (happens(net, net->faults.drop)) {
        net->counts.drops++;
        wi_sim_note(end, SIM_DROPPED, sent->count);
        wi_free(sent);
        return;
    }
    if (happens(net, net->faults.flip)) {
        uint64_t bit = below(net, 8 * sent->count);
        net->counts.flips++;
        wi_sim_note(end, SIM_FLIPPED, bit);
        sent->bytes[bit / 8] = (char)(sent->bytes[bit / 8] ^ 1 << bit % 8);
    }
    post(end->other, sent);
    if (happens(net, net->faults.cut))
        wi_sim_wire_cut(end->wire);
    if (can_read(end->other))
        wake(&end->other->reader);
}

/* ---- ends ------------------------------------------------------------------------------- */

static sim_end *end_of(const wi_link *link)
{
    return (sim_end *)(uintptr_t)link;
}

static wi_link_state end_poll(wi_link *link)
{
    const sim_end *end = end_of(link);
    if (!is_open(end))
        return WI_LINK_OPENING;
    return end->why ? WI_LINK_DOWN : WI_LINK_UP;
}

static const char *end_peer(const wi_link *link)
{
    return end_of(link)->wire->url;
}

static const char *end_why(const wi_link *link)
{
    const sim_end *end = end_of(link);
    return end->why && is_open(end) ? end->why : "";
}

static void end_read_begin(wi_link *link, void *buffer, size_t bytes)
{
    sim_end *end = end_of(link);
    wi_assert(!end->buffer, "one read at a time");
    end->buffer = buffer;
    end->wanted = bytes;
}

static int64_t take_bytes(sim_end *end)
{
    wi_sim_net *net = end->wire->net;
    size_t wanted = end->wanted, count = 0;
    if (net->faults.split) {
        size_t most = end->bytes < wanted ? end->bytes : wanted;
        wanted = 1 + below(net, most);
    }
    while (count < wanted && end->first && end->first->due_ns <= net->now_ns) {
        parcel *first = end->first;
        size_t bytes = first->count - first->taken;
        if (bytes > wanted - count)
            bytes = wanted - count;
        memcpy((char *)end->buffer + count, first->bytes + first->taken, bytes);
        first->taken += bytes;
        end->bytes -= bytes;
        count += bytes;
        if (first->taken == first->count)
            free_first(end);
    }
    wi_sim_note(end, SIM_TAKEN, count);
    return (int64_t)count;
}

static int64_t end_read_end(wi_link *link)
{
    sim_end *end = end_of(link);
    wi_assert(end->buffer, "read_end follows read_begin");
    if (!can_read(end))
        return 0;
    int64_t taken = -1;
    if (end->first) {
        taken = take_bytes(end);
    } else if (!end->why) {
        end->why = end->ending;
        wi_sim_note(end, SIM_ENDED, 0);
    }
    end->buffer = NULL;
    end->reader = (wake_call){0};
    if (taken > 0)
        wake(&end->other->writer);
    return taken;
}

static int64_t send_some(sim_end *end)
{
    wi_sim_net *net = end->wire->net;
    if (end->other->ended) {
        if (!end->why)
            end->why = end->other->ending;
        return -1;
    }
    size_t room = WI_SIM_BYTES_MAX - end->other->bytes, total = 0;
    for (uint32_t i = 0; i < end->parts_count; i++)
        total += end->parts[i].bytes;
    if (total > room)
        total = room;
    if (total == 0)
        return 0;
    if (net->faults.split)
        total = 1 + below(net, total);
    parcel *sent = wi_alloc(sizeof *sent + total);
    *sent = (parcel){.count = total};
    size_t count = 0;
    for (uint32_t i = 0; count < total; i++) {
        size_t bytes = end->parts[i].bytes;
        if (bytes > total - count)
            bytes = total - count;
        if (bytes)
            memcpy(sent->bytes + count, end->parts[i].at, bytes);
        count += bytes;
    }
    send_parcel(end, sent);
    return (int64_t)total;
}

static void end_write_begin(wi_link *link, const wi_part *parts, uint32_t count)
{
    sim_end *end = end_of(link);
    wi_assert(end->parts_count == 0, "one write at a time");
    memcpy(end->parts, parts, count * sizeof *parts);
    end->parts_count = count;
    end->sent = send_some(end);
}

static int64_t end_write_end(wi_link *link)
{
    sim_end *end = end_of(link);
    wi_assert(end->parts_count, "write_end follows write_begin");
    int64_t sent = end->sent ? end->sent : send_some(end);
    if (sent != 0) {
        end->parts_count = 0;
        end->writer = (wake_call){0};
    }
    return sent;
}

static void end_arm(wi_link *link, void (*call)(void *arg), void *arg)
{
    sim_end *end = end_of(link);
    wi_assert(end->buffer, "armed is a read that was begun");
    end->reader = (wake_call){call, arg};
    if (can_read(end))
        wake(&end->reader);
}

static void end_arm_write(wi_link *link, void (*call)(void *arg), void *arg)
{
    sim_end *end = end_of(link);
    wi_assert(end->parts_count, "armed is a write that was begun");
    end->writer = (wake_call){call, arg};
    if (end->sent || can_write(end))
        wake(&end->writer);
}

static void wire_free(sim_wire *wire)
{
    sim_wire **at = &wire->net->wires;
    while (*at != wire)
        at = &(*at)->next;
    *at = wire->next;
    for (int i = 0; i < 2; i++)
        truncate_to(&wire->ends[i], 0);
    wi_free(wire->url);
    wi_free(wire);
}

void wi_sim_end_close(wi_link *link)
{
    sim_end *end = end_of(link);
    end->closed = true;
    end->reader = end->writer = (wake_call){0};
    wi_sim_note(end, SIM_CLOSED, end->bytes);
    end_direction(end, "closed by peer"); /* what the other would send */
    end_direction(end->other, "closed by peer");
    wi_sim_end_wake(end->other);
    if (end->other->closed)
        wire_free(end->wire);
}

const wi_link_ops wi_sim_end_ops = {
    .poll = end_poll,
    .peer = end_peer,
    .why = end_why,
    .read_begin = end_read_begin,
    .read_end = end_read_end,
    .write_begin = end_write_begin,
    .write_end = end_write_end,
    .arm = end_arm,
    .arm_write = end_arm_write,
    .close = wi_sim_end_close,
};
