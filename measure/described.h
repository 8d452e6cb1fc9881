/* SPDX-License-Identifier: MIT */
/*
 * described.h - what the library says of an operator (mmarn_op_describe), in memory that processes can share: a
 * workload's own, as its ranks have it, or only what multiplies it, before there are any.
 */
#ifndef MMARN_MEASURE_DESCRIBED_H
#define MMARN_MEASURE_DESCRIBED_H

#include "mmarn/mmarn.h"
#include "workload.h"

/* Copies a description's texts and numbers; of one made by mmarn_op_describe. */
void described_set(struct described *described, const mmarn_op_description *description);

#endif
