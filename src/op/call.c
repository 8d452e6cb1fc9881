/*
 * call.c - the terms of a call in the form that ranks compare, and what each numerics mode means for the pipeline.
 */
#include "op/call.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"

static const char *kind_text(int64_t kind)
{
    static const char *const texts[] = {"the whole operator", "all_reduce", "all_reduce_add_rms_norm"};
    return kind >= 0 && kind < 3 ? texts[kind] : "?";
}

static const char *numerics_text(int64_t numerics)
{
    static const char *const texts[] = {"default", "ascend", "fp32"};
    return numerics >= 0 && numerics < 3 ? texts[numerics] : "?";
}

static const char *epsilon_text(int64_t bits)
{
    static _Thread_local char texts[2][32];
    static _Thread_local unsigned turn;
    char *text = texts[turn++ % 2];
    uint32_t word = (uint32_t)bits;
    float epsilon;
    memcpy(&epsilon, &word, sizeof epsilon);
    snprintf(text, sizeof texts[0], "%.9g", (double)epsilon);
    return text;
}

static const char *flags_text(int64_t flags)
{
    return flags & MMARN_BIAS_ONCE ? "MMARN_BIAS_ONCE" : "0";
}

static const struct coll_field fields[COLL_FIELDS] = {
    {"the call", kind_text},     {"n", NULL},
    {"rows (b * s)", NULL},      {"dtype", dtype_name},
    {"numerics", numerics_text}, {"epsilon", epsilon_text},
    {"flags", flags_text},
};

void call_terms_set(struct op_pipeline *pipeline, const struct call_terms *terms)
{
    uint32_t epsilon;
    memcpy(&epsilon, &terms->epsilon, sizeof epsilon);
    int64_t values[COLL_FIELDS] = {
        terms->kind, terms->n, terms->rows, terms->dtype, terms->numerics, epsilon, terms->flags & MMARN_BIAS_ONCE,
    };
    pipeline->fields = fields;
    memcpy(pipeline->values, values, sizeof values);

    bool norm = terms->kind != CALL_ALL_REDUCE;
    bool wide = terms->numerics == MMARN_NUMERICS_FP32;
    struct op_sink *sink = &pipeline->sink;
    sink->dtype = terms->dtype;
    sink->epsilon = terms->epsilon;
    /* Without a residual the sum is the output, and is rounded once either way. */
    sink->sum_dtype = wide && norm ? MMARN_F32 : terms->dtype;
    sink->in_rank_order = terms->numerics == MMARN_NUMERICS_ASCEND;
    sink->round_twice = !wide;
    sink->rescale = !sink->in_rank_order;
}

void call_leave(mmarn_comm *comm)
{
    comm->call_name[0] = '\0';
    comm_leave(comm);
}

static void tell_and_leave(mmarn_comm *comm, const char *sentence)
{
    comm->coll->transport->refuse(comm->coll, sentence);
    call_leave(comm);
}

mmarn_status call_refuse(mmarn_comm *comm, mmarn_status status)
{
    tell_and_leave(comm, error_last());
    return status;
}

mmarn_status call_refuse_for_caller(mmarn_comm *comm, const char *sentence)
{
    mmarn_status status = comm_enter(comm);
    if (status == MMARN_OK)
        tell_and_leave(comm, sentence);
    return status;
}

mmarn_status call_skip(mmarn_comm *comm)
{
    comm->coll->transport->skip(comm->coll);
    call_leave(comm);
    return MMARN_OK;
}
