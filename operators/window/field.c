/* The field of a row that has its event time; see field.h. */
#include "field.h"

#include <stdlib.h>

static bool is_time(const weir_field *field)
{
    return field && field->elements == 1 &&
           (field->kind == WEIR_KIND_i64 || field->kind == WEIR_KIND_weir_time_ms ||
            field->kind == WEIR_KIND_weir_time_us);
}

uint32_t wi_time_field(weir_stream in, const char *name, const char *what, const char *field)
{
    const weir_field *found = field ? weir_type_find(in.type, field) : NULL;
    if (is_time(found))
        return found->offset;
    char *has = weir_type_text(in.type);
    weir_scope_fail(in.scope, "%s: its %s is to be an i64 (or a time) field of %s, not `%s`", name,
                    what, has, field ? field : "(nothing)");
    free(has);
    return 0;
}

void wi_same_unit(weir_scope *scope, const char *name, const weir_type *a, const char *a_field,
                  const weir_type *b, const char *b_field)
{
    const weir_field *x = a_field ? weir_type_find(a, a_field) : NULL;
    const weir_field *y = b_field ? weir_type_find(b, b_field) : NULL;
    if (!is_time(x) || !is_time(y) || x->kind == y->kind || x->kind == WEIR_KIND_i64 ||
        y->kind == WEIR_KIND_i64)
        return;
    weir_scope_fail(scope, "%s: `%s` is %s, and `%s` is %s; they have to be in one unit", name,
                    a_field, weir_kind_name(x->kind), b_field, weir_kind_name(y->kind));
}
