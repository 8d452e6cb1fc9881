/* SPDX-License-Identifier: MIT */
/*
 * split.h - where the time of one step of the library goes, added to parts[PARTS]. It is either measured (split.c),
 * which reads the clock around every tile, or not at all (split_none.c).
 */
#ifndef MMARN_BENCH_SPLIT_H
#define MMARN_BENCH_SPLIT_H

void split_begin(void);
void split_end(double *parts);

#endif
