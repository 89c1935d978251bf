/* The command line of programs: what is read, what is left, what is refused. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/execution.h"

typedef struct own {
    const char *edges;
    uint64_t depth;
    bool loud;
} own;

typedef struct parsed {
    own own;
    weir_config config;
    weir_err *err;
    char *argv[16];
    int argc;
} parsed;

/* Arguments are words between spaces. */
static parsed parse(const char *line)
{
    static char copy[256];
    parsed p = {.own = {.edges = "none", .depth = 7}};
    const weir_option options[] = {
        {.name = "edges",
         .letter = 'e',
         .value = "FILE",
         .help = "the edges",
         .text = &p.own.edges},
        {.name = "depth", .value = "N", .help = "how deep", .number = &p.own.depth},
        {.name = "loud", .letter = 'l', .help = "say more", .flag = &p.own.loud},
        {0}};
    strcpy(copy, line);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
        p.argv[p.argc++] = strcmp(word, "''") ? word : word + 2;
    p.err = weir_options(&p.argc, p.argv, "Finds what can be reached.", options, &p.config);
    return p;
}

START_TEST(options_are_read_and_the_rest_is_left)
{
    parsed p = parse("prog");
    ck_assert_ptr_null(p.err);
    ck_assert_uint_eq(p.config.workers, 0);
    ck_assert_int_eq(p.argc, 1);
    ck_assert(!p.config.pin && !p.config.deterministic && !p.config.seed && !p.own.loud);
    ck_assert_str_eq(p.own.edges, "none");
    ck_assert_uint_eq(p.own.depth, 7);

    p = parse("prog first -w 3 --pin second --deterministic --seed 18446744073709551615 "
              "--edges=file.txt -l --depth 0 -- --third -w");
    ck_assert_msg(!p.err, "%s", weir_err_message(p.err));
    ck_assert_uint_eq(p.config.workers, 3);
    ck_assert(p.config.pin && p.config.deterministic && p.own.loud);
    ck_assert_uint_eq(p.config.seed, UINT64_MAX);
    ck_assert_str_eq(p.own.edges, "file.txt");
    ck_assert_uint_eq(p.own.depth, 0);
    ck_assert_int_eq(p.argc, 5);
    ck_assert_str_eq(p.argv[0], "prog");
    ck_assert_str_eq(p.argv[1], "first");
    ck_assert_str_eq(p.argv[2], "second");
    ck_assert_str_eq(p.argv[3], "--third");
    ck_assert_str_eq(p.argv[4], "-w");
    ck_assert_ptr_null(p.argv[5]);

    p = parse("prog -lw64 -e -"); /* letters together; the last one wins */
    ck_assert_msg(!p.err, "%s", weir_err_message(p.err));
    ck_assert_uint_eq(p.config.workers, 64);
    ck_assert_str_eq(p.own.edges, "-");
    p = parse("prog -w1 -w 2 --workers=5");
    ck_assert_uint_eq(p.config.workers, 5);
}
END_TEST

typedef struct refused {
    const char *line, *parts[3];
} refused;

static const refused refusals[] = {
    {"prog -w 0", {"--workers", "1 to 64", "`0`"}},
    {"prog -w x", {"--workers", "whole number", "`x`"}},
    {"prog -w 65", {"--workers", "1 to 64", "`65`"}},
    {"prog -w -1", {"--workers", "`-1`"}},
    {"prog -w 2x", {"--workers", "`2x`"}},
    {"prog -w 1.5", {"--workers", "`1.5`"}},
    {"prog -w +2", {"--workers", "`+2`"}},
    {"prog -w ''", {"--workers", "``"}},
    {"prog --workers= --pin", {"--workers", "``"}},
    {"prog -w 99999999999999999999", {"--workers", "`99999999999999999999`"}},
    {"prog -w", {"option -w needs a value", "prog --help"}},
    {"prog --workers", {"option --workers needs a value", "prog --help"}},
    {"prog --seed -1", {"--seed", "`-1`"}},
    {"prog --seed 18446744073709551616", {"--seed", "`18446744073709551616`"}},
    {"prog --seed", {"option --seed needs a value"}},
    {"prog --pin --seed", {"option --seed needs a value"}},
    {"prog --bogus", {"unknown option --bogus", "prog --help"}},
    {"prog file --bogus", {"unknown option --bogus"}},
    {"prog file other --bogus=3 -w 2", {"unknown option --bogus=3"}},
    {"prog -x", {"unknown option -x"}},
    {"prog file -lx", {"unknown option -x"}},
    {"prog -w 2 file -l -q more", {"unknown option -q"}},
    {"prog --pin=3", {"--pin", "no value"}},
    {"prog file --loud=very", {"--loud", "no value"}},
    {"prog --depth many", {"--depth", "whole number", "`many`"}},
    {"prog --depth", {"option --depth needs a value"}},
    {"prog -e", {"option -e needs a value"}},
};

