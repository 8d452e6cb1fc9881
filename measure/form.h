/* SPDX-License-Identifier: MIT */
/*
 * form.h - the operator's form that a workload runs: options of its configuration, the tensors of its step, and the
 * values that the reference expects.
 */
#ifndef MMARN_MEASURE_FORM_H
#define MMARN_MEASURE_FORM_H

#include "data.h"
#include "options.h"
#include "reference/bound.h"

enum form_id {
    FORM_WHOLE,         /* y and norm_out */
    FORM_MM_ALL_REDUCE, /* mm_out alone, in y's memory */
    FORM_NO_RESIDUAL,
    FORM_GAMMA_PLUS_ONE,
    FORM_NORM_FIRST,
    FORM_INT8, /* norm_out in int8, with a scale for each row */
    FORM_SHARDED,
    FORMS
};

/* Names for options and reports. */
extern const struct option_choice form_names[];

/* The flags of mmarn_op_config. */
uint32_t form_flags(int form);

/* What the reference computes from the sum. */
enum bound_form form_bound(int form);

/* This rank's rows of residual and the outputs: all rows, or its shard. */
void form_rows(const struct workload *workload, int rank, int64_t *first, int64_t *count);

/* After the last step: gathers the rows of the other ranks, so that every rank has all outputs. */
mmarn_status form_complete(const struct workload *workload, const struct data *data, mmarn_comm *comm);

#endif
