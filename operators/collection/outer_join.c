/* Outer joins: the join, and what a kernel makes of the rows that are without a partner. The
 * two share the arrangements of their inputs. */
#include "join.h"

#include "../stream/common.h"

/* Rows made of those of `a` whose key no row of `b` has. */
static weir_stream alone_of(const char *name, weir_stream a, weir_key a_key, weir_stream b,
                            weir_key b_key, const weir_map_kernel *alone, void *arg)
{
    return weir_map_with(wi_antijoin(name, a, a_key, b, b_key), alone, arg);
}

weir_stream weir_left_join_with(weir_stream a, weir_key a_key, weir_stream b, weir_key b_key,
                                const weir_join_kernel *kernel, const weir_map_kernel *alone,
                                void *arg)
{
    const char *name = "left_join";
    weir_stream both[] = {wi_join(name, a, a_key, b, b_key, kernel, arg),
                          alone_of(name, a, a_key, b, b_key, alone, arg)};
    return weir_concat_all(both, 2);
}

weir_stream weir_full_join_with(weir_stream a, weir_key a_key, weir_stream b, weir_key b_key,
                                const weir_join_kernel *kernel, const weir_map_kernel *alone,
                                const weir_map_kernel *b_alone, void *arg)
{
    const char *name = "full_join";
    weir_stream all[] = {wi_join(name, a, a_key, b, b_key, kernel, arg),
                         alone_of(name, a, a_key, b, b_key, alone, arg),
                         alone_of(name, b, b_key, a, a_key, b_alone, arg)};
    return weir_concat_all(all, 3);
}
