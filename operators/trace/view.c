/* Views: what other threads know of a published arrangement. See share.h.
 *
 * A view's hold is told to the shards at once and picked up by each worker when it next looks:
 * when its trace's upper moves, or, for views that come and go, because it is woken. */
#include "view.h"

#include <stdlib.h>

#include "../../base/alloc.h"

/* ---- holds ------------------------------------------------------------------------------ */

/* With share->lock: tells all shards the lower envelope of the views' holds. */
static void tell_holds(wi_share *share, bool wake)
{
    weir_antichain hold;
    uint32_t views = 0;
    weir_antichain_init(&hold);
    for (const weir_view *view = share->views; view; view = view->next, views++)
        for (uint32_t i = 0; i < view->hold.count; i++)
            weir_antichain_insert(&hold, &view->hold.times[i]);
    for (uint32_t s = 0; s < share->workers; s++) {
        wi_shard *shard = &share->shards[s];
        pthread_mutex_lock(&shard->lock);
        weir_antichain_copy(&shard->hold, &hold);
        shard->views = views;
        if (!views && shard->upper.count) /* what is complete stays for views to come */
            wi_shard_forget_runs(shard);
        if (wake && shard->activator)
            weir_activator_fire(shard->activator);
        pthread_mutex_unlock(&shard->lock);
    }
    weir_antichain_fini(&hold);
}

weir_err *weir_view_open(weir_worker *worker, const char *name, const weir_type *type,
                         weir_view **view_out)
{
    *view_out = NULL;
    wi_share *share = wi_share_find(worker->process, name);
    if (!share)
        return weir_err_new("view: no arrangement is published as `%s`", name);
    if (!weir_type_fits(type, share->type)) {
        char *wants = weir_type_text(type), *has = weir_type_text(share->type);
        weir_err *err =
            weir_err_new("view: reads rows of %s, but arrangement `%s` has %s", wants, name, has);
        free(wants);
        free(has);
        wi_share_drop(share);
        return err;
    }
    weir_view *view = WI_NEW(weir_view);
    view->share = share;
    weir_antichain_insert(&view->hold, &(weir_time){{0}});
    pthread_mutex_lock(&share->lock);
    view->next = share->views;
    share->views = view;
    tell_holds(share, true);
    pthread_mutex_unlock(&share->lock);
    *view_out = view;
    return NULL;
}

void weir_view_free(weir_view *view)
{
    if (!view)
        return;
    wi_share *share = view->share;
    pthread_mutex_lock(&share->lock);
    weir_view **at = &share->views;
    while (*at != view)
        at = &(*at)->next;
    *at = view->next;
    tell_holds(share, true);
    pthread_mutex_unlock(&share->lock);
    wi_share_drop(share);
    weir_antichain_fini(&view->hold);
    wi_free(view);
}

void weir_view_advance(weir_view *view, const weir_time *time)
{
    wi_share *share = view->share;
    weir_antichain later;
    weir_antichain_init(&later);
    for (uint32_t i = 0; i < view->hold.count; i++) {
        weir_time both = weir_time_join(&view->hold.times[i], time);
        weir_antichain_insert(&later, &both);
    }
    pthread_mutex_lock(&share->lock);
    weir_antichain_copy(&view->hold, &later);
    tell_holds(share, false);
    pthread_mutex_unlock(&share->lock);
    weir_antichain_fini(&later);
}

/* ---- what is complete, and what is held ------------------------------------------------- */

void weir_view_frontier(const weir_view *view, weir_antichain *frontier_out)
{
    static const weir_time first;
    wi_share *share = view->share;
    weir_antichain_clear(frontier_out);
    for (uint32_t s = 0; s < share->workers; s++) {
        wi_shard *shard = &share->shards[s];
        pthread_mutex_lock(&shard->lock);
        if (!shard->listed)
            weir_antichain_insert(frontier_out, &first);
        for (uint32_t i = 0; shard->listed && i < shard->upper.count; i++)
            weir_antichain_insert(frontier_out, &shard->upper.times[i]);
        pthread_mutex_unlock(&shard->lock);
    }
}

