/* Running a small dataflow on rows that are listed; see streams.h. */
#include "streams.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* ---- lists ------------------------------------------------------------------------------ */

void test_list_init(test_list *list, int dims)
{
    *list = (test_list){.dims = dims};
    pthread_mutex_init(&list->lock, NULL);
}

static void clear(test_list *list)
{
    for (uint32_t i = 0; i < list->count; i++)
        free(list->updates[i].row);
    list->count = 0;
}

void test_list_fini(test_list *list)
{
    clear(list);
    wi_free(list->updates);
    pthread_mutex_destroy(&list->lock);
}

void test_list_add(test_list *list, const weir_type *type, const void *row, const weir_time *time,
                   int64_t diff)
{
    size_t length;
    char *text = weir_row_text(type, row, &length);
    for (size_t i = 0; i < length; i++)
        if (!text[i])
            text[i] = '~';
    pthread_mutex_lock(&list->lock);
    wi_grow(&list->updates, &list->capacity, list->count + 1, sizeof *list->updates);
    list->updates[list->count++] = (test_update){*time, diff, text};
    pthread_mutex_unlock(&list->lock);
}

static int compare_updates(const void *a, const void *b)
{
    const test_update *x = a, *y = b;
    int order = weir_time_compare(&x->time, &y->time);
    return order ? order : strcmp(x->row, y->row);
}

char *test_list_text(test_list *list)
{
    char *text;
    size_t bytes;
    FILE *to = open_memstream(&text, &bytes);
    if (list->count)
        qsort(list->updates, list->count, sizeof *list->updates, compare_updates);
    for (uint32_t i = 0; i < list->count;) {
        const test_update *first = &list->updates[i];
        int64_t sum = 0;
        for (; i < list->count && compare_updates(first, &list->updates[i]) == 0; i++)
            sum += list->updates[i].diff;
        char time[WEIR_TIME_TEXT_BYTES];
        if (sum)
            fprintf(to, "%s %+lld %s\n", weir_time_text(&first->time, list->dims, time),
                    (long long)sum, first->row);
    }
    fclose(to);
    clear(list);
    return text;
}

static void list_batch(weir_worker *worker, const weir_batch *batch, void *arg)
{
    test_list *list = arg;
    if (!batch->count)
        weir_stop(worker, "an empty batch was sent");
    for (uint32_t i = 0; i < batch->count; i++) {
        if (!weir_time_le(&batch->time, weir_batch_time(batch, i)))
            weir_stop(worker, "a row's time is before its batch's");
        test_list_add(list, batch->type, weir_batch_row(batch, i), weir_batch_time(batch, i),
                      weir_batch_diff(batch, i));
    }
    pthread_mutex_lock(&list->lock);
    list->batches++;
    pthread_mutex_unlock(&list->lock);
}

weir_stream test_watch(weir_stream in, test_list *list)
{
    pthread_mutex_lock(&list->lock);
    list->dims = weir_scope_dims(in.scope);
    pthread_mutex_unlock(&list->lock);
    return weir_inspect_batch(in, list_batch, list);
}

/* ---- flows ------------------------------------------------------------------------------ */

static void feed(weir_input *input, const test_flow *test, uint32_t index, uint32_t workers)
{
    uint32_t pushed = 0;
    for (uint32_t i = index; i < test->count; i += workers) {
        uint64_t epoch = test->epochs ? test->epochs[i] : 0;
        if (!test->columns && epoch > weir_input_time(input)->at[0])
            weir_input_advance(input, epoch);
        weir_out *out = weir_input_out(input);
        if (test->columns)
            weir_out_time(out, &WEIR_EPOCH(epoch));
        weir_out_diff(out, test->diffs ? test->diffs[i] : 1);
        weir_out_row(out, (const char *)test->rows + (size_t)i * test->type->size);
        if (test->flush_every && ++pushed % test->flush_every == 0)
            weir_input_flush(input);
    }
}

static void work(weir_worker *worker, void *arg)
{
    test_flow *test = arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "test");
    weir_stream in = weir_input_new(flow, test->type, &input);
    test->build(flow, in, test);
    weir_err *err = weir_dataflow_end(flow);
    if (err) {
        weir_stop(worker, "%s", weir_err_message(err));
        weir_err_free(err);
        return;
    }
    feed(input, test, weir_worker_index(worker), weir_worker_count(worker));
    weir_input_close(&input);
    weir_run(worker);
}

weir_err *test_flow_run(test_flow *test, const weir_config *config)
{
    for (int i = 0; i < TEST_LISTS; i++)
        test_list_init(&test->out[i], 1);
    return weir_execute(config, work, test);
}

void test_flow_done(test_flow *test)
{
    for (int i = 0; i < TEST_LISTS; i++)
        test_list_fini(&test->out[i]);
}

static void compare(test_flow *test, const weir_config *config, const char *const *expected,
                    uint32_t lists)
{
    for (uint32_t i = 0; i < lists; i++) {
        char *text = test_list_text(&test->out[i]);
        if (expected[i] && strcmp(text, expected[i]) != 0) {
            fprintf(stderr, "%u workers%s, list %u: expected\n%sbut got\n%s", config->workers,
                    config->deterministic ? " (deterministic)" : "", i, expected[i], text);
            abort();
        }
        free(text);
    }
}

void test_flow_expect(test_flow *test, const char *const *expected, uint32_t lists)
{
    static const weir_config ways[] = {{.workers = 1},
                                       {.workers = 2},
                                       {.workers = 4},
                                       {.workers = 3, .deterministic = true, .seed = 7}};
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
        weir_err *err = test_flow_run(test, &ways[w]);
        if (err) {
            fprintf(stderr, "%u workers: %s\n", ways[w].workers, weir_err_message(err));
            abort();
        }
        compare(test, &ways[w], expected, lists);
        test_flow_done(test);
    }
}
