/* Listening or dialling until there is a link; see meeting.h. */
#include "meeting.h"

#include <string.h>

#include "../../net/address.h"

/* Between two looks at what may have come, doubled each time in which it has not. */
#define LOOK_NS_MIN UINT64_C(100000)
#define LOOK_NS_MAX UINT64_C(10000000)
/* Between two tries to dial, likewise. */
#define DIAL_NS_MIN UINT64_C(10000000)
#define DIAL_NS_MAX UINT64_C(1000000000)
#define PATIENCE_NS UINT64_C(30000000000)

static uint64_t longer(uint64_t wait_ns, uint64_t least, uint64_t most)
{
    return wait_ns < least ? least : wait_ns * 2 < most ? wait_ns * 2 : most;
}

weir_err *wi_meeting_check(const char *url, bool listens, bool beyond)
{
    if (!url)
        return weir_err_new("there is no address: give tcp://HOST:PORT, ipc://PATH or "
                            "abstract://NAME");
    if (wi_address_is_tls(url))
        return weir_err_new("`%s` needs certificates, which sinks and sources do not take; use "
                            "tcp:// on this machine, and a tunnel",
                            url);
    weir_err *err = wi_address_check(url, NULL, listens);
    if (!err && !beyond && !wi_address_is_local(url))
        err = weir_err_new("`%s` is beyond this machine, and rows would go in the clear, to or "
                           "from anybody; use tcp://127.0.0.1:PORT and a tunnel, or allow it "
                           "(.beyond = true)",
                           url);
    return err;
}

weir_err *wi_meeting_begin(wi_meeting *meeting, const char *url, bool listens,
                           uint64_t patience_ns)
{
    *meeting = (wi_meeting){.url = url,
                            .listens = listens,
                            .patience_ns = patience_ns ? patience_ns : PATIENCE_NS};
    const wi_transport *transport = wi_transport_of(url, false);
    return listens ? transport->listen(transport, url, NULL, &meeting->listener) : NULL;
}

static weir_err *dial(wi_meeting *meeting, uint64_t now_ns)
{
    const wi_transport *transport = wi_transport_of(meeting->url, false);
    if (!meeting->began_ns)
        meeting->began_ns = now_ns;
    return transport->dial(transport, meeting->url, NULL, &meeting->dialled);
}

/* Nobody has answered: another time, unless that has been tried for long enough. */
static weir_err *try_again(wi_meeting *meeting, uint64_t now_ns)
{
    weir_err *err = NULL;
    if (now_ns - meeting->began_ns >= meeting->patience_ns)
        err = weir_err_new("cannot connect to %s: %s", meeting->url, wi_link_why(meeting->dialled));
    wi_link_close(meeting->dialled);
    meeting->dialled = NULL;
    meeting->wait_ns = longer(meeting->wait_ns, DIAL_NS_MIN, DIAL_NS_MAX);
    meeting->next_ns = now_ns + meeting->wait_ns;
    return err;
}

weir_err *wi_meeting_ask(wi_meeting *meeting, uint64_t now_ns, wi_link **link_out,
                         uint64_t *again_ns_out)
{
    weir_err *err = NULL;
    *link_out = NULL;
    if (meeting->listens) {
        *link_out = wi_listener_accept(meeting->listener);
        meeting->wait_ns = *link_out ? 0 : longer(meeting->wait_ns, LOOK_NS_MIN, LOOK_NS_MAX);
        *again_ns_out = meeting->wait_ns;
        return NULL;
    }
    if (!meeting->dialled && now_ns >= meeting->next_ns)
        err = dial(meeting, now_ns);
    if (err)
        return err;
    wi_link_state state = meeting->dialled ? wi_link_poll(meeting->dialled) : WI_LINK_OPENING;
    if (state == WI_LINK_UP) {
        *link_out = meeting->dialled;
        *meeting = (wi_meeting){.url = meeting->url, .patience_ns = meeting->patience_ns};
    } else if (state == WI_LINK_DOWN) {
        err = try_again(meeting, now_ns);
    }
    *again_ns_out = meeting->dialled ? LOOK_NS_MIN * 10 : meeting->next_ns - now_ns;
    return err;
}

void wi_meeting_end(wi_meeting *meeting)
{
    wi_listener_close(meeting->listener);
    wi_link_close(meeting->dialled);
    meeting->listener = NULL;
    meeting->dialled = NULL;
}
