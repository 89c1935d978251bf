/* The command line of `weir launch`, made into a plan and checked as far as can be before
 * anything is started. */
#include "launch.h"

#include "base/alloc.h"
#include "runtime/place.h"

#include <weir/worker.h>

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    NAME_BYTES_MAX = 64,
    KEY_BYTES_MIN = 16, /* as net/secret.c has it; here it is said before anything starts */
    BUDGET = 3,
    BUDGET_MAX = 1000000,
    WINDOW_S = 600,
    GRACE_S = 10,
    SECONDS_MAX = 1000000,
};

static void print_help(FILE *to)
{
    fprintf(to,
            "usage: weir launch -n N [options] [--] PROGRAM [ARGUMENT]...\n\n"
            "Starts N processes of a program, which run as one cluster, and ends when they have.\n"
            "When one fails, the others are stopped, and its exit status is the launcher's.\n\n"
            "  -n, --processes N       how many (default: as many as --hosts has room for, or 1)\n"
            "  -w, --workers N         worker threads of each (default: the program's)\n"
            "      --hosts FILE        run them on these hosts, through ssh: one a line,\n"
            "                          [USER@]HOST[:PORT] [slots=N]\n"
            "      --ssh COMMAND       how to reach a host (default: ssh -o BatchMode=yes)\n"
            "      --port P            with --hosts: the first process of a host listens at P,\n"
            "                          the next at P + 1 (default: WEIR_PORT, or %d)\n"
            "      --transport T       on this host: abstract (default), ipc, tcp or tls\n"
            "      --key-file FILE     the key that all share, of mode 0600 (with --hosts, the\n"
            "                          default is a new one for each launch)\n"
            "      --cluster NAME      its name (default: one that no other launch has)\n"
            "      --restart WHEN      never (default), or on-failure: start all of them again\n"
            "      --restart-budget N  give up after N restarts ... (default %d)\n"
            "      --restart-window S  ... within S seconds (default %d)\n"
            "      --grace S           seconds between a request to end and the end by force\n"
            "                          (default %d; 2 once one has failed)\n"
            "      --prefix            the number of its process before each line of output\n"
            "                          (default: if standard output is a terminal)\n"
            "      --no-prefix         output as it is\n"
            "      --json[=FILE]       a summary as a last line of output, or in a file\n"
            "      --dry-run           print what would be started\n"
            "  -h, --help\n\n"
            "Standard input goes to process 0. INT, TERM, HUP and QUIT are passed on; a second\n"
            "INT or TERM ends everything at once. USR1 and USR2 are passed on too.\n"
            "The exit status is that of the first process to fail, 128 + N if signal N ended it;\n"
            "2 if the command line was not understood, 71 if the system cannot start processes.\n",
            WI_PORT, BUDGET, WINDOW_S, GRACE_S);
}

/* ---- values ----------------------------------------------------------------------------- */

static bool read_count(const char *option, const char *text, unsigned min, unsigned max,
                       unsigned *count_out)
{
    uint64_t count;
    bool good = wi_hosts_number(text, max, &count) && count >= min;
    if (good)
        *count_out = (unsigned)count;
    else
        launch_say("--%s takes a whole number from %u to %u, not `%s`", option, min, max, text);
    return good;
}

static bool read_seconds(const char *option, const char *text, double *seconds_out)
{
    char *end;
    double seconds = strtod(text, &end);
    bool good = *text >= '0' && *text <= '9' && !*end && seconds >= 0 && seconds <= SECONDS_MAX;
    if (good)
        *seconds_out = seconds;
    else
        launch_say("--%s takes seconds from 0 to %d, not `%s`", option, SECONDS_MAX, text);
    return good;
}

static bool read_choice(const char *option, const char *text, const char *const *choices,
                        unsigned *choice_out)
{
    for (unsigned i = 0; choices[i]; i++)
        if (!strcmp(text, choices[i])) {
            *choice_out = i;
            return true;
        }
    char list[64] = "";
    for (unsigned i = 0; choices[i]; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i ? ", " : "",
                 choices[i]);
    launch_say("--%s is one of %s, not `%s`", option, list, text);
    return false;
}