START_TEST(malformed_options_are_refused)
{
    const refused *r = &refusals[_i];
    parsed p = parse(r->line);
    ck_assert_msg(p.err != NULL, "`%s` is accepted", r->line);
    for (int i = 0; i < 3 && r->parts[i]; i++)
        ck_assert_msg(strstr(weir_err_message(p.err), r->parts[i]) != NULL, "`%s`: %s", r->line,
                      weir_err_message(p.err));
    weir_err_free(p.err);
}
END_TEST

static int parse_in_child(void *line)
{
    parsed p = parse(line);
    weir_err_free(p.err);
    return 9;
}

START_TEST(help_and_version_say_so_and_exit)
{
    test_child child = test_child_run(parse_in_child, (void *)"prog -w 3 --help");
    ck_assert_int_eq(child.code, 0);
    ck_assert_str_eq(child.err, "");
    static const char *const parts[] = {"Usage: prog",      "Finds what can be reached.",
                                        "-e, --edges FILE", "the edges",
                                        "--depth N",        "-l, --loud",
                                        "-w, --workers N",  "--pin",
                                        "--seed S",         "--version",
                                        "-h, --help",       "--deterministic"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        ck_assert_msg(strstr(child.out, parts[i]) != NULL, "`%s` is not in %s", parts[i],
                      child.out);
    test_child_free(&child);
    child = test_child_run(parse_in_child, (void *)"prog --version");
    ck_assert_int_eq(child.code, 0);
    ck_assert_str_eq(child.out, "weir " WEIR_VERSION "\n");
    test_child_free(&child);
}
END_TEST

/* ---- whole programs ------------------------------------------------------------------------ */

static void build_hello(weir_dataflow *flow, void *arg)
{
    (void)arg;
    weir_print(weir_from_rows(flow, &num_type, (num[]){{1}, {2}}, 2), stdout);
    if (weir_argument(flow, 0) && !strcmp(weir_argument(flow, 0), "fail"))
        weir_scope_fail(flow, "it was asked to fail");
    if (weir_argument(flow, 1))
        weir_scope_fail(flow, "there is `%s`", weir_argument(flow, 1));
}

static int hello(void *line)
{
    static char copy[64], *argv[8];
    int argc = 0;
    strcpy(copy, line);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    return weir_main(argc, argv, build_hello, NULL);
}

typedef struct outcome {
    const char *line;
    int code;
    const char *out, *err;
} outcome;

static const outcome outcomes[] = {
    {"hello", 0, "1\n2\n", ""},
    {"hello -w 3", 0, "1\n2\n", ""},
    {"hello -w 3 --deterministic --seed 4", 0, "1\n2\n", ""},
    {"hello -w 2 --pin", 0, "1\n2\n", ""},
    {"hello -w 0", 2, "", "--workers"},
    {"hello --bogus", 2, "", "unknown option --bogus"},
    {"hello fail", 1, "", "it was asked to fail"},
    {"hello -w 2 fail", 1, "", "it was asked to fail"},
    {"hello a -w 2 b", 1, "", "there is `b`"},
};

START_TEST(programs_exit_with_what_came_of_them)
{
    const outcome *o = &outcomes[_i];
    test_child child = test_child_run(hello, (void *)o->line);
    ck_assert_msg(child.code == o->code, "`%s` exits with %d: %s", o->line, child.code, child.err);
    ck_assert_str_eq(child.out, o->out);
    ck_assert_msg(strstr(child.err, o->err) != NULL, "%s", child.err);
    if (!*o->err && !test_sanitized()) /* a sanitizer has its own remarks on fibers */
        ck_assert_str_eq(child.err, "");
    test_child_free(&child);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("options");
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, options_are_read_and_the_rest_is_left);
    tcase_add_loop_test(cases, malformed_options_are_refused, 0,
                        (int)(sizeof refusals / sizeof *refusals));
    tcase_add_test(cases, help_and_version_say_so_and_exit);
    tcase_add_loop_test(cases, programs_exit_with_what_came_of_them, 0,
                        (int)(sizeof outcomes / sizeof *outcomes));
    return test_main("options", cases);
}
