/* Records a stream to files, one for each worker, and replays them, whatever the number of
 * workers then is. Rows keep their times, so the same is counted again.
 *
 *     capture_replay -w 2 FILE               writes FILE.0 and FILE.1
 *     capture_replay -w 3 FILE --replay 2    reads what 2 workers wrote */
#include <stdio.h>

#include <weir/weir.h>

#define RAIN(F) F(u64, day) F(u64, station) F(u64, millimetres)
#define TALLY(F) F(u64, day) F(i64, wet)
WEIR_ROW(rain, RAIN)
WEIR_ROW(tally, TALLY)

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

static weir_stream record(weir_dataflow *flow, const char *path)
{
    weir_stream measured = weir_generate(flow, &rain_type, measure, 0, NULL);
    measured = weir_exchange(measured, WEIR_BY(rain, station));
    weir_capture_file(measured, path);
    return measured;
}

WEIR_FILTER(is_wet, rain)
{
    return in->millimetres >= 5;
}

static void build(weir_dataflow *flow, void *arg)
{
    const char *path = weir_argument(flow, 0);
    uint64_t writers = *(const uint64_t *)arg;
    if (!path)
        weir_scope_fail(flow, "say where to record: capture_replay FILE");
    weir_stream rains =
        writers ? weir_replay_file(flow, &rain_type, path, (uint32_t)writers) : record(flow, path);
    weir_stream wet = weir_filter(rains, &is_wet);
    weir_print(weir_count(wet, WEIR_BY(rain, day), &tally_type), stdout);
}

int main(int argc, char **argv)
{
    uint64_t writers = 0;
    const weir_option options[] = {
        {.name = "replay", .value = "N", .help = "what N workers recorded", .number = &writers},
        {0}};
    return weir_main_with(argc, argv, "Records a week of rain in FILE, or replays it.", options,
                          build, &writers);
}
