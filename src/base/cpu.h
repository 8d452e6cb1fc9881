/* SPDX-License-Identifier: MIT */
/*
 * cpu.h - what this processor can do, and which of its features may be used. The environment variable MMARN_CPU can
 * only remove features; it is read once. Its value is "ref" for no features, or a list of feature names separated by
 * commas; each name allows its feature and those that the feature depends on. The second half, processors, is in
 * affinity.c.
 */
#ifndef MMARN_BASE_CPU_H
#define MMARN_BASE_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Bits of cpu_features, a set; each also needs the operating system's support (XCR0). AVX2 stands for AVX2 + FMA +
 * F16C, AVX512 for F + DQ + BW + VL. The last two are not abilities: 512-bit operations are done in two halves; and
 * instructions for pairs of bf16 do fewer multiply-adds than those of fp32.
 */
enum {
    CPU_AVX2 = 1u << 0,
    CPU_AVX512 = 1u << 1,
    CPU_AVX512VNNI = 1u << 2,
    CPU_AVX512BF16 = 1u << 3,
    CPU_HALVED = 1u << 4,
    CPU_SLOW_PAIRS = 1u << 5,
    CPU_TRAITS = CPU_HALVED | CPU_SLOW_PAIRS
};

/* Features that kernels may use. */
unsigned cpu_features(void);

/* A sentence on what is wrong with MMARN_CPU; NULL if nothing is wrong or it is not set. */
const char *cpu_complaint(void);

/* Features the processor has, whatever MMARN_CPU says. */
unsigned cpu_features_present(void);

/* The name of the last feature in the list above that cpu_features has, or "ref": a value of MMARN_CPU. */
const char *cpu_level(void);

/* Writes the features' names, separated by spaces ("none" when there are none). */
void cpu_features_text(unsigned features, char *buffer, size_t size);

/*
 * The processors that the calling thread and its team may use: by affinity mask and by the quota of control groups,
 * rounded up; at least 1. The next two give each limit alone; 0: there is no quota.
 */
int cpu_count(void);
int cpu_allowed(void);
double cpu_quota(void);

/* The share of cpu_count for each of this many ranks; at least 1. */
int cpu_share(int ranks);

/*
 * The processors that the calling thread and its team of this many threads may use, a bit for each: its affinity mask,
 * or the places in it where OpenMP's variables bind threads. All zeros if they cannot be known.
 */
void cpu_mask(int threads, uint64_t *mask, int words);

/*
 * Does the group leave processors idle while its ranks share fewer processors than there are ranks? mask: all that
 * ranks are bound to; bound: OpenMP's variables ask for binding on every rank. Several ranks on several processors may
 * be intended, unless the variables caused it. Fills the sentence.
 */
bool cpu_crowded(int ranks, const uint64_t *mask, int words, bool bound, char *sentence, size_t size);

/* The processor that the calling thread runs on, or -1. */
int cpu_current(void);

/* Moves the calling thread to an allowed processor that is not in taken, if there is one; its mask stays. */
void cpu_avoid(const int *taken, int count);

#endif