/* The times at or after elements of both, instead of the first. */
static void meet_upsets(weir_antichain *chain, const weir_antichain *with)
{
    weir_antichain both;
    weir_antichain_init(&both);
    for (uint32_t i = 0; i < chain->count; i++)
        for (uint32_t j = 0; j < with->count; j++) {
            weir_time time = weir_time_join(&chain->times[i], &with->times[j]);
            weir_antichain_insert(&both, &time);
        }
    weir_antichain_fini(chain);
    *chain = both;
}

void weir_view_since(const weir_view *view, weir_antichain *since_out)
{
    wi_share *share = view->share;
    weir_antichain_copy(since_out, &view->hold);
    for (uint32_t s = 0; s < share->workers; s++) {
        wi_shard *shard = &share->shards[s];
        pthread_mutex_lock(&shard->lock);
        if (shard->listed)
            meet_upsets(since_out, &shard->since);
        else
            weir_antichain_clear(since_out);
        pthread_mutex_unlock(&shard->lock);
    }
}

/* With the shard's lock. */
static bool is_complete(const wi_shard *shard, const weir_time *time)
{
    return shard->listed && !weir_antichain_le(&shard->upper, time);
}

bool weir_view_wait(const weir_view *view, const weir_time *time)
{
    bool complete = true;
    for (uint32_t s = 0; s < view->share->workers && complete; s++) {
        wi_shard *shard = &view->share->shards[s];
        pthread_mutex_lock(&shard->lock);
        while (!is_complete(shard, time) && shard->state != WI_SHARD_ENDED && !shard->stopping)
            pthread_cond_wait(&shard->moved, &shard->lock);
        complete = is_complete(shard, time);
        pthread_mutex_unlock(&shard->lock);
    }
    return complete;
}

/* ---- snapshots -------------------------------------------------------------------------- */

/* Appends the shard's runs; false if it does not have the time. */
static bool take_shard(weir_snapshot *snapshot, uint32_t s)
{
    wi_shard *shard = &snapshot->share->shards[s];
    uint32_t count = snapshot->begins[s];
    pthread_mutex_lock(&shard->lock);
    bool has =
        is_complete(shard, &snapshot->as_of) && weir_antichain_le(&shard->since, &snapshot->as_of);
    if (has) {
        wi_grow(&snapshot->runs, &snapshot->run_capacity, count + shard->run_count,
                sizeof(wi_run *));
        for (uint32_t r = 0; r < shard->run_count; r++)
            snapshot->runs[count++] = wi_run_retain(shard->runs[r]);
    }
    pthread_mutex_unlock(&shard->lock);
    for (uint32_t later = s + 1; later <= snapshot->share->workers; later++)
        snapshot->begins[later] = count;
    return has;
}

weir_snapshot *weir_view_at(const weir_view *view, const weir_time *as_of)
{
    if (!weir_antichain_le(&view->hold, as_of))
        return NULL;
    weir_snapshot *snapshot = WI_NEW(weir_snapshot);
    snapshot->share = wi_share_retain(view->share);
    snapshot->as_of = *as_of;
    snapshot->begins = WI_NEWS(uint32_t, view->share->workers + 1);
    for (uint32_t s = 0; s < view->share->workers; s++)
        if (!take_shard(snapshot, s)) {
            weir_snapshot_free(snapshot);
            return NULL;
        }
    return snapshot;
}

void weir_snapshot_free(weir_snapshot *snapshot)
{
    if (!snapshot)
        return;
    for (uint32_t r = 0; r < snapshot->begins[snapshot->share->workers]; r++)
        wi_run_drop(snapshot->runs[r]);
    wi_share_drop(snapshot->share);
    wi_free(snapshot->runs);
    wi_free(snapshot->begins);
    wi_free(snapshot);
}
