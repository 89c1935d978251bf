/* What a dataflow is, as text: with it workers, and processes, find out whether they have built
 * the same graph. All that frontiers and routes follow from is in it, so that two graphs
 * whose texts are equal behave alike; what the callbacks do, nobody can compare. */
#include "shared.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static void describe_op(FILE *to, const weir_op *op)
{
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

wi_outline wi_outline_of(const wi_flow *flow)
{
    char *text = NULL, *dims = wi_dims_describe(flow);
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);
    wi_assert(to, "memory streams open");
    fprintf(to, "%s%c%s%c", flow->root.name, 0, dims, 0);
    for (uint32_t i = 0; i < flow->op_count; i++) {
        fprintf(to, "%s%c", flow->ops[i]->name, 0);
        describe_op(to, flow->ops[i]);
        fputc(0, to);
    }
    fclose(to);
    free(dims);
    return (wi_outline){text, bytes};
}

/* ---- comparing -------------------------------------------------------------------------- */

/* NULL: there is none left. */
static const char *next_text(wi_outline *rest)
{
    char *text = rest->text, *end = rest->bytes ? memchr(text, 0, rest->bytes) : NULL;
    if (!end)
        return NULL;
    rest->bytes -= (size_t)(end + 1 - text);
    rest->text = end + 1;
    return text;
}

/* A name that one graph has and another may not have. */
#define NAME_OR_NOTHING(name) (name) ? "`" : "", (name) ? (name) : "nothing", (name) ? "`" : ""

/* The first operator that is not the same; NULL: there is none. */
static weir_err *compare_ops(const char *flow, const wi_builders *by, wi_outline ours,
                             wi_outline theirs)
{
    for (uint32_t i = 0;; i++) {
        const char *name = next_text(&ours), *their_name = next_text(&theirs);
        const char *text = next_text(&ours), *their_text = next_text(&theirs);
        if (!name && !their_name)
            return NULL;
        if (!text || !their_text || strcmp(name, their_name) != 0)
            return weir_err_new("dataflow `%s`: %s %u built %s%s%s as operator %u, %s %u built "
                                "%s%s%s; %s",
                                flow, by->kind, by->ours, NAME_OR_NOTHING(name), i, by->kind,
                                by->theirs, NAME_OR_NOTHING(their_name), by->rule);
        if (strcmp(text, their_text) != 0)
            return weir_err_new("dataflow `%s`: %s %u built operator %u `%s` as {%s}, %s %u as "
                                "{%s}; %s",
                                flow, by->kind, by->ours, i, name, text, by->kind, by->theirs,
                                their_text, by->rule);
    }
}

weir_err *wi_outline_compare(const wi_builders *by, wi_outline ours, wi_outline theirs)
{
    if (ours.bytes == theirs.bytes && memcmp(ours.text, theirs.text, ours.bytes) == 0)
        return NULL;
    const char *name = next_text(&ours), *their_name = next_text(&theirs);
    const char *dims = next_text(&ours), *their_dims = next_text(&theirs);
    if (!dims || !their_dims)
        return weir_err_new("%s %u sent a graph that ends early", by->kind, by->theirs);
    if (strcmp(name, their_name) != 0)
        return weir_err_new("%s %u built dataflow `%s` where %s %u built `%s`; every %s must build "
                            "the same dataflows in the same order",
                            by->kind, by->ours, name, by->kind, by->theirs, their_name, by->kind);
    if (strcmp(dims, their_dims) != 0)
        return weir_err_new("dataflow `%s`: %s %u declared the dimensions (%s), %s %u (%s); %s",
                            name, by->kind, by->ours, dims, by->kind, by->theirs, their_dims,
                            by->rule);
    return compare_ops(name, by, ours, theirs);
}