static bool is_name(const char *name)
{
    size_t length = strlen(name);
    return length >= 1 && length <= NAME_BYTES_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") == length;
}

static bool read_name(const char *text, struct launch_plan *plan)
{
    if (is_name(text))
        strcpy(plan->name, text);
    else
        launch_say("--cluster takes a name of 1 to %d of a-z, 0-9, dot, dash and underscore, not "
                   "`%s`",
                   NAME_BYTES_MAX, text);
    return *plan->name;
}

/* False after saying what is wrong. */
static bool report(weir_err *err)
{
    if (err)
        launch_say("%s", weir_err_message(err));
    weir_err_free(err);
    return !err;
}

/* ---- options ---------------------------------------------------------------------------- */

enum option_id {
    TRANSPORT = 256,
    HOSTS,
    SSH,
    PORT,
    KEY_FILE,
    CLUSTER,
    RESTART,
    BUDGET_OPTION,
    WINDOW,
    GRACE,
    PREFIX,
    NO_PREFIX,
    JSON,
    DRY_RUN
};

static const struct option options[] = {
    {"processes", required_argument, NULL, 'n'},
    {"workers", required_argument, NULL, 'w'},
    {"help", no_argument, NULL, 'h'},
    {"transport", required_argument, NULL, TRANSPORT},
    {"hosts", required_argument, NULL, HOSTS},
    {"ssh", required_argument, NULL, SSH},
    {"port", required_argument, NULL, PORT},
    {"key-file", required_argument, NULL, KEY_FILE},
    {"cluster", required_argument, NULL, CLUSTER},
    {"restart", required_argument, NULL, RESTART},
    {"restart-budget", required_argument, NULL, BUDGET_OPTION},
    {"restart-window", required_argument, NULL, WINDOW},
    {"grace", required_argument, NULL, GRACE},
    {"prefix", no_argument, NULL, PREFIX},
    {"no-prefix", no_argument, NULL, NO_PREFIX},
    {"json", optional_argument, NULL, JSON},
    {"dry-run", no_argument, NULL, DRY_RUN},
    {NULL, 0, NULL, 0},
};

struct said {
    bool transport, grace, restarts;
    const char *ssh;
    unsigned port;
};

static bool take_transport(const char *text, struct launch_plan *plan)
{
    static const char *const transports[] = {"abstract", "tcp", "tls", "ipc", NULL};
    unsigned choice = 0;
    bool good = read_choice("transport", text, transports, &choice);
    plan->transport = (enum launch_transport)choice;
    return good;
}

static bool take_restart(const char *text, struct launch_plan *plan)
{
    static const char *const policies[] = {"never", "on-failure", NULL};
    unsigned choice = 0;
    bool good = read_choice("restart", text, policies, &choice);
    plan->restart = choice;
    return good;
}

static bool take_ssh(const char *text)
{
    bool good = text[strspn(text, " ")];
    if (!good)
        launch_say("--ssh takes a command, not `%s`", text);
    return good;
}

static bool take_prefix(struct launch_plan *plan, bool prefix)
{
    plan->prefix = prefix;
    plan->prefix_said = true;
    return true;
}

static bool take(int option, struct launch_plan *plan, struct said *said)
{
    switch (option) {
    case 'n': return read_count("processes", optarg, 1, WI_PROCESSES_MAX, &plan->processes);
    case 'w': return read_count("workers", optarg, 1, WEIR_WORKERS_MAX, &plan->workers);
    case TRANSPORT: said->transport = true; return take_transport(optarg, plan);
    case HOSTS: return report(wi_hosts_read_file(optarg, &plan->hosts));
    case SSH: said->ssh = optarg; return take_ssh(optarg);
    case PORT: return read_count("port", optarg, 1, 65535, &said->port);
    case KEY_FILE: plan->key_file = optarg; return true;
    case CLUSTER: return read_name(optarg, plan);
    case RESTART: return take_restart(optarg, plan);
    case BUDGET_OPTION:
        said->restarts = true;
        return read_count("restart-budget", optarg, 0, BUDGET_MAX, &plan->restart_budget);
    case WINDOW:
        said->restarts = true;
        return read_seconds("restart-window", optarg, &plan->restart_window_s);
    case GRACE: return read_seconds("grace", optarg, &plan->grace_s);
    case PREFIX: return take_prefix(plan, true);
    case NO_PREFIX: return take_prefix(plan, false);
    case JSON: plan->json = true; plan->json_path = optarg; return true;
    case DRY_RUN: plan->dry_run = true; return true;
    default: fputs("`weir launch --help` lists the options\n", stderr); return false;
    }
}

