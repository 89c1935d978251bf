/* A social network and how it changes, read from a file of lines
 *
 *     txn P id time user               a post
 *     txn C id time user parent        a comment on a post or on a comment
 *     txn L user comment               the user likes the comment
 *     txn F user user                  the two are friends, in one or both directions
 *     txn U id                         a user
 *
 * in the order of transactions; 0 is what is there at first. -P, -C, ... take away what the
 * same line without the sign has given. Fields are separated by tabs or spaces. */
#ifndef SOCIAL_MEDIA_STREAM_H
#define SOCIAL_MEDIA_STREAM_H

#include <weir/base.h>

typedef enum thing { POST, COMMENT, LIKE, FRIENDS, USER } thing;

typedef struct change {
    uint64_t txn;
    thing of;
    int32_t diff;
    int64_t field[4]; /* in the order of the line */
} change;

typedef struct stream {
    change *all;
    uint64_t count, capacity;
} stream;

/* Reads a file into a zeroed stream; names ending in .gz, .xz or .zst are unpacked. stream_fini
 * in any case. */
weir_err *stream_read(stream *out, const char *path);
void stream_fini(stream *of);

#endif
