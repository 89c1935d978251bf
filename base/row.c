/* What follows from a type for its rows: equality, order and hash. All go field by field, so
 * they also serve rows that have not been pushed, whose padding may be anything. */
#include "type.h"

#include "hash.h"

bool weir_row_equal(const weir_type *type, const void *a, const void *b)
{
    const weir_field *field = weir_type_fields(type);
    for (uint32_t f = 0; f < type->field_count; f++, field++) {
        const char *a_at = (const char *)a + field->offset, *b_at = (const char *)b + field->offset;
        if (wi_kind_is_text(field->kind)
                ? !weir_text_equal((const weir_text *)a_at, (const weir_text *)b_at)
                : memcmp(a_at, b_at, field->bytes) != 0)
            return false;
    }
    return true;
}

/* NaNs come last, by their bits; of two equal numbers the negative zero comes first. */
static int compare_floats(double a, double b, uint64_t a_bits, uint64_t b_bits)
{
    if (a < b || a > b)
        return a < b ? -1 : 1;
    int by_bits = (a_bits > b_bits) - (a_bits < b_bits);
    if (a == b)
        return -by_bits;
    if ((a != a) != (b != b))
        return a != a ? 1 : -1;
    return by_bits;
}

static int compare_f32(const void *a, const void *b)
{
    float x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return compare_floats((double)x, (double)y, wi_load_unsigned(a, 4), wi_load_unsigned(b, 4));
}

static int compare_f64(const void *a, const void *b)
{
    double x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return compare_floats(x, y, wi_load_unsigned(a, 8), wi_load_unsigned(b, 8));
}

static int compare_unsigned(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int compare_signed(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int compare_element(weir_kind kind, const void *a, const void *b, uint32_t bytes)
{
    if (wi_kind_is_text(kind))
        return weir_text_compare(a, b);
    if (kind == WEIR_KIND_f32)
        return compare_f32(a, b);
    if (kind == WEIR_KIND_f64)
        return compare_f64(a, b);
    if (wi_kind_is_signed(kind))
        return compare_signed(wi_load_signed(a, bytes), wi_load_signed(b, bytes));
    return compare_unsigned(wi_load_unsigned(a, bytes), wi_load_unsigned(b, bytes));
}

int weir_row_compare(const weir_type *type, const void *a, const void *b)
{
    const weir_field *field = weir_type_fields(type);
    for (uint32_t f = 0; f < type->field_count; f++, field++) {
        uint32_t step = field->elements ? field->bytes / field->elements : 0;
        for (uint32_t i = 0; i < field->elements; i++) {
            size_t at = field->offset + (size_t)i * step;
            int order =
                compare_element(field->kind, (const char *)a + at, (const char *)b + at, step);
            if (order)
                return order;
        }
    }
    return 0;
}

uint64_t weir_row_hash(const weir_type *type, const void *row)
{
    const weir_field *field = weir_type_fields(type);
    uint64_t hash = 0;
    for (uint32_t f = 0; f < type->field_count; f++, field++) {
        const char *at = (const char *)row + field->offset;
        hash = wi_kind_is_text(field->kind) ? wi_hash_text(hash, (const weir_text *)at)
                                            : wi_hash_fixed(hash, at, field->bytes);
    }
    return type->field_count ? hash : wi_hash_fold(0, 0);
}
