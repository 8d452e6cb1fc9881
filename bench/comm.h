/* SPDX-License-Identifier: MIT */
/*
 * comm.h - an all-reduce in place, of another library or as described elsewhere. Each comm_*.c has one; a program links
 * one of them.
 */
#ifndef MMARN_BENCH_COMM_H
#define MMARN_BENCH_COMM_H

#include "control.h"

bool comm_start(struct member *member, const char *variant);
/* Can it sum this dtype? If not, sums are converted to fp32. */
bool comm_carries(int32_t dtype);
bool comm_all_reduce(void *data, int32_t dtype, int64_t count);
void comm_stop(void);
void comm_describe(char *text, int size);

#endif
