/* SPDX-License-Identifier: MIT */
/*
 * described.h - what the library says about an operator (mmarn_op_describe), in memory that processes can share: about
 * a workload's own operator, from its ranks, or only its kind of multiply-add, before there are ranks.
 */
#ifndef MMARN_MEASURE_DESCRIBED_H
#define MMARN_MEASURE_DESCRIBED_H

#include "mmarn/mmarn.h"
#include "workload.h"

/* Copies the texts and numbers of a description made by mmarn_op_describe. */
void described_set(struct described *described, const mmarn_op_description *description);

#endif
