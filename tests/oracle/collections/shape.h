/* A shape: rows of certain fields, and every kernel for them. Included by shape_*.c after
 * these macros:
 *
 *   SHAPE                      the name of what is exported
 *   MOST                       its domain
 *   K_FIELDS(F) K_NAMES SET_K(row, n) GET_K(row)
 *   V_FIELDS(F) V_NAME SET_V(row, n) GET_V(row)       if it has one
 *   W_FIELDS(F) W_NAMES SET_W(row, n) GET_W(row)      if it has one (W_FIELDS can be empty)
 *   V_SUM(F), V_UNIT           if v can be added up: the field n of a sum, v for a cell of 1
 *   V_PREFIX                   if v is an integer
 *
 * Encodings keep the order, for operators that sort. */
#include "functions.h"

#define FIELDS(F) K_FIELDS(F) V_FIELDS(F) W_FIELDS(F)
WEIR_ROW(item, FIELDS)

static inline item item_of(cell c)
{
    item row = {0};
    SET_K(&row, c.k);
    SET_V(&row, c.v);
    SET_W(&row, c.w);
    return row;
}

static inline cell cell_in(const item *row)
{
    return (cell){GET_K(row), GET_V(row), GET_W(row)};
}

static void push(weir_out *out, cell of)
{
    item_push(out, item_of(of));
}

static cell read_row(const void *row)
{
    return cell_in(row);
}

/* ---- kernels ---------------------------------------------------------------------------- */

WEIR_MAP(map, item, item)
{
    *out = item_of(mapped(cell_in(in), arg));
}

WEIR_MAP(alone_row, item, item)
{
    *out = item_of(alone(cell_in(in), arg));
}

WEIR_MAP(b_alone_row, item, item)
{
    *out = item_of(b_alone(cell_in(in), arg));
}

WEIR_FILTER(filter, item)
{
    return kept(cell_in(in), arg);
}

WEIR_FLAT_MAP(flat_map, item, item)
{
    cell from = cell_in(in);
    for (int64_t i = 0; i < copies(from, arg); i++)
        item_push(out, item_of(copied(from, i, arg)));
}

WEIR_FILTER_MAP(filter_map, item, item)
{
    *out = item_of(mapped(cell_in(in), arg));
    return kept(cell_in(in), arg);
}

WEIR_JOIN(join, item, item, item)
{
    *out = item_of(joined(cell_in(a), cell_in(b), arg));
}

WEIR_JOIN(join_swapped, item, item, item)
{
    *out = item_of(joined(cell_in(b), cell_in(a), arg));
}

WEIR_JOIN_SOME(join_some, item, item, item)
{
    *out = item_of(joined(cell_in(a), cell_in(b), arg));
    return joins(cell_in(a), cell_in(b), arg);
}

WEIR_REDUCE(reduce, item, item)
{
    cell *rows = malloc((count + 2) * 2 * sizeof *rows);
    int64_t *diffs = malloc((count + 2) * sizeof *diffs);
    for (uint32_t i = 0; i < count; i++)
        rows[i] = cell_in(in + i);
    cell *made = rows + count + 2;
    uint32_t pushes = reduced(rows, counts, count, arg, made, diffs);
    for (uint32_t i = 0; i < pushes; i++) {
        weir_out_diff(out, diffs[i]);
        item_push(out, item_of(made[i]));
    }
    free(rows);
    free(diffs);
}

WEIR_ROUTE(round_row, item)
{
    return round_of(cell_in(in), arg);
}

WEIR_ROUTE(from_row, item)
{
    return valid_from(cell_in(in), arg) * ((const params *)arg)->stride;
}

WEIR_ROUTE(until_row, item)
{
    uint64_t until = valid_until(cell_in(in), arg);
    return until == UINT64_MAX ? until : until * ((const params *)arg)->stride;
}

/* ---- keys and orders -------------------------------------------------------------------- */

static weir_key key(part by)
{
    switch (by) {
    case BY_K:
        return WEIR_BY(item, K_NAMES);
#ifdef V_NAME
    case BY_V:
        return WEIR_BY(item, V_NAME);
    case BY_KV:
        return WEIR_BY(item, K_NAMES, V_NAME);
#ifdef W_NAMES
    case BY_WV:
        return WEIR_BY(item, W_NAMES, V_NAME);
#endif
#endif
    default:
        return WEIR_BY_NOTHING(item);
    }
}

static weir_order order(part by, uint32_t descending)
{
    return (weir_order){.by = key(by), .descending = descending};
}

/* ---- groups: the operator, and a map of what it gives to cells ---------------------------- */

#define TALLY(F) K_FIELDS(F) F(i64, n)
WEIR_ROW(tally, TALLY)
WEIR_MAP(item_of_tally, tally, item)
{
    *out = item_of(fit(GET_K(in), in->n, 0, arg));
}

#define LONE_TALLY(F) F(i64, n)
WEIR_ROW(lone_tally, LONE_TALLY)
WEIR_MAP(item_of_lone_tally, lone_tally, item)
{
    *out = item_of(fit(0, in->n, 0, arg));
}

