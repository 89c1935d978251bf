/* Several dataflows in one program, built while others run: one that never ends and is
 * dropped, one that records what comes in, and a late one that is fed by that record.
 *
 *     several_dataflows -w 2 */
#include <stdio.h>

#include <weir/weir.h>

#define SALE(F) F(u64, day) F(u64, shop)
#define TALLY(F) F(u64, day) F(i64, sales)
WEIR_ROW(sale, SALE)
WEIR_ROW(tally, TALLY)

static weir_more tick(weir_source *source, WEIR_UNUSED void *state, WEIR_UNUSED void *arg)
{
    weir_source_advance(source, weir_source_epoch(source) + 1);
    return WEIR_MORE;
}

static void run_clock(weir_worker *worker)
{
    weir_dataflow *flow = weir_dataflow_begin(worker, "clock");
    weir_probe *probe = weir_probe_new(weir_generate(flow, &sale_type, tick, 0, NULL));
    if (!weir_dataflow_end_or_stop(flow) || !weir_probe_wait(worker, probe, 1000))
        return;
    if (weir_worker_index(worker) == 0)
        printf("the clock has ticked 1000 times, and is dropped\n");
    weir_dataflow_drop(flow);
}

/* Sales of some days, all on worker 0. */
static void sell(weir_worker *worker, weir_input *sales, uint64_t from, uint64_t to)
{
    for (uint64_t day = from; day < to; day++) {
        for (uint64_t shop = 0; shop < day % 4 + 1 && weir_worker_index(worker) == 0; shop++)
            sale_push(weir_input_out(sales), (sale){day, shop});
        weir_input_advance(sales, day + 1);
        weir_step(worker);
    }
}

static void run(weir_worker *worker, WEIR_UNUSED void *arg)
{
    weir_input *sales;
    run_clock(worker);
    weir_dataflow *shop = weir_dataflow_begin(worker, "shop");
    weir_capture *record = weir_capture_new(weir_input_new(shop, &sale_type, &sales));
    if (!weir_dataflow_end_or_stop(shop))
        return;
    sell(worker, sales, 0, 5);
    weir_dataflow *office = weir_dataflow_begin(worker, "office");
    weir_stream sold = weir_replay(office, record);
    weir_print(weir_count(sold, WEIR_BY(sale, day), &tally_type), stdout);
    if (weir_dataflow_end_or_stop(office))
        sell(worker, sales, 5, 8);
    weir_input_close(&sales);
    weir_run(worker);
    weir_capture_free(record);
}

int main(int argc, char **argv)
{
    weir_config config = {0};
    weir_err *err = weir_options(&argc, argv, "Runs several dataflows.", NULL, &config);
    if (err)
        return weir_report(err, 2);
    return weir_report(weir_execute(&config, run, NULL), 1);
}
