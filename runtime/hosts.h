/* Lists of hosts, as people write them, and the URLs that they mean.
 *
 * A list is HOST, HOST:PORT or URL with commas between, or @FILE: a file with one a line, where
 * `slots=N` says that N processes run there and # begins a comment. A process's own entry is
 * that of its index. */
#ifndef WEIR_RUNTIME_HOSTS_H
#define WEIR_RUNTIME_HOSTS_H

#include <weir/base.h>

#define WI_PROCESSES_MAX 256
#define WI_PORT 4710 /* where processes listen when nobody says otherwise */

typedef struct wi_host {
    char *name;      /* a name or an address, without brackets; or a URL */
    char *login;     /* what stood before an @, for ssh; or NULL */
    uint32_t port;   /* 0: none was given */
    uint32_t slots;  /* how many processes run there, one after the other in the list */
    bool is_url;
} wi_host;

typedef struct wi_hosts {
    wi_host *at;
    uint32_t count;
    unsigned capacity;
} wi_hosts;

/* any. Reads a list. `from` says in messages where it comes from ("--hosts"). */
weir_err *wi_hosts_read(const char *list, const char *from, wi_hosts *hosts_out);
/* any. The same from a file, by its path. */
weir_err *wi_hosts_read_file(const char *path, wi_hosts *hosts_out);
void wi_hosts_fini(wi_hosts *hosts);
/* any. How many processes run on all of them. */
uint32_t wi_hosts_slots(const wi_hosts *hosts);

/* any. The URL of each process. Entries without a port get `port` and the ones after it, counted
 * for each host; those without a scheme are tls+tcp:// or tcp://. No two may be the same. Free
 * with wi_place_free_urls. */
weir_err *wi_hosts_urls(const wi_hosts *hosts, bool tls, uint32_t port, char ***urls_out,
                        uint32_t *count_out);
/* any. A whole number of at most `max` and nothing else; false if it is not one. */
bool wi_hosts_number(const char *text, uint64_t max, uint64_t *number_out);
/* any. WEIR_PORT, or else WI_PORT. */
weir_err *wi_hosts_port(uint32_t *port_out);

#endif
