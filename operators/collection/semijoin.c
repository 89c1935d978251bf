/* semijoin, antijoin: the rows of one side whose key is, or is not, a key of the other. The
 * other side is cut down to its keys, each once (distinct); joining with them changes neither
 * rows nor diffs. */
#include "join.h"

#include <stdio.h>

#include "../../base/alloc.h"
#include "../../base/assert.h"
#include "../../base/batch.h"
#include "../../runtime/runtime.h"
#include "../stream/common.h"
#include "reduce.h"

/* ---- keys alone ------------------------------------------------------------------------- */

/* A type whose fields are those of a key, to be freed with an operator. */
static weir_type *type_of_keys(const weir_key *key)
{
    weir_field_spec specs[WEIR_KEY_FIELDS_MAX] = {0};
    char names[WEIR_KEY_FIELDS_MAX][16];
    const weir_field *fields = weir_type_fields(key->type);
    for (uint32_t k = 0; k < key->count; k++) {
        snprintf(names[k], sizeof names[k], "key%u", k);
        specs[k].name = names[k];
        for (uint32_t f = 0; f < key->type->field_count; f++)
            if (fields[f].offset == key->offsets[k] && fields[f].elements) {
                specs[k].kind = fields[f].kind;
                specs[k].rows = fields[f].elements > 1 ? fields[f].elements : 0;
            }
    }
    weir_err *err = NULL;
    weir_type *type = weir_type_new("key", specs, key->count, &err);
    wi_assert(type, "the fields of a key are a type");
    return type;
}

static void keep(weir_stream made, void *memory)
{
    weir_op *op = made.scope->flow->ops[made.op];
    wi_grow(&op->kept, &op->kept_capacity, op->kept_count + 1, sizeof(void *));
    op->kept[op->kept_count++] = memory;
}

/* ---- the join --------------------------------------------------------------------------- */

static uint32_t copy_a(const void *a, size_t a_step, WEIR_UNUSED const void *b,
                       WEIR_UNUSED size_t b_step, uint32_t count, void *out,
                       WEIR_UNUSED uint32_t *kept_out, weir_batch *into, WEIR_UNUSED void *arg)
{
    size_t size = into->type->size;
    if (a_step == size)
        memcpy(out, a, count * size);
    else
        for (uint32_t i = 0; i < count; i++)
            memcpy((char *)out + i * size, (const char *)a + i * a_step, size);
    if (into->type->text_count)
        wi_batch_own_texts(into, out, count);
    return count;
}

weir_stream wi_semijoin(const char *name, weir_stream a, weir_key a_key, weir_stream b,
                        weir_key b_key)
{
    if (!wi_takes(a, name, NULL, a_key.type) || !wi_takes(b, name, NULL, b_key.type) ||
        !wi_join_keys(a.scope, name, &a_key, &b_key))
        return a; /* the dataflow has failed */
    weir_type *key_type = type_of_keys(&b_key);
    weir_join_kernel *kernel = WI_NEW(weir_join_kernel);
    *kernel = (weir_join_kernel){"keys", a.type, key_type, a.type, false, copy_a};
    weir_stream keys = weir_distinct(wi_project(b, name, &b_key, NULL, key_type));
    weir_key by = wi_key_of_first(key_type, b_key.count);
    weir_stream some = wi_join(name, a, a_key, keys, by, kernel, NULL);
    keep(some, key_type);
    keep(some, kernel);
    return some;
}

weir_stream weir_semijoin(weir_stream a, weir_key a_key, weir_stream b, weir_key b_key)
{
    return wi_semijoin("semijoin", a, a_key, b, b_key);
}

weir_stream wi_antijoin(const char *name, weir_stream a, weir_key a_key, weir_stream b,
                        weir_key b_key)
{
    return weir_concat(a, weir_negate(wi_semijoin(name, a, a_key, b, b_key)));
}

weir_stream weir_antijoin(weir_stream a, weir_key a_key, weir_stream b, weir_key b_key)
{
    return wi_antijoin("antijoin", a, a_key, b, b_key);
}
