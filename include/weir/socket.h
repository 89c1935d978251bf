/* Rows through sockets, as lines: sent to whoever reads them, received from whoever sends them.
 * docs/sinks.md tells more.
 *
 * Addresses are tcp://HOST:PORT, ipc://PATH (a socket of the file system) and abstract://NAME
 * (Linux). Nobody is asked who he is, and nothing is encrypted: addresses that others than this
 * machine can reach are refused unless they are allowed (.beyond).
 *
 * All are called by the worker that builds. */
#ifndef WEIR_SOCKET_H
#define WEIR_SOCKET_H

#include <weir/sink.h>

/* ---- sending ---------------------------------------------------------------------------- */

typedef struct weir_send {
    const char *url; /* tcp://HOST:PORT, ipc://PATH or abstract://NAME */
    bool listen;     /* there, and send to whoever dials; otherwise dial */
    bool beyond;     /* the address may be one that others than this machine can reach: rows go in
                      * the clear, and to whoever dials */
    bool reconnect;  /* when the connection breaks: find another, and go on with the first line
                      * that did not go out whole. What the system had taken may be lost.
                      * Otherwise it stops the run */
    uint64_t connect_ns; /* how long nobody may answer who is dialled; 0: 30 s */
    weir_row_format format;
    bool header; /* on each connection */
    weir_diffs diffs;
    bool sorted; /* whole times in order, as weir_print does; otherwise rows go as they come */
    /* of weir_send_messages alone */
    bool publish;       /* to all who have subscribed; otherwise each message to one who pulls */
    uint32_t rows_each; /* rows of a message, at most; 0: one */
    bool end_mark;      /* an empty message at the end */
} weir_send;

/* Sends rows as lines, to one reader at a time, from worker 0 (in process 0). A reader that is
 * slow, or not there, holds the stream back, up to its sources: about 2 MB of lines wait (and,
 * with `sorted`, all rows of times that are not complete yet). The dataflow is complete when the
 * system has taken the last line; then the connection is closed. */
WEIR_API void weir_send_lines(weir_stream in, const weir_send *how);

/* ---- receiving -------------------------------------------------------------------------- */

typedef struct weir_receive {
    const char *url; /* an address */
    const char *const *urls; /* or several, to be dialled; NULL ends them */
    bool listen; /* at `url`, for whoever dials; otherwise dial */
    bool beyond; /* others than this machine may reach the address */
    uint64_t connect_ns; /* how long nobody may answer who is dialled; 0: 30 s */
    weir_row_format format;
    bool header;       /* the first line of each connection names its columns */
    bool extra;        /* columns and JSON members that no field is called like are left out */
    bool line_by_line; /* a quoted field never has a newline */
    bool strict;       /* a line that is no row stops the run; see also weir_on_reject */
    bool silent;       /* lines that are no rows are not said on standard error */
    /* Each connection is a *partition*: its rows keep their order. Addresses that are dialled are
     * numbered from 0, and address i is read by worker i modulo their number; those who dial are
     * numbered as they come, modulo `at_once`, and read by worker 0. */
    const char *partition; /* a field, of integers, that is no column but gets that number */
    uint32_t at_once;  /* who may be connected: others wait until one has gone. 0: 64 */
    uint64_t in_all;   /* ends when so many have come and gone; 0: one, UINT64_MAX: never */
    uint32_t epoch_ms; /* rows get an epoch for each such interval of the clock; 0: all the first */
    uint32_t row_bytes_max; /* of a row's text; what is longer is none. 0: 1 MiB */
    bool subscribe; /* of weir_receive_messages alone: to who publishes; otherwise pull */
} weir_receive;

/* Rows that others send as lines. When there is no room for rows further down, nothing is read, so
 * that those who send wait. What is no row is counted and goes to weir_rejects, with the
 * connection's peer and the line. A peer that has said all it has to say closes the connection; a
 * line that has no newline by then is none. If it breaks instead, that is rejected, too, and, if it
 * was dialled, the run stops. `how` is copied. */
WEIR_API weir_stream weir_receive_rows(weir_dataflow *flow, const weir_type *type,
                                       const weir_receive *how);

/* ---- messages of nng -------------------------------------------------------------------- */

/* Sends rows as messages of nng: lines, without the newline of the last, from worker 0. A PUSH
 * socket, which waits until somebody pulls, and so holds the stream back; or a PUB socket, which
 * does not: who is slow, or has not subscribed yet, misses messages. nng finds its peers again when
 * a connection breaks, and does not promise that messages arrive. Of weir_send it takes neither
 * header, reconnect nor connect_ns. */
WEIR_API void weir_send_messages(weir_stream in, const weir_send *how);

/* Rows from the lines of messages, by a PULL or SUB socket of worker 0, which listens, or dials one
 * or several addresses. It ends after `in_all` empty messages (0: one; UINT64_MAX: never). nng
 * throws away a message of more than `row_bytes_max` bytes, and its connection. Of weir_receive it
 * takes neither header, partition, at_once nor connect_ns. */
WEIR_API weir_stream weir_receive_messages(weir_dataflow *flow, const weir_type *type,
                                           const weir_receive *how);

#endif
