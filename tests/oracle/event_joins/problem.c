/* Making a random problem. */
#include "problem.h"

static const char *const keys[KEYS] = {"", "k", "a key of some length", "another of that length",
                                       "twelve bytes"};
static const char *const notes[NOTES] = {"", "x", "a note longer than a handle",
                                         "a note longer than a handle, yes", "thirteen byte"};

/* ---- kernels ---------------------------------------------------------------------------- */

WEIR_JOIN(pair_all, event, other, match)
{
    make_match(a, b, out);
}

WEIR_JOIN_SOME(pair_some, event, other, match)
{
    return make_match(a, b, out);
}

WEIR_MAP(a_alone, event, match)
{
    *out = (match){.key = in->key, .a = in->at, .sum = in->value * 10, .note = in->note};
}

WEIR_MAP(b_alone, other, match)
{
    *out = (match){.key = in->key, .b = in->when, .sum = in->value, .note = in->note};
}

/* ---- rows -------------------------------------------------------------------------------- */

static void make_row(row *to, __int128 now, uint64_t key_count, uint64_t spread, uint64_t behind,
                     bool retracting)
{
    to->stamp = saturated(now);
    to->time = saturated(now + (__int128)draw(spread) - (__int128)draw(behind));
    to->key = (uint32_t)draw(key_count);
    to->diff = retracting && draw(3) == 0 ? (int64_t)draw(4) - 2 : 1;
    to->diff += to->diff == 0;
    int64_t value = (int64_t)draw(3);
    weir_text note = weir_text_c(notes[draw(NOTES)]), key = weir_text_c(keys[to->key]);
    to->event = (event){key, to->time, value, note};
    to->other = (other){.note = note, .value = value, .key = key, .when = to->time};
}

/* Some rows are taken away later. */
static void make_side(side *of, __int128 now, uint64_t spread, uint64_t key_count)
{
    uint64_t pace = 1 + draw(4), retracting = draw(3), behind = 1 + draw(draw(2) ? 10 : 40);
    of->count = (uint32_t)draw(draw(3) ? 25 : ROWS_MAX);
    for (uint32_t i = 0; i < of->count; i++) {
        now += (__int128)(draw(pace + 1) * draw(2));
        row *to = &of->rows[i];
        make_row(to, now, key_count, spread, behind, retracting);
        if (i && retracting && draw(3) == 0) {
            *to = of->rows[i - 1 - draw(i < 6 ? i : 6)];
            to->stamp = saturated(now);
            to->diff = -to->diff;
        }
    }
}

/* Rows are there until `value`. Those that are the same but for that stay the same. */
static void make_ends(side *of)
{
    uint64_t longest = 1 + draw(40);
    for (uint32_t i = 0; i < of->count; i++) {
        event *to = &of->rows[i].event;
        to->value = saturated((__int128)to->at + (__int128)(to->note.length * 7 % longest) - 3 +
                              to->value);
        if (to->note.length == 1)
            to->value = INT64_MAX;
    }
}

static int64_t lateness(void)
{
    return draw(3) == 0 ? 0 : draw(8) == 0 ? INT64_MAX - (int64_t)draw(50) : (int64_t)draw(40);
}

static void make_windows(weir_window_match *how)
{
    weir_windows *windows = &how->windows;
    windows->kind = draw(8) == 0 ? WEIR_GLOBAL : (weir_window_kind)draw(3);
    windows->gap = 1 + (int64_t)draw(draw(2) ? 4 : 20);
    windows->time = "at";
    windows->size = 1 + (int64_t)draw(draw(3) ? 12 : 60);
    windows->slide = 1 + (int64_t)draw((uint64_t)windows->size);
    windows->lateness = lateness();
    how->b_time = "when";
    how->start = draw(2) ? "start" : NULL;
    how->end = draw(2) ? "end" : NULL;
    how->a_alone = draw(2) ? &a_alone : NULL;
    how->b_alone = draw(2) ? &b_alone : NULL;
}

int64_t lateness_of(const problem *of)
{
    return of->what == INTERVAL ? of->interval.lateness
           : of->what == WINDOW ? of->window.windows.lateness
           : of->what == AS_OF  ? of->latest.lateness
           : of->what == DEDUPLICATE ? of->duplicates.lateness
                                     : INT64_MAX;
}

static void find_late(problem *of)
{
    for (int s = 0; s < 2; s++)
        for (uint32_t i = 0; i < of->sides[s].count; i++) {
            row *at = &of->sides[s].rows[i];
            int64_t last = of->what == WINDOW ? last_window_of(of, at->time) : at->time;
            at->late = saturated((__int128)last + lateness_of(of)) < at->stamp;
        }
}

void make_problem(problem *of)
{
    *of = (problem){.what = (what)draw(WHATS),
                    .flush_every = 1 + (uint32_t)draw(10),
                    .step_every = 1 + (uint32_t)draw(10),
                    .step_other = 1 + (uint32_t)draw(10)};
    of->kernel = draw(2) ? &pair_all : &pair_some;
    int64_t from = (int64_t)draw(30) - 15;
    of->interval = (weir_interval){"at", "when", .from = from, .lateness = lateness()};
    of->interval.until = from + (int64_t)draw(20);
    of->interval.a_alone = draw(3) == 0 ? &a_alone : NULL;
    of->interval.b_alone = draw(3) == 0 ? &b_alone : NULL;
    if (draw(10) == 0)
        of->interval.until = INT64_MAX;
    if (draw(10) == 0)
        of->interval.from = INT64_MIN;
    of->latest = (weir_latest){"at",
                               "when",
                               .strict = draw(2),
                               .limited = draw(2),
                               .tolerance = (int64_t)draw(15),
                               .lateness = lateness(),
                               .alone = draw(2) ? &a_alone : NULL};
    of->duplicates = (weir_duplicates){"at", (weir_keep)draw(3), 1 + (int64_t)draw(20), lateness()};
    if (draw(10) == 0)
        of->duplicates.within = INT64_MAX;
    make_windows(&of->window);
    int64_t base = draw(6) ? (int64_t)draw(40) - 20 : draw(2) ? INT64_MAX - 60 : INT64_MIN + 3;
    uint64_t spread = 1 + draw(30), key_count = 1 + draw(KEYS);
    for (int s = 0; s < 2; s++)
        make_side(&of->sides[s], (__int128)base + (int64_t)draw(10), spread, key_count);
    of->from = draw(3) ? "at" : NULL;
    of->until = draw(3) ? "value" : NULL;
    of->top = (weir_top){1 + draw(4), draw(2) ? 0 : draw(3), (weir_ties)draw(2)};
    if (of->what >= WHILE)
        make_ends(&of->sides[0]);
    find_late(of);
    test_list_init(&of->results, 1);
    test_list_init(&of->late[0], 1);
    test_list_init(&of->late[1], 1);
}

