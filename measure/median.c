/* SPDX-License-Identifier: MIT */
/* median.c - see median.h. */
#include "median.h"

#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
    const double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

double median_of(double *values, size_t count)
{
    qsort(values, count, sizeof(*values), ascending);
    return values[count / 2];
}
