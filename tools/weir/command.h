/* The subcommands of `weir`. Each gets its own words (argv[0] is the subcommand's name) and
 * returns the exit status: 0 for success, 1 for failure, 2 for words it did not understand. */
#ifndef WEIR_TOOLS_COMMAND_H
#define WEIR_TOOLS_COMMAND_H

int command_bench(int argc, char **argv);
/* One run of one figure in a process of its own, as `weir bench` starts it. */
int command_bench_run(int argc, char **argv);

int command_launch(int argc, char **argv);
/* What `weir launch` starts: each process, and what ends all of them after it (launch_guard.c). */
int command_launch_child(int argc, char **argv);
int command_launch_keeper(int argc, char **argv);

int command_window(int argc, char **argv);

#endif
