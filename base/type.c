/* Row types: building them at run time, comparing and naming them. */
#include "type.h"

#include <stdio.h>
#include <stdlib.h>

#include "alloc.h"
#include "hash.h"

#define ROW_BYTES_MAX (1u << 30) /* exclusive; WEIR_ROW asserts the same */

typedef struct kind_facts {
    const char *name;
    uint32_t bytes, align;
} kind_facts;

#define KIND(kind) [WEIR_KIND_##kind] = {#kind, sizeof(WEIR_C_##kind), _Alignof(WEIR_C_##kind)}
static const kind_facts kinds[WEIR_KIND_count] = {
    KIND(i8),
    KIND(i16),
    KIND(i32),
    KIND(i64),
    KIND(u8),
    KIND(u16),
    KIND(u32),
    KIND(u64),
    KIND(f32),
    KIND(f64),
    [WEIR_KIND_bool] = {"bool", sizeof(bool), _Alignof(bool)},
    [WEIR_KIND_weir_time_ms] = {"time_ms", 8, _Alignof(int64_t)},
    [WEIR_KIND_weir_time_us] = {"time_us", 8, _Alignof(int64_t)},
    [WEIR_KIND_weir_byte] = {"byte", 1, 1},
    [WEIR_KIND_weir_text] = {"text", sizeof(weir_text), _Alignof(weir_text)},
    [WEIR_KIND_weir_bytes] = {"bytes", sizeof(weir_text), _Alignof(weir_text)},
};

const char *weir_kind_name(weir_kind kind)
{
    return (unsigned)kind < WEIR_KIND_count ? kinds[kind].name : "?";
}

/* ---- types built at run time ------------------------------------------------------------ */

static weir_err *spec_check(const char *type_name, const weir_field_spec *specs, uint32_t at)
{
    const weir_field_spec *spec = &specs[at];
    if (!spec->name || !*spec->name)
        return weir_err_new("type `%s`: field %u has no name", type_name, at + 1);
    if ((unsigned)spec->kind >= WEIR_KIND_count)
        return weir_err_new("type `%s`: field `%s` has no known kind (%d)", type_name, spec->name,
                            (int)spec->kind);
    if (spec->columns && !spec->rows)
        return weir_err_new("type `%s`: field `%s` has columns but no rows", type_name, spec->name);
    if (spec->rows && wi_kind_is_text(spec->kind))
        return weir_err_new("type `%s`: field `%s` is of any length (%s) and cannot be an array",
                            type_name, spec->name, weir_kind_name(spec->kind));
    for (uint32_t before = 0; before < at; before++)
        if (strcmp(specs[before].name, spec->name) == 0)
            return weir_err_new("type `%s`: two fields are named `%s`", type_name, spec->name);
    return NULL;
}

/* Places one field after `used` bytes; false if the row becomes too long. */
static bool field_place(weir_field *field, const weir_field_spec *spec, uint64_t *used)
{
    const kind_facts *facts = &kinds[spec->kind];
    uint64_t columns = spec->columns ? spec->columns : 1;
    uint64_t elements = (spec->rows ? spec->rows : 1) * columns;
    uint64_t offset = (*used + facts->align - 1) / facts->align * facts->align;
    if (elements >= ROW_BYTES_MAX || offset + elements * facts->bytes >= ROW_BYTES_MAX)
        return false;
    *field = (weir_field){.kind = spec->kind,
                          .offset = (uint32_t)offset,
                          .bytes = (uint32_t)elements * facts->bytes,
                          .elements = (uint32_t)elements,
                          .columns = (uint32_t)columns};
    *used = offset + field->bytes;
    return true;
}

/* One allocation: the type, its fields and an end mark, the names. */
static weir_type *type_alloc(const char *name, const weir_field_spec *specs, uint32_t count)
{
    size_t names_bytes = strlen(name) + 1;
    for (uint32_t i = 0; i < count; i++)
        names_bytes += strlen(specs[i].name) + 1;
    weir_type *type =
        wi_calloc(1, sizeof *type + (count + 1ull) * sizeof(weir_field) + names_bytes);
    weir_field *fields = (weir_field *)(type + 1);
    fields[count].kind = WEIR_KIND_count;
    type->name = strcpy((char *)(fields + count + 1), name);
    type->align = 1;
    type->field_count = count;
    type->table = fields;
    return type;
}

