/* Records a stream to files, one for each worker, and replays them in another execution
 * with another number of workers. Rows keep their times, so it counts the same again.
 *
 *     capture_replay -w 2        2 workers record, 3 replay */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <weir/weir.h>

#define RAIN(F) F(u64, day) F(u64, station) F(u64, millimetres)
#define TALLY(F) F(u64, day) F(i64, wet)
WEIR_ROW(rain, RAIN)
WEIR_ROW(tally, TALLY)

typedef struct record {
    char path[64];
    uint32_t writers;
    bool written;
} record;

/* A week of measurements, on worker 0; a day is a time. */
static weir_more measure(weir_source *source, WEIR_UNUSED void *state, WEIR_UNUSED void *arg)
{
    bool here = weir_worker_index(weir_source_worker(source)) == 0;
    for (uint64_t day = 1; day <= 7 && here; day++) {
        weir_source_advance(source, day);
        for (uint64_t station = 0; station < 5; station++)
            rain_push(weir_source_out(source), (rain){day, station, day * (station + 3) % 11});
    }
    return WEIR_DONE;
}

WEIR_FILTER(is_wet, rain) { return in->millimetres >= 5; }

static void build(weir_dataflow *flow, record *to)
{
    weir_stream measured;
    if (to->written) {
        measured = weir_replay_file(flow, &rain_type, to->path, to->writers);
    } else {
        measured = weir_generate(flow, &rain_type, measure, 0, NULL);
        measured = weir_exchange(measured, WEIR_BY(rain, station));
        weir_capture_file(measured, to->path);
    }
    weir_stream wet = weir_filter(measured, &is_wet);
    weir_print(weir_count(wet, WEIR_BY(rain, day), &tally_type), stdout);
}

static void run(weir_worker *worker, void *arg)
{
    weir_dataflow *flow = weir_dataflow_begin(worker, "capture_replay");
    build(flow, arg);
    weir_err *err = weir_dataflow_end(flow);
    if (err)
        weir_stop(worker, "%s", weir_err_message(err));
    weir_err_free(err);
}

static void remove_files(const record *of)
{
    char path[80];
    for (uint32_t i = 0; i < of->writers; i++) {
        snprintf(path, sizeof path, "%s.%u", of->path, i);
        unlink(path);
    }
}

int main(int argc, char **argv)
{
    weir_config config = {0};
    weir_err *err = weir_options(&argc, argv, "Records, then replays.", NULL, &config);
    record to = {.writers = config.workers ? config.workers : 1};
    snprintf(to.path, sizeof to.path, "/tmp/capture_replay.%d", (int)getpid());
    if (!err)
        err = weir_execute(&config, run, &to);
    printf("replayed:\n");
    to.written = true;
    config.workers = to.writers % 4 + 1;
    if (!err)
        err = weir_execute(&config, run, &to);
    remove_files(&to);
    if (!err)
        return 0;
    fprintf(stderr, "capture_replay: %s\n", weir_err_message(err));
    weir_err_free(err);
    return 1;
}
