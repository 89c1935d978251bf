/* Lists of hosts and their URLs: hosts.h. */
#include "hosts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/alloc.h"
#include "place.h"

#define PORT_MAX 65535

bool wi_hosts_number(const char *text, uint64_t max, uint64_t *number_out)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || number > max)
        return false;
    *number_out = number;
    return true;
}

weir_err *wi_hosts_port(uint32_t *port_out)
{
    const char *text = getenv("WEIR_PORT");
    uint64_t port = WI_PORT;
    if (text && (!wi_hosts_number(text, PORT_MAX, &port) || !port))
        return weir_err_new("WEIR_PORT is `%s`, but a port is a whole number from 1 to %d", text,
                            PORT_MAX);
    *port_out = (uint32_t)port;
    return NULL;
}

/* ---- reading ---------------------------------------------------------------------------- */

/* Beside letters and digits: what names, IPv4 and IPv6 addresses (with a zone) have. */
static bool is_host_name(const char *name)
{
    return *name && *name != '-' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                        ".-_:%") == strlen(name);
}

/* Splits NAME:PORT, [ADDRESS]:PORT or NAME, in place; false if that is not what it is. An
 * address with colons and without brackets has no port. */
static bool split_port(char *text, char **name_out, const char **port_out)
{
    *name_out = text;
    *port_out = NULL;
    char *colon = strrchr(text, ':');
    if (*text == '[') {
        char *end = strchr(text, ']');
        if (!end || (end[1] && end[1] != ':'))
            return false;
        *name_out = text + 1;
        *port_out = end[1] ? end + 2 : NULL;
        *end = 0;
    } else if (colon && strchr(text, ':') == colon) {
        *colon = 0;
        *port_out = colon + 1;
    }
    return is_host_name(*name_out);
}

static bool has_known_scheme(const char *url)
{
    static const char *const schemes[] = {"tcp://", "tls+tcp://", "ipc://", "abstract://"};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (!strncmp(url, schemes[i], strlen(schemes[i])) && url[strlen(schemes[i])])
            return true;
    return false;
}

/* `where` is "--hosts" or a file and line; `text` is one entry, which is taken apart. */
static weir_err *add_host(wi_hosts *hosts, char *text, uint32_t slots, const char *where)
{
    wi_grow(&hosts->at, &hosts->capacity, hosts->count + 1, sizeof *hosts->at);
    if (strstr(text, "://")) {
        if (!has_known_scheme(text))
            return weir_err_new("%s: `%s` is none of tcp://HOST:PORT, tls+tcp://HOST:PORT, "
                                "ipc://PATH and abstract://NAME",
                                where, text);
        hosts->at[hosts->count++] =
            (wi_host){.name = wi_strdup(text), .slots = slots, .is_url = true};
        return NULL;
    }
    char *whole = wi_strdup(text), *at = strchr(text, '@'), *name;
    const char *port_text;
    uint64_t port = 0;
    if (at)
        *at = 0;
    bool good = split_port(at ? at + 1 : text, &name, &port_text) &&
                (!at || (at > text && *text != '-')) &&
                (!port_text || (wi_hosts_number(port_text, PORT_MAX, &port) && port));
    weir_err *err = NULL;
    if (good)
        hosts->at[hosts->count++] = (wi_host){.name = wi_strdup(name),
                                              .login = at ? wi_strdup(text) : NULL,
                                              .port = (uint32_t)port,
                                              .slots = slots};
    else
        err = weir_err_new("%s: `%s` is none of HOST, HOST:PORT (a port is from 1 to %d) and URL",
                           where, whole, PORT_MAX);
    wi_free(whole);
    return err;
}

/* One line of a file: an entry, slots=N. */
static weir_err *read_line(wi_hosts *hosts, char *line, const char *where)
{
    line[strcspn(line, "#\r\n")] = 0;
    char *rest, *entry = strtok_r(line, " \t", &rest), *word;
    uint64_t slots = 1;
    if (!entry)
        return NULL;
    while ((word = strtok_r(NULL, " \t", &rest))) {
        bool is_slots = !strncmp(word, "slots=", 6);
        if (!is_slots || !wi_hosts_number(word + 6, WI_PROCESSES_MAX, &slots) || !slots)
            return weir_err_new("%s: `%s` follows the host, where only slots=N (from 1 to %d) may",
                                where, word, WI_PROCESSES_MAX);
    }
    return add_host(hosts, entry, (uint32_t)slots, where);
}