weir_type *weir_type_new(const char *name, const weir_field_spec *specs, uint32_t count,
                         weir_err **err_out)
{
    weir_err *err = name && *name ? NULL : weir_err_new("a type needs a name");
    for (uint32_t i = 0; i < count && !err; i++)
        err = spec_check(name, specs, i);
    if (err) {
        *err_out = err;
        return NULL;
    }
    weir_type *type = type_alloc(name, specs, count);
    weir_field *fields = (weir_field *)(type + 1);
    char *names = (char *)type->name + strlen(name) + 1;
    uint64_t used = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!field_place(&fields[i], &specs[i], &used)) {
            *err_out = weir_err_new("type `%s`: with field `%s` a row is longer than 1 GiB", name,
                                    specs[i].name);
            weir_type_free(type);
            return NULL;
        }
        fields[i].name = strcpy(names, specs[i].name);
        names += strlen(names) + 1;
        type->text_count += wi_kind_is_text(specs[i].kind);
        if (type->align < kinds[specs[i].kind].align)
            type->align = kinds[specs[i].kind].align;
    }
    type->size = (uint32_t)((used + type->align - 1) / type->align * type->align);
    return type;
}

void weir_type_free(weir_type *type)
{
    wi_free(type);
}

weir_type *wi_type_copy(const weir_type *of)
{
    uint32_t count = of->field_count;
    weir_type *type = wi_calloc(1, sizeof *type + (count + 1ull) * sizeof(weir_field));
    weir_field *fields = (weir_field *)(type + 1);
    *type = *of;
    type->name = "";
    type->describe = NULL;
    type->table = fields;
    for (uint32_t f = 0; f < count; f++) {
        fields[f] = weir_type_fields(of)[f];
        fields[f].name = "";
    }
    fields[count].kind = WEIR_KIND_count;
    return type;
}

/* ---- comparing and naming types --------------------------------------------------------- */

static bool field_same(const weir_field *a, const weir_field *b)
{
    return a->kind == b->kind && a->offset == b->offset && a->bytes == b->bytes &&
           a->columns == b->columns && strcmp(a->name, b->name) == 0;
}

bool weir_type_same(const weir_type *a, const weir_type *b)
{
    return a == b || (strcmp(a->name, b->name) == 0 && weir_type_fits(a, b));
}

bool weir_type_fits(const weir_type *a, const weir_type *b)
{
    if (a == b)
        return true;
    if (a->size != b->size || a->field_count != b->field_count)
        return false;
    const weir_field *a_fields = weir_type_fields(a), *b_fields = weir_type_fields(b);
    for (uint32_t f = 0; f < a->field_count; f++)
        if (!field_same(&a_fields[f], &b_fields[f]))
            return false;
    return true;
}

static uint64_t hash_name(uint64_t hash, const char *name)
{
    size_t length = strlen(name);
    return wi_hash_fold(wi_hash_fold(hash, length), wi_hash_bytes(name, length));
}

uint64_t weir_type_hash(const weir_type *type)
{
    uint64_t hash = hash_name(0, type->name);
    const weir_field *field = weir_type_fields(type);
    for (uint32_t f = 0; f < type->field_count; f++, field++) {
        hash = hash_name(hash, field->name);
        hash = hash_name(hash, weir_kind_name(field->kind));
        hash = wi_hash_fold(hash, (uint64_t)field->elements << 32 | field->columns);
    }
    return hash;
}

const weir_field *weir_type_find(const weir_type *type, const char *name)
{
    const weir_field *field = weir_type_fields(type);
    for (uint32_t f = 0; f < type->field_count; f++, field++)
        if (strcmp(field->name, name) == 0)
            return field;
    return NULL;
}

static void print_field(FILE *to, const weir_field *field)
{
    fprintf(to, "%s %s", field->name, weir_kind_name(field->kind));
    if (field->columns > 1)
        fprintf(to, "[%u][%u]", field->elements / field->columns, field->columns);
    else if (field->elements != 1)
        fprintf(to, "[%u]", field->elements);
}

char *weir_type_text(const weir_type *type)
{
    char *text = NULL;
    size_t length;
    FILE *to = open_memstream(&text, &length);
    if (!to)
        return wi_strdup(type->name);
    fprintf(to, "%s(", type->name);
    const weir_field *field = weir_type_fields(type);
    for (uint32_t f = 0; f < type->field_count; f++) {
        fputs(f ? ", " : "", to);
        print_field(to, &field[f]);
    }
    fputs(")", to);
    fclose(to);
    return text;
}

bool wi_type_padded(const weir_type *type)
{
    const weir_field *field = weir_type_fields(type);
    uint64_t bytes = 0;
    for (uint32_t f = 0; f < type->field_count; f++)
        bytes += field[f].bytes;
    return bytes != type->size;
}
