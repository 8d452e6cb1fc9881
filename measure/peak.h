/* SPDX-License-Identifier: MIT */
/*
 * peak.h - measures the machine's ceilings: multiply-adds of each kind that the library's kernels use, and reading from
 * memory and from the last-level cache, with as many processes at once as the compared work uses. A figure of the
 * operator has a meaning only next to ceilings from the same run; workload_peak_kind gives the kind that a workload
 * belongs to.
 */
#ifndef MMARN_MEASURE_PEAK_H
#define MMARN_MEASURE_PEAK_H

#include <stdbool.h>
#include <stdint.h>

/* The kinds of multiply-add: fp32, fused; pairs of bf16 added to fp32; and int8 added to int32. */
enum peak_kind { PEAK_FP32, PEAK_BF16, PEAK_INT8, PEAK_KINDS };

extern const char *const peak_kind_names[PEAK_KINDS];

/* The kind with this name, as in `multiply` of a mmarn_op_description; PEAK_FP32 if there is none. */
enum peak_kind peak_kind_of(const char *name);

struct peak_rate {
    const char *level; /* the fastest of the kernels below; NULL: the processor has none of the kind */
    double gflops;     /* a multiply-add counts as two: the median of all passes, because times are medians too */
    double best_gflops;
};

/* Billions of bytes per second: the median of all passes, and the best one. Zeros if it was not measured. */
struct peak_reading {
    double gigabytes, best_gigabytes;
};

struct peak {
    int workers; /* processes that measured at the same time */
    struct peak_rate rate[PEAK_KINDS];
    struct peak_reading memory, cache;
};

/*
 * PEAK_MEMORY and PEAK_CACHE: also measure reading, from memory (which takes memory itself), and from the last-level
 * cache, if its size is known. PEAK_BRIEF: a shorter, less exact measurement.
 */
enum { PEAK_MEMORY = 1, PEAK_CACHE = 2, PEAK_BRIEF = 4 };

/*
 * workers is limited to the number of processors. what: the sum of the above, or 0. MMARN_CPU has no effect here.
 * False, with errno, when processes or memory cannot be had; EINTR when a signal ended it.
 */
bool peak_measure(int workers, unsigned what, struct peak *peak);

/*
 * Kernels, by kind and instruction set: `rounds` times up to PEAK_CHAINS independent multiply-adds, as wide as
 * possible. They return the number of operations done. *sink gets a result, so that they cannot be optimised away.
 */
enum { PEAK_CHAINS = 12 };
typedef int64_t peak_fn(int64_t rounds, float *sink);
peak_fn peak_fp32_ref, peak_fp32_avx2, peak_fp32_avx512;
peak_fn peak_bf16_avx512bf16;
peak_fn peak_int8_ref, peak_int8_avx2, peak_int8_avx512vnni;

/* Reads all words, at several places at once, which hides the latency of memory best; returns their sum. */
uint64_t peak_read(const uint64_t *words, int64_t count);

#endif
