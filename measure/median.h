/* SPDX-License-Identifier: MIT */
/* median.h - the median of repeated measurements, which a few disturbed ones do not move. */
#ifndef MMARN_MEASURE_MEDIAN_H
#define MMARN_MEASURE_MEDIAN_H

#include <stddef.h>

/*
 * Sorts the values, of which there must be at least one. For an even number returns the upper of the two middle ones.
 */
double median_of(double *values, size_t count);

#endif
