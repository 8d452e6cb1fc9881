/* SPDX-License-Identifier: MIT */
/* call.c - the call descriptor in the form that ranks compare, and what each numerics mode means for the pipeline. */
#include "op/call.h"

#include <stdio.h>
#include <string.h>

/* Flags that change what other ranks compute. They are neighbouring bits, and flags_text relies on that. */
enum { AGREED_FLAGS = MMARN_BIAS_ONCE | MMARN_NORM_FIRST | MMARN_SHARD_ROWS };

static const char *kind_text(int64_t kind)
{
    static const char *const texts[] = {"the whole operator",      "mm_all_reduce",  "all_reduce",
                                        "all_reduce_add_rms_norm", "reduce_scatter", "all_gather"};
    const int64_t count = sizeof texts / sizeof *texts;
    return kind >= 0 && kind < count ? texts[kind] : "?";
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
    static const char *const texts[] = {
        "0",
        "MMARN_BIAS_ONCE",
        "MMARN_NORM_FIRST",
        "MMARN_BIAS_ONCE | MMARN_NORM_FIRST",
        "MMARN_SHARD_ROWS",
        "MMARN_BIAS_ONCE | MMARN_SHARD_ROWS",
        "MMARN_NORM_FIRST | MMARN_SHARD_ROWS",
        "MMARN_BIAS_ONCE | MMARN_NORM_FIRST | MMARN_SHARD_ROWS",
    };
    return texts[flags / MMARN_BIAS_ONCE % 8];
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
        terms->kind, terms->n, terms->rows, terms->dtype, terms->numerics, epsilon, terms->flags & AGREED_FLAGS,
    };
    pipeline->fields = fields;
    memcpy(pipeline->values, values, sizeof values);

    /* A sum that is itself the result is rounded once either way. */
    op_epilogue_round(&pipeline->epilogue, terms->numerics,
                      terms->kind != CALL_ALL_REDUCE && terms->kind != CALL_REDUCE_SCATTER);
    pipeline->epilogue.epsilon = terms->epsilon;
}

bool call_run(mmarn_comm *comm, const struct call_terms *terms, enum op_source_kind source,
              struct op_pipeline *pipeline, struct error *error)
{
    const struct op_plan plan = op_plan_make(comm->coll, source, terms->rows, terms->n,
                                             terms->flags & MMARN_SHARD_ROWS ? comm->coll->world_size : 1);
    pipeline->coll = comm->coll;
    pipeline->plan = &plan;
    pipeline->name = comm_call_name(comm);
    call_terms_set(pipeline, terms);
    const bool done = op_pipeline_run(pipeline, comm->threads, error);
    call_leave(comm);
    return done;
}

void call_leave(mmarn_comm *comm)
{
    comm_forget_name(comm);
    comm_leave(comm);
}

static void tell_and_leave(mmarn_comm *comm, const char *sentence)
{
    coll_refuse(comm->coll, sentence);
    call_leave(comm);
}

bool call_refuse(mmarn_comm *comm, const struct error *error)
{
    tell_and_leave(comm, error->sentence);
    return false;
}

bool call_refuse_for_caller(mmarn_comm *comm, const char *sentence, struct error *error)
{
    if (!comm_enter(comm, error))
        return false;
    tell_and_leave(comm, sentence);
    return true;
}

bool call_skip(mmarn_comm *comm)
{
    coll_skip(comm->coll);
    call_leave(comm);
    return true;
}
