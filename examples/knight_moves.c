/* Breadth-first search in a loop: how many squares of a large chessboard does a knight reach
 * in how many moves from the corner? Round r carries the squares that r moves can lead to;
 * they are looked at when the round is complete, since only then all shorter ways are known.
 *
 *     knight_moves -w 2 */
#include <stdio.h>

#include <weir/weir.h>

#define SIZE 100

#define SQUARE(F) F(i64, x) F(i64, y) F(u64, moves)
#define TALLY(F) F(u64, moves) F(i64, squares)
WEIR_ROW(square, SQUARE)
WEIR_ROW(tally, TALLY)

WEIR_FLAT_MAP(jump, square, square)
{
    for (int64_t dx = -2; dx <= 2; dx++)
        for (int64_t dy = -2; dy <= 2; dy++) {
            int64_t x = in->x + dx, y = in->y + dy;
            if (dx * dx + dy * dy == 5 && x >= 0 && x < SIZE && y >= 0 && y < SIZE)
                square_push(out, (square){x, y, in->moves + 1});
        }
}

typedef struct board {
    bool has[SIZE][SIZE];
} board;

static void on_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        board *round = weir_notify_state(op, weir_batch_time(batch, i), sizeof *round);
        round->has[square_at(batch, i)->x][square_at(batch, i)->y] = true;
    }
}

/* A round is complete: passes on the squares that no round before it had. */
static void on_notify(weir_op *op, const weir_time *time, void *state)
{
    const board *round = state;
    board *seen = weir_op_state(op);
    for (int64_t x = 0; x < SIZE; x++)
        for (int64_t y = 0; y < SIZE; y++)
            if (round->has[x][y] && !seen->has[x][y]) {
                square_push(weir_send_at(op, 0, time), (square){x, y, time->at[1]});
                seen->has[x][y] = true;
            }
}

static const weir_operator first_visit = {
    .name = "first_visit", .state_bytes = sizeof(board), .batch = on_batch, .notify = on_notify};

static void build(weir_dataflow *flow, WEIR_UNUSED void *arg)
{
    weir_stream corner = weir_from_rows(flow, &square_type, &(square){0, 0, 0}, 1);
    weir_loop *loop = weir_loop_begin(flow, "search");
    weir_stream reached = weir_variable(loop, weir_enter(loop, corner));
    weir_route by_place = WEIR_EXCHANGE(WEIR_BY(square, x, y));
    weir_stream fresh = weir_unary(reached, by_place, &first_visit, &square_type, NULL);
    weir_variable_set(reached, weir_flat_map(fresh, &jump));
    weir_stream found = weir_leave(loop, fresh);
    weir_print(weir_count(found, WEIR_BY(square, moves), &tally_type), stdout);
}

int main(int argc, char **argv)
{
    return weir_main(argc, argv, build, NULL);
}
