/* Q1: a post's score is 10 for each comment below it, at any depth, and 1 for each like of one
 * of these. Q2: a comment's score is, over the groups of users who like it and are friends or
 * friends of friends who like it, too, the sum of the squares of their sizes. */
#include "queries.h"

#include "../graph/common.h"

#define BELOW(F) F(u64, comment) F(u64, post)
#define POINTS(F) F(u64, id) F(i64, score)
#define BOND(F) F(u64, comment) F(u64, a) F(u64, b)
#define MEMBER(F) F(u64, comment) F(u64, user) F(u64, group)
#define GROUP(F) F(u64, comment) F(u64, group) F(i64, size)
WEIR_ROW(below, BELOW)
WEIR_ROW(points, POINTS)
WEIR_ROW(bond, BOND) /* two friends who like the comment */
WEIR_ROW(member, MEMBER)
WEIR_ROW(group, GROUP)

/* ---- both ------------------------------------------------------------------------------- */

WEIR_JOIN(with_time, points, post, best)
{
    *out = (best){(uintptr_t)arg, a->score, b->time, a->id};
}

/* `given` (points) has at least one row for each of `things`, perhaps of 0 points. */
static weir_stream highest(weir_stream given, weir_stream things, uintptr_t query)
{
    weir_key by_id = WEIR_BY(points, id);
    weir_stream scores = weir_group_sum(given, by_id, WEIR_BY(points, score), &points_type);
    weir_stream timed =
        weir_join_with(scores, by_id, things, WEIR_BY(post, id), &with_time, (void *)query);
    return weir_group_top(timed, WEIR_BY_NOTHING(best), WEIR_DESCENDING(best, score, time),
                          (weir_top){.limit = BEST});
}

WEIR_MAP(no_points, post, points)
{
    *out = (points){in->id, 0};
}

/* ---- Q1: posts -------------------------------------------------------------------------- */

WEIR_JOIN(on_post, comment, post, below)
{
    *out = (below){a->id, b->id};
}

WEIR_JOIN(on_comment, below, comment, below)
{
    *out = (below){b->id, a->post};
}

WEIR_MAP(points_of_comment, below, points)
{
    *out = (points){in->post, 10};
}

WEIR_JOIN(points_of_like, like, below, points)
{
    *out = (points){b->post, 1};
}

static weir_stream below_posts(weir_stream posts, weir_stream comments)
{
    weir_key by_parent = WEIR_BY(comment, parent);
    weir_stream direct = weir_join(comments, by_parent, posts, WEIR_BY(post, id), &on_post);
    weir_loop *loop = weir_loop_begin(posts.scope, "below");
    weir_stream found = weir_variable(loop, weir_enter(loop, direct));
    weir_stream all = weir_distinct(found);
    weir_variable_set(found, weir_join(all, WEIR_BY(below, comment), weir_enter(loop, comments),
                                       by_parent, &on_comment));
    return weir_leave(loop, all);
}

static weir_stream best_posts(network in)
{
    weir_stream found = below_posts(in.posts, in.comments);
    weir_stream given[] = {weir_map(in.posts, &no_points), weir_map(found, &points_of_comment),
                           weir_join(in.likes, WEIR_BY(like, comment), found,
                                     WEIR_BY(below, comment), &points_of_like)};
    return highest(weir_concat_all(given, 3), in.posts, 0);
}

/* ---- Q2: comments ----------------------------------------------------------------------- */

WEIR_JOIN(friend_of_liker, like, friends, bond)
{
    *out = (bond){a->comment, b->a, b->b};
}

WEIR_JOIN(likes_of_friend, friends, like, bond)
{
    *out = (bond){b->comment, a->a, a->b};
}

WEIR_JOIN(same_bond, bond, like, bond)
{
    *out = *a;
}

/* There are more comments that one of two friends likes than such that both do: these pairs are
 * not stored, but looked up in likes and friends when one of the three changes. */
static weir_stream bonds_of(weir_stream likes, weir_stream friendships)
{
    enum { A_LIKES, FRIENDS, B_LIKES };
    weir_key user = WEIR_BY(like, user), whole = WEIR_BY(like, user, comment);
    weir_key a = WEIR_BY(friends, a), b = WEIR_BY(friends, b);
    weir_key a_likes = WEIR_BY(bond, a, comment), b_likes = WEIR_BY(bond, b, comment);
    weir_stream parts[] = {likes, friendships, likes};
    weir_delta_step steps[] = {
        {FRIENDS, user, a, &friend_of_liker}, {B_LIKES, b_likes, whole, &same_bond},
        {A_LIKES, a, user, &likes_of_friend}, {B_LIKES, b_likes, whole, &same_bond},
        {FRIENDS, user, b, &friend_of_liker}, {A_LIKES, a_likes, whole, &same_bond},
    };
    return weir_delta_join(parts, 3, steps);
}

WEIR_MAP(own_group, like, member)
{
    *out = (member){in->comment, in->user, graph_label(in->user)};
}

WEIR_ROUTE(start_round, member)
{
    return graph_label_round(in->group);
}

/* Only what is less than the friend's own label can be of use to it. */
WEIR_JOIN_SOME(join_group, member, bond, member)
{
    *out = (member){a->comment, b->b, a->group};
    return a->group < graph_label(b->b);
}

/* A group is called by the least label of its users: among those who like one comment, each
 * adopts the least that it hears of from friends. */
static weir_stream groups_of(weir_stream likes, weir_stream bonds)
{
    weir_key who = WEIR_BY(member, comment, user);
    weir_loop *loop = weir_loop_begin(likes.scope, "groups");
    weir_stream own = weir_enter_at(loop, weir_map(likes, &own_group), &start_round, NULL);
    weir_stream heard = weir_variable(loop, own);
    weir_stream members = weir_group_min(heard, who, WEIR_BY(member, group), &member_type);
    weir_variable_set(heard, weir_join(members, who, weir_enter(loop, bonds),
                                       WEIR_BY(bond, comment, a), &join_group));
    return weir_group_count(weir_leave(loop, members), WEIR_BY(member, comment, group),
                            &group_type);
}

WEIR_MAP(points_of_group, group, points)
{
    *out = (points){in->comment, in->size * in->size};
}

WEIR_MAP(without_parent, comment, post)
{
    *out = (post){in->id, in->time};
}

static weir_stream best_comments(network in)
{
    weir_stream comments = weir_map(in.comments, &without_parent);
    weir_stream groups = groups_of(in.likes, bonds_of(in.likes, in.friendships));
    weir_stream given =
        weir_concat(weir_map(comments, &no_points), weir_map(groups, &points_of_group));
    return highest(given, comments, 1);
}

/* ---- the network ------------------------------------------------------------------------ */

WEIR_FLAT_MAP(both_ways, friends, friends)
{
    if (in->a != in->b) {
        friends_push(out, (friends){in->a, in->b});
        friends_push(out, (friends){in->b, in->a});
    }
}

weir_stream best_of(network in)
{
    network each_once = {.posts = weir_distinct(in.posts),
                         .comments = weir_distinct(in.comments),
                         .likes = weir_distinct(in.likes),
                         .friendships = weir_distinct(weir_flat_map(in.friendships, &both_ways))};
    return weir_concat(best_posts(each_once), best_comments(each_once));
}
