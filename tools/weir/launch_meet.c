/* Telling processes on this host where the others listen: the launcher's side of
 * runtime/rendezvous.c, which has the words. A process that has spoken waits for the answer, so
 * rounds (a program may run weir_execute more than once) do not overlap. */
#include "launch.h"

#include "base/alloc.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void tell(struct launch_process *process, const char *text, size_t length)
{
    /* Not read within the socket's buffer: it does not keep to the words, or is stopped. */
    if (send(process->meet, text, length, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)length) {
        close(process->meet);
        process->meet = -1;
    }
}

static void tell_all(struct launch *launch)
{
    size_t length = strlen("addresses\n");
    for (unsigned i = 0; i < launch->plan.processes; i++) {
        if (!launch->all[i].url)
            return;
        length += 1 + strlen(launch->all[i].url);
    }
    char *text = wi_alloc(length + 1), *at = stpcpy(text, "addresses");
    for (unsigned i = 0; i < launch->plan.processes; i++) {
        *at++ = ' ';
        at = stpcpy(at, launch->all[i].url);
        wi_free(launch->all[i].url);
        launch->all[i].url = NULL;
    }
    stpcpy(at, "\n");
    for (unsigned i = 0; i < launch->plan.processes; i++)
        if (launch->all[i].meet >= 0)
            tell(&launch->all[i], text, length);
    wi_free(text);
}

static void tell_missing(struct launch *launch, struct launch_process *asking)
{
    char text[WI_PROCESSES_MAX * 4 + 16] = "missing ";
    size_t length = strlen(text);
    if (!asking->url) /* it has been answered; the answer is on its way */
        return;
    for (unsigned i = 0; i < launch->plan.processes; i++)
        if (!launch->all[i].url)
            length += (size_t)snprintf(text + length, sizeof text - length, "%u,", i);
    text[length - 1] = '\n';
    tell(asking, text, length);
}

static void hear(struct launch *launch, struct launch_process *process, const char *line)
{
    if (!strncmp(line, "listening ", 10) && !strpbrk(line + 10, " \t\r")) {
        wi_free(process->url);
        process->url = wi_strdup(line + 10);
        tell_all(launch);
    } else if (!strcmp(line, "who")) {
        tell_missing(launch, process);
    } else {
        launch_say("process %u says `%.80s` where only weir's words are understood",
                   (unsigned)(process - launch->all), line);
    }
}

void launch_meet(struct launch *launch, unsigned index)
{
    struct launch_process *process = &launch->all[index];
    size_t room = sizeof process->said - process->said_bytes;
    ssize_t got = recv(process->meet, process->said + process->said_bytes, room, MSG_DONTWAIT);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (got <= 0) {
        close(process->meet);
        process->meet = -1;
        return;
    }
    process->said_bytes += (size_t)got;
    for (char *end; (end = memchr(process->said, '\n', process->said_bytes));) {
        size_t used = (size_t)(end - process->said) + 1;
        *end = 0;
        hear(launch, process, process->said);
        process->said_bytes -= used;
        memmove(process->said, end + 1, process->said_bytes);
    }
    if (process->said_bytes == sizeof process->said) { /* no line is that long */
        close(process->meet);
        process->meet = -1;
    }
}
