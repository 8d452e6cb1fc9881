/* SPDX-License-Identifier: MIT */
/*
 * operator.h - the library's calls on one rank's data: an operator from its weights, a whole step, and the matmul
 * alone.
 */
#ifndef MMARN_MEASURE_OPERATOR_H
#define MMARN_MEASURE_OPERATOR_H

#include "data.h"

mmarn_status operator_create(const struct workload *workload, const struct data *data, mmarn_comm *comm, mmarn_op **op);

/* Both are timed. */
typedef mmarn_status operator_step(const struct workload *workload, const struct data *data, mmarn_op *op);
operator_step operator_run, operator_matmul;

#endif
