/* The `weir` command: finds the subcommand in a table and hands it the rest of the line. */
#include "command.h"

#include <weir/base.h>

#include <stdio.h>
#include <string.h>

static const struct command {
    const char *name;
    const char *summary; /* NULL: for weir's own use, not listed */
    int (*run)(int argc, char **argv);
} commands[] = {
    {"bench", "measure weir, and its peers beside it", command_bench},
    {"bench-run", NULL, command_bench_run},
    {"launch", "run a program as several processes, here or on other hosts", command_launch},
    {"launch-child", NULL, command_launch_child},
    {"launch-keeper", NULL, command_launch_keeper},
    {"window", "event-time windows over a file", command_window},
};

enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

static void print_help(FILE *to)
{
    fputs("usage: weir COMMAND [options]\n\ncommands:\n", to);
    for (unsigned i = 0; i < COMMAND_COUNT; i++)
        if (commands[i].summary)
            fprintf(to, "  %-8s %s\n", commands[i].name, commands[i].summary);
    fputs("\n`weir COMMAND --help` says more. `weir --version` prints the version.\n", to);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return 2;
    }
    const char *name = argv[1];
    if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) {
        print_help(stdout);
        return 0;
    }
    if (!strcmp(name, "--version") || !strcmp(name, "-V")) {
        printf("weir %s\n", WEIR_VERSION);
        return 0;
    }
    for (unsigned i = 0; i < COMMAND_COUNT; i++)
        if (!strcmp(name, commands[i].name))
            return commands[i].run(argc - 1, argv + 1);
    fprintf(stderr, "weir: no %s '%s'; `weir --help` lists what there is\n",
            name[0] == '-' ? "option" : "command", name);
    return 2;
}
