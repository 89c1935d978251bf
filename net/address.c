/* Addresses of links. See address.h. */
#include "address.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "../base/alloc.h"

const char *wi_after_scheme(const char *url, const char *scheme)
{
    size_t length = strlen(scheme);
    return strncmp(url, scheme, length) == 0 ? url + length : NULL;
}

bool wi_address_is_tls(const char *url)
{
    return wi_after_scheme(url, "tls+tcp://");
}

bool wi_address_is_tcp(const char *url)
{
    return wi_after_scheme(url, "tcp://") || wi_address_is_tls(url);
}

const char *wi_address_port(const char *url)
{
    const char *colon = strrchr(url, ':');
    if (!colon[1] || strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
        strtoul(colon + 1, NULL, 10) > 65535)
        return NULL;
    return colon + 1;
}

bool wi_address_is_local(const char *url)
{
    const char *host = strstr(url, "://");
    if (!host || !wi_address_is_tcp(url))
        return true; /* ipc, abstract, memory; or no URL, as the transport will say */
    host += 3;
    bool numbers = host[strspn(host, "0123456789.")] == ':';
    return (numbers && strncmp(host, "127.", 4) == 0) || strncmp(host, "localhost:", 10) == 0 ||
           strncmp(host, "[::1]:", 6) == 0;
}

static weir_err *check_tcp(const char *url, const wi_tls *tls, bool listening)
{
    bool given = tls && (tls->certificate || tls->key || tls->authority);
    bool is_tls = wi_address_is_tls(url);
    const char *port = wi_address_port(url);
    if (!port)
        return weir_err_new("'%s' has no port: write %s", url,
                            is_tls ? "tls+tcp://HOST:PORT" : "tcp://HOST:PORT");
    if (!listening && strtoul(port, NULL, 10) == 0)
        return weir_err_new("'%s' cannot be dialled: its port is 0", url);
    if (is_tls && !given)
        return weir_err_new("%s needs a certificate, a key and an authority (files in PEM)", url);
    if (!is_tls && given)
        return weir_err_new("%s would send in the clear, though certificates are given: write "
                            "tls+%s", url, url);
    return NULL;
}

weir_err *wi_address_check(const char *url, const wi_tls *tls, bool listening)
{
    if (wi_address_is_tcp(url))
        return check_tcp(url, tls, listening);
    const char *path = wi_after_scheme(url, "ipc://");
    if (path) {
        size_t room = sizeof((struct sockaddr_un *)NULL)->sun_path;
        if (!*path || strlen(path) >= room)
            return weir_err_new("'%s' is no local address: write ipc://PATH, with a path of 1 to "
                                "%zu bytes", url, room - 1);
        return NULL;
    }
    const char *name = wi_after_scheme(url, "abstract://");
    if (name && *name && strlen(name) < 100)
        return NULL;
    return weir_err_new("'%s' is no address: write tcp://HOST:PORT, tls+tcp://HOST:PORT, "
                        "ipc://PATH or abstract://NAME", url);
}

char *wi_address_with_port(const char *url, unsigned port)
{
    size_t host = (size_t)(wi_address_port(url) - url);
    char *with = wi_alloc(host + 6);
    snprintf(with, host + 6, "%.*s%u", (int)host, url, port);
    return with;
}

weir_err *wi_address_check_file(const char *url)
{
    const char *path = wi_after_scheme(url, "ipc://");
    struct stat found;
    if (!path || lstat(path, &found) != 0 || S_ISSOCK(found.st_mode))
        return NULL;
    return weir_err_new("cannot listen at %s: there is something that is no socket; remove it, or "
                        "choose another path", url);
}

weir_err *wi_address_cannot_listen(const char *url, int error, const char *why)
{
    if (error == EADDRINUSE)
        why = wi_address_is_tcp(url)
                  ? "another process uses the address; choose another port (0: any)"
                  : "another process listens there; choose another name";
    else if (error == EADDRNOTAVAIL)
        why = "it is no address of this machine";
    else if (error == EPERM || error == EACCES)
        why = "not permitted";
    else if (error == ENOENT)
        why = "its folder does not exist";
    return weir_err_new("cannot listen at %s: %s", url, why);
}