/* ---- what follows from them ------------------------------------------------------------- */

static bool check_said(const struct launch_plan *plan, const struct said *said)
{
    bool remote = plan->hosts.count;
    const char *useless = remote && said->transport              ? "--transport"
                          : !remote && said->ssh                 ? "--ssh"
                          : !remote && said->port                ? "--port"
                          : !plan->restart && said->restarts     ? "--restart-budget/-window"
                                                                 : NULL;
    if (useless)
        launch_say("%s has no effect %s; leave it out", useless,
                   remote            ? "with --hosts (links are tcp)"
                   : said->restarts ? "without --restart on-failure"
                                    : "without --hosts");
    return !useless;
}

static bool random_text(char *text, unsigned bytes)
{
    unsigned char random[64];
    if (getrandom(random, bytes, 0) != (ssize_t)bytes) {
        launch_say("the system gives no random numbers: %s", strerror(errno));
        return false;
    }
    for (unsigned i = 0; i < bytes; i++)
        sprintf(text + 2 * i, "%02x", random[i]);
    return true;
}

/* The program's name and something that no other launch has. */
static bool make_name(struct launch_plan *plan)
{
    const char *slash = strrchr(plan->program[0], '/');
    const char *base = slash ? slash + 1 : plan->program[0];
    unsigned length = 0;
    for (; *base && length < NAME_BYTES_MAX / 2; base++)
        if (strchr("abcdefghijklmnopqrstuvwxyz0123456789._-", *base))
            plan->name[length++] = *base;
    if (length)
        plan->name[length++] = '-';
    return random_text(plan->name + length, 4);
}

/* Keys are for no other eyes, and are lines of text. */
static bool read_key(const char *path, struct launch_plan *plan)
{
    struct stat info;
    FILE *file = fopen(path, "re");
    if (!file || fstat(fileno(file), &info)) {
        launch_say("the key file `%s` cannot be read: %s", path, strerror(errno));
        if (file)
            fclose(file);
        return false;
    }
    size_t got = fread(plan->key, 1, sizeof plan->key, file);
    fclose(file);
    bool fits = got < sizeof plan->key;
    plan->key[fits ? got : 0] = 0;
    plan->key[strcspn(plan->key, "\r\n")] = 0;
    if (info.st_mode & 077)
        launch_say("the key file `%s` can be read by others; chmod 600 it", path);
    else if (strlen(plan->key) < KEY_BYTES_MIN)
        launch_say("the key file `%s` does not hold one line of %d to %zu characters", path,
                   KEY_BYTES_MIN, sizeof plan->key - 1);
    return !(info.st_mode & 077) && strlen(plan->key) >= KEY_BYTES_MIN;
}

static bool has_certificate(void)
{
    const char *certificate = getenv("WEIR_TLS_CERTIFICATE");
    return certificate && *certificate;
}

/* Beyond this host there has to be a key (or certificates). */
static bool find_key(struct launch_plan *plan)
{
    const char *file = plan->key_file ? plan->key_file : getenv("WEIR_KEY_FILE");
    const char *key = getenv("WEIR_KEY");
    if (!plan->hosts.count)
        return true;
    if (file && *file)
        return read_key(file, plan);
    size_t bytes = key ? strlen(key) : 0;
    if (bytes && (bytes < KEY_BYTES_MIN || bytes >= sizeof plan->key || strpbrk(key, "\r\n"))) {
        launch_say("WEIR_KEY is not one line of %d to %zu characters", KEY_BYTES_MIN,
                   sizeof plan->key - 1);
        return false;
    }
    if (bytes) {
        strcpy(plan->key, key);
        return true;
    }
    return has_certificate() || random_text(plan->key, 32);
}

