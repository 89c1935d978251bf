/* The sessions of a key that are not its earliest; see session_quick.h. */
#include "session_quick.h"

#include "../../base/alloc.h"

/* A single one becomes one of many. */
static void begin_many(wi_quick_keys *keys, wi_quick_entry *it)
{
    wi_quick_session *single = wi_quick_first(it)->other;
    wi_others *to = keys->unused_others;
    uint32_t place = 0;
    if (to)
        keys->unused_others = to->unused;
    else
        to = WI_NEW(wi_others);
    wi_other *room = wi_sorted_insert(&to->in_order, sizeof *room, &place);
    *room = (wi_other){single->last, single};
    wi_quick_first(it)->others = to;
    it->many = true;
}

/* The only one that is left becomes a single one. */
static void end_many(wi_quick_keys *keys, wi_quick_entry *it)
{
    wi_others *from = wi_quick_first(it)->others;
    uint32_t place = wi_others_first(it);
    wi_quick_session *single = wi_others_at(it, place);
    wi_sorted_remove(&from->in_order, sizeof(wi_other), place, wi_others_end(it));
    from->unused = keys->unused_others;
    keys->unused_others = from;
    wi_quick_first(it)->other = single;
    it->many = false;
}

wi_quick_session *wi_others_add(wi_quick_keys *keys, wi_quick_entry *it, uint32_t place,
                                int64_t last, size_t bytes)
{
    wi_quick_session *first = wi_quick_first(it), *new = keys->unused_sessions;
    if (new)
        keys->unused_sessions = new->unused;
    else
        new = wi_alloc(bytes);
    if (!it->many && !first->other) {
        first->other = new;
        return new;
    }
    if (!it->many) {
        begin_many(keys, it);
        place = place ? wi_others_end(it) : wi_others_first(it);
    }
    wi_other *room = wi_sorted_insert(&first->others->in_order, sizeof *room, &place);
    *room = (wi_other){last, new};
    return new;
}

uint32_t wi_others_remove(wi_quick_keys *keys, wi_quick_entry *it, uint32_t place)
{
    wi_quick_session *first = wi_quick_first(it), *gone = wi_others_at(it, place);
    if (it->many) {
        wi_sorted *in_order = &first->others->in_order;
        uint32_t next = wi_sorted_next(in_order, place);
        place = wi_sorted_remove(in_order, sizeof(wi_other), place, next);
        if (in_order->count == 1) {
            place = place == wi_sorted_end(in_order);
            end_many(keys, it);
        }
    } else {
        first->other = NULL;
    }
    gone->unused = keys->unused_sessions;
    keys->unused_sessions = gone;
    return place;
}

static void free_many(wi_others *gone)
{
    wi_sorted_fini(&gone->in_order);
    wi_free(gone);
}

void wi_others_free(wi_quick_entry *it)
{
    for (uint32_t at = wi_others_first(it); at < wi_others_end(it); at = wi_others_next(it, at))
        wi_free(wi_others_at(it, at));
    if (it->many)
        free_many(wi_quick_first(it)->others);
}

void wi_others_free_unused(wi_quick_keys *keys)
{
    for (wi_quick_session *it = keys->unused_sessions, *next; it; it = next) {
        next = it->unused;
        wi_free(it);
    }
    for (wi_others *it = keys->unused_others, *next; it; it = next) {
        next = it->unused;
        free_many(it);
    }
}