#ifdef V_NAME
#define V_TALLY(F) V_FIELDS(F) F(i64, n)
#define KV_TALLY(F) K_FIELDS(F) V_FIELDS(F) F(i64, n)
#define KV(F) K_FIELDS(F) V_FIELDS(F)
#define MEAN(F) K_FIELDS(F) F(f64, mean)
WEIR_ROW(v_tally, V_TALLY)
WEIR_ROW(kv_tally, KV_TALLY)
WEIR_ROW(kv, KV)
WEIR_ROW(mean, MEAN)

WEIR_MAP(item_of_v_tally, v_tally, item)
{
    *out = item_of(fit(in->n, GET_V(in), 0, arg));
}

WEIR_MAP(item_of_kv_tally, kv_tally, item)
{
    *out = item_of(fit(GET_K(in), GET_V(in), in->n, arg));
}

WEIR_MAP(item_of_kv, kv, item)
{
    *out = item_of(fit(GET_K(in), GET_V(in), 0, arg));
}
#endif

#ifdef V_SUM
#define TOTAL(F) K_FIELDS(F) V_SUM(F)
WEIR_ROW(total, TOTAL)
WEIR_MAP(item_of_total, total, item)
{
    *out = item_of(fit(GET_K(in), (int64_t)(in->n / V_UNIT), 0, arg));
}

WEIR_MAP(item_of_mean, mean, item)
{
    *out = item_of(fit(GET_K(in), mean_class(in->mean / V_UNIT), 0, arg));
}
#endif

#ifdef V_PREFIX
WEIR_MAP(item_of_prefix, kv_tally, item)
{
    *out = item_of(fit(GET_K(in), GET_V(in), in->n / V_UNIT, arg));
}
#endif

#ifdef W_NAMES
#define KWV(F) K_FIELDS(F) W_FIELDS(F) V_FIELDS(F)
WEIR_ROW(kwv, KWV)
WEIR_MAP(item_of_kwv, kwv, item)
{
    *out = item_of(fit(GET_K(in), GET_V(in), GET_W(in), arg));
}

static weir_stream least_wv(weir_stream in, bool least, params *with)
{
    weir_key by = WEIR_BY(item, K_NAMES), of = WEIR_BY(item, W_NAMES, V_NAME);
    weir_stream rows =
        least ? weir_group_min(in, by, of, &kwv_type) : weir_group_max(in, by, of, &kwv_type);
    return weir_map_with(rows, &item_of_kwv, with);
}
#endif

static weir_stream counted(weir_stream in, part by, params *with)
{
    switch (by) {
#ifdef V_NAME
    case BY_V:
        return weir_map_with(weir_group_count(in, key(by), &v_tally_type), &item_of_v_tally, with);
    case BY_KV:
        return weir_map_with(weir_group_count(in, key(by), &kv_tally_type), &item_of_kv_tally,
                             with);
#endif
    case BY_NOTHING:
        return weir_map_with(weir_group_count(in, key(by), &lone_tally_type), &item_of_lone_tally,
                             with);
    default:
        return weir_map_with(weir_group_count(in, key(BY_K), &tally_type), &item_of_tally, with);
    }
}

static weir_stream group(weir_stream in, const node *how, WEIR_UNUSED params *with)
{
    switch (how->kind) {
    case COUNT:
        return counted(in, how->key, with);
#ifdef V_SUM
    case SUM:
        return weir_map_with(weir_group_sum(in, key(BY_K), key(BY_V), &total_type), &item_of_total,
                             with);
    case AVG:
        return weir_map_with(weir_group_avg(in, key(BY_K), key(BY_V), &mean_type), &item_of_mean,
                             with);
#endif
#ifdef V_PREFIX
    case PREFIX_SUM:
        return weir_map_with(
            weir_prefix_sum(in, key(BY_K), order(BY_V, how->descending), key(BY_V), &kv_tally_type),
            &item_of_prefix, with);
#endif
#ifdef V_NAME
    case MIN:
    case MAX:
#ifdef W_NAMES
        if (how->order == BY_WV)
            return least_wv(in, how->kind == MIN, with);
#endif
        return weir_map_with(how->kind == MIN ? weir_group_min(in, key(BY_K), key(BY_V), &kv_type)
                                              : weir_group_max(in, key(BY_K), key(BY_V), &kv_type),
                             &item_of_kv, with);
    case QUANTILE:
        return weir_map_with(weir_group_quantile(in, key(BY_K), key(BY_V), how->share, &kv_type),
                             &item_of_kv, with);
#endif
    default:
        return in;
    }
}

const shape SHAPE = {
    .name = SHAPE_NAME,
    .most = MOST,
#ifdef V_SUM
    .sums_v = true,
#endif
#ifdef V_PREFIX
    .prefixes_v = true,
#endif
    .type = &item_type,
    .push = push,
    .read = read_row,
    .key = key,
    .order = order,
    .map = &map,
    .alone = &alone_row,
    .b_alone = &b_alone_row,
    .filter = &filter,
    .flat_map = &flat_map,
    .filter_map = &filter_map,
    .join = &join,
    .join_swapped = &join_swapped,
    .join_some = &join_some,
    .reduce = &reduce,
    .round = &round_row,
    .from = &from_row,
    .until = &until_row,
    .group = group,
};
