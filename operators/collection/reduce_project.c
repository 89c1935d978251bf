/* What reduces have in common while they are built: checking that an out type begins with the
 * key's fields, keys made of a type's fields, and rows cut down to the fields that a reduce
 * looks at, so that its arrangement holds nothing else. */
#include "reduce.h"

#include <stdlib.h>

#include "../../base/alloc.h"
#include "../../base/batch.h"
#include "../../base/type.h"
#include "../../runtime/runtime.h"
#include "../stream/common.h"

/* ---- keys and types --------------------------------------------------------------------- */

weir_key wi_key_of_fields(const weir_type *type, uint32_t first, uint32_t count)
{
    const weir_field *field = weir_type_fields(type) + first;
    weir_key key = {.type = type, .count = count};
    for (uint32_t f = 0; f < count && f < WEIR_KEY_FIELDS_MAX; f++) {
        key.offsets[f] = field[f].offset;
        key.bytes[f] = wi_kind_is_text(field[f].kind) ? WEIR_KEY_TEXT : field[f].bytes;
    }
    return key;
}

weir_key wi_key_of_first(const weir_type *type, uint32_t count)
{
    return wi_key_of_fields(type, 0, count);
}

const weir_field *wi_key_field(const weir_type *type, const weir_key *key, uint32_t f)
{
    const weir_field *field = weir_type_fields(type);
    for (uint32_t i = 0; i < type->field_count; i++)
        if (field[i].offset == key->offsets[f] && field[i].elements)
            return &field[i];
    return NULL;
}

/* Whether fields of `out` from `first` on are of the kinds of the key's. */
static bool same_kinds(const weir_type *in, const weir_key *key, const weir_type *out,
                       uint32_t first)
{
    const weir_field *field = weir_type_fields(out) + first;
    if (key->count > WEIR_KEY_FIELDS_MAX || first + key->count > out->field_count)
        return false;
    for (uint32_t f = 0; f < key->count; f++) {
        const weir_field *from = wi_key_field(in, key, f);
        if (!from || from->kind != field[f].kind || from->bytes != field[f].bytes)
            return false;
    }
    return true;
}

bool wi_reduce_gives(weir_stream in, const char *name, const weir_key *key, const weir_key *of,
                     const weir_type *out)
{
    if (!wi_takes(in, name, NULL, key->type) ||
        (of && of->type && !wi_takes(in, name, NULL, of->type)))
        return false;
    if (same_kinds(in.type, key, out, 0) && (!of || (same_kinds(in.type, of, out, key->count) &&
                                                     key->count + of->count == out->field_count)))
        return true;
    char *gives = weir_type_text(out), *has = weir_type_text(in.type);
    weir_scope_fail(in.scope,
                    "%s: gives rows of %s, whose first %u fields should have the kinds of its "
                    "key's, which are fields of %s%s",
                    name, gives, key->count, has, of ? "; then only what it tells follows" : "");
    free(gives);
    free(has);
    return false;
}

#define ALL_TIED 64 /* as a shift: no field makes a difference */

wi_tie wi_tie_of(const wi_layout *layout, const weir_key *by, uint32_t fields)
{
    wi_tie tie = {layout->others_at, ALL_TIED};
    for (uint32_t c = layout->key_column_count; c < layout->column_count; c++) {
        const wi_column *column = &layout->columns[c];
        for (uint32_t f = 0; f < fields && f < by->count; f++) {
            const weir_field *field = wi_key_field(layout->type, by, f);
            if (!field || column->offset < field->offset ||
                column->offset >= field->offset + field->bytes)
                continue;
            tie.word = column->word + (column->coding == WI_CODE_TEXT);
            tie.shift = column->shift;
        }
    }
    return tie;
}

bool wi_tied(const wi_layout *layout, wi_tie tie, const uint64_t *a, const uint64_t *b)
{
    if (tie.shift == ALL_TIED)
        return true;
    uint32_t whole = tie.word + (tie.shift == 0);
    if (wi_words_compare(layout, a, b, layout->others_at, whole) != 0)
        return false;
    return tie.shift == 0 || (a[tie.word] ^ b[tie.word]) >> tie.shift == 0;
}

void wi_reduce_keep(weir_stream of, void *memory)
{
    weir_op *op = of.scope->flow->ops[of.op];
    wi_grow(&op->kept, &op->kept_capacity, op->kept_count + 1, sizeof *op->kept);
    op->kept[op->kept_count++] = memory;
}

/* ---- rows cut down ---------------------------------------------------------------------- */

typedef struct project {
    const weir_type *out;
    bool texts;
    uint32_t count;
    struct {
        uint32_t from, to, bytes;
    } moves[2 * WEIR_KEY_FIELDS_MAX];
} project;

/* The sizes that fields mostly have are constants to the compiler. */
static inline __attribute__((always_inline)) void move(char *to, size_t out_size, const char *from,
                                                       size_t in_size, uint32_t count, size_t bytes)
{
    for (uint32_t i = 0; i < count; i++)
        memcpy(to + i * out_size, from + i * in_size, bytes);
}

static void project_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *in)
{
    const project *call = weir_op_arg(op);
    weir_batch *out = weir_batch_like(in, call->out);
    memset(out->rows, 0, (size_t)in->count * call->out->size);
    for (uint32_t m = 0; m < call->count; m++) {
        char *to = (char *)out->rows + call->moves[m].to;
        const char *from = (const char *)in->rows + call->moves[m].from;
        uint32_t bytes = call->moves[m].bytes;
        if (bytes == 4)
            move(to, call->out->size, from, in->type->size, in->count, 4);
        else if (bytes == 8)
            move(to, call->out->size, from, in->type->size, in->count, 8);
        else if (bytes == 16)
            move(to, call->out->size, from, in->type->size, in->count, 16);
        else
            move(to, call->out->size, from, in->type->size, in->count, bytes);
    }
    if (call->texts)
        wi_batch_own_texts(out, out->rows, out->count);
    weir_send_batch(op, 0, out);
}

static const weir_operator project_operator = {
    .name = "project", .stateless = true, .batch = project_batch};

static void add_moves(project *call, const weir_type *in, const weir_key *key)
{
    const weir_field *to = weir_type_fields(call->out);
    for (uint32_t f = 0; f < key->count; f++) {
        uint32_t m = call->count++;
        call->moves[m].from = wi_key_field(in, key, f)->offset;
        call->moves[m].to = to[m].offset;
        call->moves[m].bytes = to[m].bytes;
    }
}

weir_stream wi_project(weir_stream in, const char *name, const weir_key *key, const weir_key *of,
                       const weir_type *out)
{
    static const weir_key nothing;
    project *call = WI_NEW(project);
    call->out = out;
    call->texts = out->text_count > 0;
    bool same = false;
    if (wi_reduce_gives(in, name, key, of ? of : &nothing, out)) {
        add_moves(call, in.type, key);
        if (of)
            add_moves(call, in.type, of);
        same = weir_type_fits(in.type, out);
        for (uint32_t m = 0; m < call->count; m++)
            same &= call->moves[m].from == call->moves[m].to;
    }
    if (same) {
        wi_free(call);
        return in;
    }
    return wi_end(wi_begin(in, WEIR_LOCAL, &project_operator, call, "project", name), out);
}
