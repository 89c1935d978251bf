/* Reads events: a line each, with a number, a letter for the kind, the event time, and a watermark:
 * no later line has an event time before it. That is the file's own, so there is no policy: what is
 * known to be complete is where the source advances to. */
#include "nexmark.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINES 200 /* a call */

#define COMMON(F) F(i64, seq) F(weir_text, kind) F(i64, at) F(i64, mark)
#define PERSON_LINE(F)                                                                         \
    COMMON(F) F(u64, id) F(weir_text, name) F(weir_text, email) F(weir_text, card)             \
    F(weir_text, city) F(weir_text, state) F(i64, at_again) F(weir_text, extra)
#define AUCTION_LINE(F)                                                                        \
    COMMON(F) F(u64, id) F(weir_text, item) F(weir_text, description) F(i64, initial)          \
    F(i64, reserve) F(i64, at_again) F(i64, expires) F(u64, seller) F(u64, category)           \
    F(weir_text, extra)
#define BID_LINE(F)                                                                            \
    COMMON(F) F(u64, auction) F(u64, bidder) F(i64, price) F(weir_text, channel)               \
    F(weir_text, url) F(i64, at_again) F(weir_text, extra)
WEIR_ROW(person_line, PERSON_LINE)
WEIR_ROW(auction_line, AUCTION_LINE)
WEIR_ROW(bid_line, BID_LINE)

typedef struct reader {
    FILE *file;
    char *line;
    size_t capacity;
    uint64_t number;
} reader;

static weir_err *read_person(const char *line, size_t length, weir_batch *arena, event *out)
{
    person_line p;
    weir_err *err = weir_row_parse(&person_line_type, line, length, &p, arena);
    if (!err)
        *out = (event){.kind = PERSON, .seq = p.seq, .at = p.at, .id = p.id, .name = p.name,
                       .city = p.city, .state = p.state};
    return err;
}

static weir_err *read_auction(const char *line, size_t length, weir_batch *arena, event *out)
{
    auction_line a;
    weir_err *err = weir_row_parse(&auction_line_type, line, length, &a, arena);
    if (!err)
        *out = (event){.kind = AUCTION, .seq = a.seq, .at = a.at, .id = a.id, .who = a.seller,
                       .price = a.initial, .reserve = a.reserve, .expires = a.expires,
                       .category = a.category, .name = a.item};
    return err;
}

static weir_err *read_bid(const char *line, size_t length, weir_batch *arena, event *out)
{
    bid_line b;
    weir_err *err = weir_row_parse(&bid_line_type, line, length, &b, arena);
    if (!err)
        *out = (event){.kind = BID, .seq = b.seq, .at = b.at, .id = b.auction, .who = b.bidder,
                       .price = b.price, .name = b.channel};
    return err;
}

/* The fourth field. */
static int64_t mark_of(const char *line)
{
    for (int tabs = 0; tabs < 3; tabs++)
        line = strchr(line, '\t') + 1;
    return strtoll(line, NULL, 10);
}

static bool take_line(weir_source *source, reader *from, size_t length)
{
    const char *letter = strchr(from->line, '\t');
    weir_worker *worker = weir_source_worker(source);
    weir_batch *arena = weir_batch_new(&event_type, 0);
    event row;
    weir_err *err = (letter && letter[1] == PERSON    ? read_person
                     : letter && letter[1] == AUCTION ? read_auction
                                                      : read_bid)(from->line, length, arena, &row);
    if (err) {
        weir_stop(worker, "line %llu: %s", (unsigned long long)from->number,
                  weir_err_message(err));
        weir_err_free(err);
    } else {
        uint64_t mark = weir_event_epoch(mark_of(from->line));
        if (mark > weir_source_epoch(source))
            weir_source_advance(source, mark);
        event_push(weir_source_out(source), row);
    }
    weir_batch_drop(arena);
    return !err;
}

static weir_more done(reader *from)
{
    if (from->file)
        fclose(from->file);
    free(from->line);
    *from = (reader){.file = NULL};
    return WEIR_DONE;
}

static weir_more read_some(weir_source *source, void *state, void *arg)
{
    reader *from = state;
    weir_worker *worker = weir_source_worker(source);
    if (weir_worker_index(worker) != 0)
        return WEIR_DONE;
    if (!from->file && !(from->file = fopen(arg, "r"))) {
        weir_stop(worker, "%s: %s", (const char *)arg, strerror(errno));
        return WEIR_DONE;
    }
    for (int i = 0; i < LINES; i++) {
        ssize_t length = getline(&from->line, &from->capacity, from->file);
        if (length <= 0)
            return done(from);
        from->number++;
        length -= from->line[length - 1] == '\n';
        from->line[length] = '\0';
        if (!take_line(source, from, (size_t)length))
            return done(from);
    }
    return WEIR_MORE;
}

weir_stream read_events(weir_dataflow *flow, const char *path)
{
    return weir_generate(flow, &event_type, read_some, sizeof(reader), (void *)(uintptr_t)path);
}

WEIR_FILTER(is_of, event)
{
    return in->kind == (uint8_t)(uintptr_t)arg;
}

weir_stream only(weir_stream events, kind of)
{
    return weir_filter_with(events, &is_of, (void *)(uintptr_t)of);
}
