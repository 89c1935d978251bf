/* `weir launch`: its parts and what they share.
 *
 *   launch.c          one loop that waits for everything, and what it does about it
 *   launch_options.c  the command line, made into a plan
 *   launch_start.c    starting the processes of one attempt; ending them
 *   launch_remote.c   how one is started on another host, through ssh
 *   launch_guard.c    two small processes that see to it that nothing survives the launcher
 *   launch_output.c   what the processes print, line by line
 *   launch_meet.c     telling processes on this host where the others listen
 *   launch_report.c   what is told to people and to scripts
 *
 * No part uses the library's runtime, or nng, which does not stand to be used around a fork. */
#ifndef WEIR_TOOLS_LAUNCH_H
#define WEIR_TOOLS_LAUNCH_H

#include "runtime/hosts.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/* ---- the plan --------------------------------------------------------------------------- */

enum launch_transport { LAUNCH_ABSTRACT, LAUNCH_TCP, LAUNCH_TLS, LAUNCH_IPC };

struct launch_plan {
    unsigned processes;
    unsigned workers; /* 0: not said */
    enum launch_transport transport;
    wi_hosts hosts;         /* count 0: all here */
    char **urls;            /* where each listens, with hosts; or NULL */
    const char *ssh;        /* how to reach a host: words between spaces */
    const char *key_file;   /* or NULL */
    char key[257];          /* for processes on other hosts; or empty */
    char name[65];          /* of the cluster */
    bool prefix, prefix_said;
    bool restart;
    unsigned restart_budget;
    double restart_window_s, grace_s;
    bool dry_run, json;
    const char *json_path; /* NULL: standard output */
    char **program;        /* with its arguments; ends with NULL */
};

/* Fills the plan from the command line. Returns the exit status, or -1 to go on. */
int launch_options(int argc, char **argv, struct launch_plan *plan);
/* The host of a process, or NULL: this one. */
const wi_host *launch_host(const struct launch_plan *plan, unsigned process);

/* ---- processes -------------------------------------------------------------------------- */

struct launch_stream { /* what one process prints, to one of our own two outputs */
    int fd;            /* -1: over */
    unsigned process, output;
    char *bytes; /* an incomplete line */
    size_t length, capacity;
};

struct launch_process {
    pid_t pid; /* also the number of its process group */
    bool running, slow; /* slow: it had to be killed */
    uint64_t start_ns, end_ns;
    int status; /* as waitpid gives it */
    int meet, control; /* our ends; -1: none. control: standard input */
    struct launch_stream streams[2];
    char said[512]; /* to `meet`: a line that is not complete */
    size_t said_bytes;
    char *url; /* where it listens, until all are told */
};

struct launch {
    struct launch_plan plan;
    struct launch_process *all; /* plan.processes of them */
    uint64_t generation;
    unsigned running;
    unsigned restarts;
    char folder[64]; /* of ipc sockets; or empty */
    char place[40];  /* part of the names of this launch's sockets */
    int failed;      /* the first process that failed; -1: none */
    int stopping;    /* 0: no; the signal that was passed on */
    bool interrupted; /* somebody asked for it */
    bool hurry;       /* asked for twice: nothing is waited for any more */
    int output_error; /* an errno: our output cannot be written any more */
    uint64_t kill_ns; /* when what still runs is killed; 0: not at all */
    double grace_s;   /* how long it had until then */
    int guard;        /* a pipe to the keeper */
    pid_t guard_pid;
};

uint64_t launch_now_ns(void);

/* Starts all processes of an attempt. False: what could not be started has been reported. */
bool launch_start(struct launch *launch);
/* Sends a signal to all that run: to their groups, or only to the processes themselves. */
void launch_signal(struct launch *launch, int signal, bool groups);
/* Frees what belongs to an attempt. Nothing runs any more. */
void launch_clear(struct launch *launch);
/* The environment of a process beside what it inherits: NAME=VALUE, and NULL at the end; the
 * strings and the list are the caller's (wi_free). `meet` < 0: it has none. */
char **launch_variables(const struct launch *launch, unsigned process, int meet);

/* ---- other hosts ------------------------------------------------------------------------ */

/* The words of the command that starts a process on its host, ended by NULL: free them with
 * launch_words_free. */
char **launch_remote_words(const struct launch *launch, unsigned process);
void launch_words_free(char **words);
/* A word as a shell takes it: the caller's (wi_free). */
char *launch_quote(const char *word);

/* ---- guards ----------------------------------------------------------------------------- */

/* Starts the keeper. It ends every process group that it knows when this process is gone. */
bool launch_guard_start(struct launch *launch);
/* The words in front of a program that is so guarded: 4 of them, the caller's (wi_free). */
#define LAUNCH_GUARD_WORDS 4
void launch_guard_words(const struct launch *launch, char **words_out);
void launch_guard_forget(struct launch *launch, pid_t group);
void launch_guard_folder(struct launch *launch);
void launch_guard_end(struct launch *launch);

/* ---- output ----------------------------------------------------------------------------- */

#define LAUNCH_OUTPUTS 2 /* standard output, standard error */

/* `processes` 1 or fewer: nothing is ever in front of a line. */
void launch_output_init(bool prefix);
void launch_stream_open(struct launch_stream *stream, int fd, unsigned process, unsigned output);
/* Reads what is there. Closes the stream at its end. */
void launch_stream_read(struct launch_stream *stream);
void launch_stream_close(struct launch_stream *stream);
/* Whether more may be read for it: its output is not too far behind. */
bool launch_output_has_room(unsigned output);
/* Whether something waits to be written. */
bool launch_output_waits(unsigned output);
/* Writes what can be written without waiting. */
void launch_output_flush(unsigned output);
/* Writes everything, as long as it takes. */
void launch_output_drain(void);
/* Why standard output cannot be written any more: an errno, or 0. */
int launch_output_error(void);
/* A line of the launcher's own, on standard error: "weir launch: ...". */
void launch_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same bytes to standard output. */
void launch_print(const char *bytes, size_t count);

/* ---- meeting ---------------------------------------------------------------------------- */

/* Reads what a process says of where it listens, and tells all once all have. */
void launch_meet(struct launch *launch, unsigned process);

/* ---- reports ---------------------------------------------------------------------------- */

bool launch_is_failure(int status);
/* The exit status that stands for it: 128 and more for signals. */
int launch_code(int status);
/* How long it ran. */
double launch_seconds(const struct launch_process *process);
/* "weir launch: process 2 (pid 4711) was killed by signal 9 (KILL) after 12.4 s; ..." */
void launch_report_failure(const struct launch *launch, unsigned process);
void launch_report_json(const struct launch *launch, int code);
void launch_report_dry(const struct launch *launch);

#endif