/* Cuts the list to as many processes as there are to be. */
static bool fit_hosts(struct launch_plan *plan)
{
    unsigned slots = wi_hosts_slots(&plan->hosts), left;
    if (!plan->processes)
        plan->processes = slots;
    if (plan->processes > slots || plan->processes > WI_PROCESSES_MAX) {
        launch_say("%u processes do not fit the %u slots of --hosts (at most %d); add hosts, or "
                   "slots=N after one",
                   plan->processes, slots, WI_PROCESSES_MAX);
        return false;
    }
    left = plan->processes;
    for (uint32_t i = 0; i < plan->hosts.count; i++) {
        wi_host *host = &plan->hosts.at[i];
        host->slots = host->slots < left ? host->slots : left;
        left -= host->slots;
        if (host->is_url) {
            launch_say("--hosts has the URL %s; name the host", host->name);
            return false;
        }
        if (host->slots && !strcmp(host->name, "localhost") && plan->hosts.count > 1) {
            launch_say("--hosts has localhost beside others, to which it is another host; say "
                       "the name that they know it by");
            return false;
        }
    }
    return true;
}

static bool find_urls(struct launch_plan *plan, const struct said *said)
{
    uint32_t port = said->port, count;
    if (!port && !report(wi_hosts_port(&port)))
        return false;
    return report(wi_hosts_urls(&plan->hosts, has_certificate(), port, &plan->urls, &count));
}

/* So that nothing is started at all, on many hosts perhaps, when there is no such program. */
static int find_program(const struct launch_plan *plan)
{
    const char *program = plan->program[0], *path = getenv("PATH");
    char tried[4096];
    if (launch_host(plan, 0))
        return -1;
    if (strchr(program, '/')) {
        if (!access(program, X_OK))
            return -1;
        launch_say("cannot run `%s`: %s", program, strerror(errno));
        return errno == ENOENT ? 127 : 126;
    }
    for (const char *at = path ? path : "/usr/bin:/bin"; *at;) {
        size_t length = strcspn(at, ":");
        snprintf(tried, sizeof tried, "%.*s/%s", (int)length, at, program);
        if (!access(tried, X_OK))
            return -1;
        at += length + (at[length] == ':');
    }
    launch_say("cannot run `%s`: there is no such program in PATH", program);
    return 127;
}

const wi_host *launch_host(const struct launch_plan *plan, unsigned process)
{
    uint32_t before = 0;
    for (uint32_t i = 0; i < plan->hosts.count; i++) {
        before += plan->hosts.at[i].slots;
        if (process < before)
            return strcmp(plan->hosts.at[i].name, "localhost") ? &plan->hosts.at[i] : NULL;
    }
    return NULL;
}

int launch_options(int argc, char **argv, struct launch_plan *plan)
{
    struct said said = {0};
    *plan = (struct launch_plan){.restart_budget = BUDGET,
                                 .restart_window_s = WINDOW_S,
                                 .grace_s = GRACE_S};
    int option;
    argv[0] = (char *)"weir launch"; /* as getopt names us */
    while ((option = getopt_long(argc, argv, "+n:w:h", options, NULL)) != -1) {
        if (option == 'h') {
            print_help(stdout);
            return 0;
        }
        if (!take(option, plan, &said))
            return 2;
    }
    plan->program = argv + optind;
    if (!*plan->program) {
        launch_say("which program? `weir launch -n 4 -- ./program`");
        return 2;
    }
    plan->ssh = said.ssh ? said.ssh : "ssh -o BatchMode=yes";
    if (!check_said(plan, &said) || (plan->hosts.count && !fit_hosts(plan)))
        return 2;
    plan->processes = plan->processes ? plan->processes : 1;
    if (!plan->prefix_said)
        plan->prefix = plan->processes > 1 && isatty(STDOUT_FILENO);
    if (!*plan->name && !make_name(plan))
        return 71;
    if (!find_key(plan) || (plan->hosts.count && !find_urls(plan, &said)))
        return 2;
    return find_program(plan);
}
