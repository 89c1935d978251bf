/* What windows of a number of rows must send: rows are put into panes, and a window is what was
 * put into its panes, once the last of them is full. */
#include "naive.h"

#define CHANGES_MAX (4 * ROWS_MAX)

/* A row was put into a pane, `diff` times. */
typedef struct change {
    uint32_t row;
    int64_t diff, pane;
} change;

typedef struct panes {
    change at[CHANGES_MAX];
    uint32_t count;
    int64_t taken;
    int64_t full_at[CHANGES_MAX]; /* the stamps at which panes were full */
} panes;

static int64_t greatest_common_divisor(int64_t a, int64_t b)
{
    return b ? greatest_common_divisor(b, a % b) : a;
}

static void put(expected *to, panes *in, uint32_t row, int64_t size)
{
    const update *u = &to->of->rows[row];
    if (u->diff < -(in->taken % size)) {
        expect_missed(to, u, 1, true);
        return;
    }
    int64_t one = u->diff < 0 ? -1 : 1;
    for (int64_t i = 0; i != u->diff; i += one) {
        int64_t pane = (one < 0 ? in->taken - 1 : in->taken) / size;
        in->at[in->count++] = (change){row, one, pane};
        in->taken += one;
        if (one > 0 && in->taken % size == 0)
            in->full_at[pane] = u->stamp;
    }
}

static void expect_window(expected *to, const panes *of, int64_t start, int64_t size)
{
    const problem *with = to->of;
    int64_t end = start + with->how.size;
    tally result = {.start = start, .end = end};
    for (uint32_t i = 0; i < of->count; i++) {
        const change *one = &of->at[i];
        const update *u = &with->rows[one->row];
        if (one->pane < start / size || one->pane >= end / size)
            continue;
        result.rows += one->diff;
        result.sum += u->row.value * one->diff;
        if (!with->how.inverse && longer(&u->row.note, &result.longest))
            result.longest = u->row.note;
        result.key = u->row.key;
    }
    if (with->boxed)
        result.longest = weir_text_c("boxed");
    if (with->doubled)
        result.sum *= 2;
    expect_result(to, &result, of->full_at[end / size - 1], 1);
}

void expect_counted(expected *to)
{
    const problem *of = to->of;
    int64_t slide = of->how.slide ? of->how.slide : of->how.size;
    int64_t size = greatest_common_divisor(of->how.size, slide);
    for (uint32_t key = 0; key < KEYS; key++) {
        static panes in;
        in = (panes){.count = 0};
        for (uint32_t i = 0; i < of->count; i++)
            if (of->rows[i].key == key)
                put(to, &in, i, size);
        for (int64_t start = 0; start + of->how.size <= in.taken; start += slide)
            expect_window(to, &in, start, size);
    }
}