weir_err *wi_hosts_read_file(const char *path, wi_hosts *hosts_out)
{
    *hosts_out = (wi_hosts){0};
    FILE *file = fopen(path, "re");
    if (!file)
        return weir_err_new("the file of hosts `%s` cannot be read: %s", path, strerror(errno));
    char *line = NULL;
    size_t room = 0;
    weir_err *err = NULL;
    for (unsigned number = 1; !err && getline(&line, &room, file) >= 0; number++) {
        char where[256];
        snprintf(where, sizeof where, "%s:%u", path, number);
        err = read_line(hosts_out, line, where);
    }
    if (!err && ferror(file))
        err = weir_err_new("the file of hosts `%s` cannot be read: %s", path, strerror(errno));
    if (!err && !hosts_out->count)
        err = weir_err_new("the file of hosts `%s` names no host; write one on each line", path);
    free(line);
    fclose(file);
    if (err)
        wi_hosts_fini(hosts_out);
    return err;
}

weir_err *wi_hosts_read(const char *list, const char *from, wi_hosts *hosts_out)
{
    *hosts_out = (wi_hosts){0};
    if (*list == '@')
        return wi_hosts_read_file(list + 1, hosts_out);
    char *copy = wi_strdup(list), *rest = copy, *entry;
    weir_err *err = NULL;
    while (!err && (entry = strsep(&rest, ",")))
        err = *entry ? add_host(hosts_out, entry, 1, from)
                     : weir_err_new("%s: `%s` has an entry with nothing in it", from, list);
    wi_free(copy);
    if (err)
        wi_hosts_fini(hosts_out);
    return err;
}

void wi_hosts_fini(wi_hosts *hosts)
{
    for (uint32_t i = 0; i < hosts->count; i++) {
        wi_free(hosts->at[i].name);
        wi_free(hosts->at[i].login);
    }
    wi_free(hosts->at);
    *hosts = (wi_hosts){0};
}

uint32_t wi_hosts_slots(const wi_hosts *hosts)
{
    uint32_t slots = 0;
    for (uint32_t i = 0; i < hosts->count; i++)
        slots += hosts->at[i].slots;
    return slots;
}

/* ---- URLs ------------------------------------------------------------------------------- */

/* How many processes before entry `index` are on the same host and have no port of their own. */
static uint32_t neighbours(const wi_hosts *hosts, uint32_t index)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < index; i++)
        if (!hosts->at[i].port && !hosts->at[i].is_url &&
            !strcmp(hosts->at[i].name, hosts->at[index].name))
            count += hosts->at[i].slots;
    return count;
}

/* The URL of the process in this slot of the entry. */
static weir_err *make_url(const wi_hosts *hosts, uint32_t index, uint32_t slot, bool tls,
                          uint32_t base_port, char **url_out)
{
    const wi_host *host = &hosts->at[index];
    if (host->is_url) {
        *url_out = wi_strdup(host->name);
        return NULL;
    }
    uint32_t port = slot + (host->port ? host->port : base_port + neighbours(hosts, index));
    if (port > PORT_MAX)
        return weir_err_new("the ports of `%s` go beyond %d; give each process one (HOST:PORT) "
                            "or let them begin lower",
                            host->name, PORT_MAX);
    bool brackets = strchr(host->name, ':');
    char url[512];
    int length = snprintf(url, sizeof url, "%s://%s%s%s:%u", tls ? "tls+tcp" : "tcp",
                          brackets ? "[" : "", host->name, brackets ? "]" : "", port);
    if (length >= (int)sizeof url)
        return weir_err_new("the host name `%.40s...` is too long", host->name);
    *url_out = wi_strdup(url);
    return NULL;
}

static weir_err *check_distinct(char **urls, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t j = 0; j < i; j++)
            if (!strcmp(urls[i], urls[j]))
                return weir_err_new("processes %u and %u would both listen at %s; give each an "
                                    "address of its own",
                                    j, i, urls[i]);
    return NULL;
}

weir_err *wi_hosts_urls(const wi_hosts *hosts, bool tls, uint32_t port, char ***urls_out,
                        uint32_t *count_out)
{
    uint32_t count = wi_hosts_slots(hosts), made = 0;
    if (count > WI_PROCESSES_MAX)
        return weir_err_new("%u processes are named; at most %d are possible", count,
                            WI_PROCESSES_MAX);
    char **urls = WI_NEWS(char *, count);
    weir_err *err = NULL;
    for (uint32_t i = 0; !err && i < hosts->count; i++)
        for (uint32_t slot = 0; !err && slot < hosts->at[i].slots; slot++) {
            err = make_url(hosts, i, slot, tls, port, &urls[made]);
            made += !err;
        }
    if (!err)
        err = check_distinct(urls, count);
    if (err) {
        wi_place_free_urls(urls, made);
        return err;
    }
    *urls_out = urls;
    *count_out = count;
    return NULL;
}
