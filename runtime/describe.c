/* What an operator is, as a line of text: with it workers find out whether they have built
 * the same graph. All that frontiers and routes follow from is in it, so that two graphs
 * whose lines are equal behave alike; what the callbacks do, nobody can compare. */
#include "runtime.h"

#include <stdio.h>
#include <stdlib.h>

#include "../base/assert.h"

static const char *const kinds[] = {"an operator", "the way into", "the way out of", "a feedback"};

static const char *field_at(const weir_type *type, uint32_t offset)
{
    const weir_field *fields = weir_type_fields(type);
    for (uint32_t i = 0; i < type->field_count; i++)
        if (fields[i].offset == offset)
            return fields[i].name;
    return "?";
}

static void describe_route(FILE *to, const weir_route *route)
{
    switch (route->kind) {
    case WEIR_I_LOCAL:
        return;
    case WEIR_I_KEYED:
        fprintf(to, ", exchanged by");
        for (uint32_t i = 0; i < route->key.count; i++)
            fprintf(to, " %s", field_at(route->key.type, route->key.offsets[i]));
        return;
    case WEIR_I_ROUTED:
        fprintf(to, ", routed by %s", route->kernel->name);
        return;
    case WEIR_I_TO_ALL:
        fprintf(to, ", broadcast");
        return;
    case WEIR_I_TO_ONE:
        fprintf(to, ", gathered at worker %u", route->worker);
        return;
    }
}

static void describe_summary(FILE *to, const weir_summary *summary)
{
    for (int i = 0; i < summary->dims_out; i++)
        fprintf(to, "%s+%llu", i ? " " : "", (unsigned long long)summary->add[i]);
}

char *wi_op_describe(const weir_op *op)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);
    wi_assert(to, "memory streams open");
    fprintf(to, "%s `%s`", kinds[op->kind], op->boundary ? op->boundary->name : op->scope->name);
    if (op->logic->stateless)
        fprintf(to, ", stateless");
    if (op->logic->source)
        fprintf(to, ", a source");
    if (op->kind == WI_NODE_FEEDBACK)
        describe_summary(to, &op->step);
    for (uint32_t i = 0; i < op->input_count; i++) {
        const wi_input_port *input = op->inputs[i];
        char *type = weir_type_text(input->type);
        fprintf(to, "; input %u: %s from operator %u output %u", i, type, input->from_op,
                input->from_port);
        free(type);
        describe_route(to, &input->route);
    }
    for (uint32_t i = 0; i < op->output_count; i++) {
        char *type = weir_type_text(op->outputs[i]->type);
        fprintf(to, "; output %u: %s", i, type);
        free(type);
    }
    for (uint32_t i = 0; i < op->summary_count; i++) {
        const wi_pair_summary *pair = &op->summaries[i];
        fprintf(to, "; input %u to output %u: ", pair->input, pair->output);
        if (pair->unrelated)
            fprintf(to, "nothing");
        else
            describe_summary(to, &pair->summary);
    }
    fclose(to);
    return text;
}

/* "epoch", or "system, valid". */
char *wi_dims_describe(const wi_flow *flow)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);
    wi_assert(to, "memory streams open");
    for (int i = 0; i < flow->root.dims; i++)
        fprintf(to, "%s%s", i ? ", " : "", flow->dim_names[i]);
    fclose(to);
    return text;
}
