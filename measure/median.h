/* SPDX-License-Identifier: MIT */
/*
 * median.h - the middle of repeated measurements, which a few that were disturbed do not move.
 */
#ifndef MMARN_MEASURE_MEDIAN_H
#define MMARN_MEASURE_MEDIAN_H

#include <stddef.h>

/* Sorts the values, of which there is at least one; of an even number the upper one of the two in the middle. */
double median_of(double *values, size_t count);

#endif
