/* The two questions, and the rows that they are about. */
#ifndef SOCIAL_MEDIA_QUERIES_H
#define SOCIAL_MEDIA_QUERIES_H

#include <weir/weir.h>

#define POST_ROW(F) F(u64, id) F(i64, time)
#define COMMENT_ROW(F) F(u64, id) F(i64, time) F(u64, parent)
#define LIKE_ROW(F) F(u64, user) F(u64, comment)
#define FRIENDS_ROW(F) F(u64, a) F(u64, b)
#define BEST_ROW(F) F(u64, query) F(i64, score) F(i64, time) F(u64, id)
WEIR_ROW(post, POST_ROW)
WEIR_ROW(comment, COMMENT_ROW)
WEIR_ROW(like, LIKE_ROW)
WEIR_ROW(friends, FRIENDS_ROW)
WEIR_ROW(best, BEST_ROW)

#define QUERIES 2
#define BEST 3 /* of each query */

typedef struct network {
    weir_stream posts, comments, likes, friendships;
} network;

/* The answers to both queries (rows `best`, of query 0 and 1): those of highest score, and of
 * these the latest. */
weir_stream best_of(network in);

#endif
