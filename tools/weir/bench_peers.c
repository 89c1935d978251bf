/* Finds tests/peers in the source tree and has cargo build it. */
#include "bench.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BUILD_TIMEOUT_S = 1800 };

const char *bench_self(void)
{
    static char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    path[length > 0 ? length : 0] = 0;
    return path;
}

/* The folder above `path` (or itself) that has tests/peers in it; path is cut to it. */
static bool find_root(char *path)
{
    for (;;) {
        char manifest[PATH_MAX + 32];
        snprintf(manifest, sizeof manifest, "%s/tests/peers/Cargo.toml", path);
        if (!access(manifest, R_OK))
            return true;
        char *slash = strrchr(path, '/');
        if (!slash)
            return false;
        *slash = 0;
    }
}

static bool program_exists(const char *path)
{
    return !access(path, X_OK);
}

char *bench_peers_build(void)
{
    char root[PATH_MAX];
    snprintf(root, sizeof root, "%s", bench_self());
    if (!find_root(root) && (!getcwd(root, sizeof root) || !find_root(root))) {
        fprintf(stderr, "weir bench: --peers needs tests/peers of the source tree: run the weir "
                        "that is built there, or run it there\n");
        return NULL;
    }
    char *folder, *program;
    const char *target = getenv("CARGO_TARGET_DIR");
    if (asprintf(&folder, "%s/tests/peers", root) < 0 ||
        (target && *target ? asprintf(&program, "%s/release/timely-peer", target)
                           : asprintf(&program, "%s/build/peers/release/timely-peer", root)) < 0)
        return NULL;

    if (!program_exists(program))
        fprintf(stderr, "weir bench: building the peers, once (cargo, a minute or two)\n");
    const char *cargo[] = {"cargo", "build", "--release", "--locked", "--quiet", NULL};
    const char *problem =
        bench_children(&(const char *const *){cargo}, 1, folder, BUILD_TIMEOUT_S, NULL, NULL);
    free(folder);
    if (problem && !program_exists(program)) {
        fprintf(stderr,
                "weir bench: the peers cannot be built: %s\n"
                "The peers are Rust programs: they need cargo 1.86 or later (rustup installs it)\n"
                "and, the first time, the network. Without --peers weir is measured alone.\n",
                problem);
        free(program);
        return NULL;
    }
    if (problem)
        fprintf(stderr, "weir bench: %s; measuring the peers as they were last built\n", problem);
    return program;
}
