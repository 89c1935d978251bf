/* What sees to it that nothing survives the launcher, not even when it is killed by signal 9.
 *
 * `weir launch-child` is what each process is started by: it asks the system to be killed when
 * the launcher dies, tells the keeper of its process group, and becomes the program. Death with
 * the launcher does not reach what a program itself starts; `weir launch-keeper`, one process in
 * a session of its own, does: it waits until the pipe from the launcher ends, kills the groups
 * that are left, and removes the folder of sockets. So one of the two is enough for the
 * processes, and both would have to be killed at once with the launcher for anything to stay. */
#include "command.h"
#include "launch.h"

#include "base/alloc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- weir launch-child PARENT KEEPER PROGRAM ARGUMENT... -------------------------------- */

/* Before the program can have started anything. The pipe is not for the program. A keeper that
 * was killed is done without. */
static void tell_keeper(int keeper)
{
    char line[32];
    int length = snprintf(line, sizeof line, "+%d\n", (int)getpid());
    ssize_t wrote = write(keeper, line, (size_t)length);
    (void)wrote;
    close(keeper);
}

int command_launch_child(int argc, char **argv)
{
    if (argc < 4) {
        fputs("weir launch-child is what `weir launch` starts processes by\n", stderr);
        return 2;
    }
    if (prctl(PR_SET_PDEATHSIG, SIGKILL))
        fprintf(stderr, "weir launch: %s may outlive the launcher: %s\n", argv[3],
                strerror(errno));
    if (getppid() != atoi(argv[1])) /* it has died already, before it could be asked for */
        return 128 + SIGKILL;
    signal(SIGPIPE, SIG_IGN);
    tell_keeper(atoi(argv[2]));
    signal(SIGPIPE, SIG_DFL);
    execvp(argv[3], argv + 3);
    fprintf(stderr, "weir launch: cannot run `%s`: %s\n", argv[3], strerror(errno));
    return errno == ENOENT ? 127 : 126;
}

/* ---- weir launch-keeper ----------------------------------------------------------------- */

static void remove_folder(const char *path)
{
    DIR *folder = opendir(path);
    if (!folder)
        return;
    for (struct dirent *entry; (entry = readdir(folder));)
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(folder), entry->d_name, 0);
    closedir(folder);
    rmdir(path);
}

struct keeper {
    pid_t *groups;
    unsigned count, capacity;
    char folder[64];
};

static void forget(struct keeper *self, pid_t group)
{
    for (unsigned i = 0; i < self->count; i++)
        if (self->groups[i] == group)
            self->groups[i] = self->groups[--self->count];
}

/* "+GROUP", "-GROUP" or "/FOLDER". */
static void obey(struct keeper *self, const char *line)
{
    pid_t group = atoi(line + 1);
    if (*line == '/') {
        snprintf(self->folder, sizeof self->folder, "%.63s", line);
    } else if (*line == '+' && group > 1) {
        wi_grow(&self->groups, &self->capacity, self->count + 1, sizeof *self->groups);
        self->groups[self->count++] = group;
    } else if (*line == '-') {
        forget(self, group);
    }
}

int command_launch_keeper(int argc, char **argv)
{
    (void)argv;
    struct keeper self = {0};
    char line[128];
    sigset_t all;
    if (argc != 1)
        return 2;
    sigfillset(&all); /* it ends with its pipe and not before */
    sigprocmask(SIG_SETMASK, &all, NULL);
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        obey(&self, line);
    }
    for (unsigned i = 0; i < self.count; i++)
        kill(-self.groups[i], SIGKILL);
    if (*self.folder)
        remove_folder(self.folder);
    wi_free(self.groups);
    return 0;
}

/* ---- the launcher's side ---------------------------------------------------------------- */

bool launch_guard_start(struct launch *launch)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC)) {
        launch_say("no pipe can be made: %s", strerror(errno));
        return false;
    }
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    posix_spawn_file_actions_addchdir_np(&actions, "/");
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
    /* By another name: `pkill -9 -f "weir launch"` is not for it. */
    char name[] = "weir-keeper", command[] = "launch-keeper", *argv[] = {name, command, NULL};
    int failed = posix_spawn(&launch->guard_pid, "/proc/self/exe", &actions, &attributes, argv,
                             environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[0]);
    launch->guard = ends[1];
    if (failed)
        launch_say("no process can be started: %s", strerror(failed));
    return !failed;
}

void launch_guard_words(const struct launch *launch, char **words_out)
{
    char parent[16], keeper[16];
    snprintf(parent, sizeof parent, "%d", (int)getpid());
    snprintf(keeper, sizeof keeper, "%d", launch->guard);
    words_out[0] = wi_strdup("weir");
    words_out[1] = wi_strdup("launch-child");
    words_out[2] = wi_strdup(parent);
    words_out[3] = wi_strdup(keeper);
}

/* A keeper that was killed is missed only if this process is killed too. */
static void tell(struct launch *launch, const char *line)
{
    if (launch->guard >= 0 && write(launch->guard, line, strlen(line)) < 0) {
        close(launch->guard);
        launch->guard = -1;
    }
}

void launch_guard_forget(struct launch *launch, pid_t group)
{
    char line[32];
    snprintf(line, sizeof line, "-%d\n", (int)group);
    tell(launch, line);
}

void launch_guard_folder(struct launch *launch)
{
    char line[80];
    snprintf(line, sizeof line, "%s\n", launch->folder);
    tell(launch, line);
}

void launch_guard_end(struct launch *launch)
{
    if (launch->guard >= 0)
        close(launch->guard);
    launch->guard = -1;
    if (launch->guard_pid > 0)
        while (waitpid(launch->guard_pid, NULL, 0) < 0 && errno == EINTR)
            ;
}
