/* SPDX-License-Identifier: MIT */
/*
 * peak.h - the machine's ceilings, measured: multiply-adds of each kind that the library's kernels are made of, and
 * reading, from memory and from the last-level cache, with as many processes at once as the work to be compared uses.
 * A figure of the operator means something only next to these, from the same run; workload_peak_kind says which one a
 * workload belongs to.
 */
#ifndef MMARN_MEASURE_PEAK_H
#define MMARN_MEASURE_PEAK_H

#include <stdbool.h>
#include <stdint.h>

/* By what is multiplied: fp32 fused with its addition, pairs of bf16 added to fp32, and int8 added to int32. */
enum peak_kind { PEAK_FP32, PEAK_BF16, PEAK_INT8, PEAK_KINDS };

extern const char *const peak_kind_names[PEAK_KINDS];

/* The kind of that name, as `multiply` of a mmarn_op_description has it; PEAK_FP32 when there is none. */
enum peak_kind peak_kind_of(const char *name);

struct peak_rate {
    const char *level; /* which of the kernels below was the fastest; NULL: the processor has none of the kind */
    double gflops;     /* a multiply-add counted as two: the median of all passes, as times are medians too */
    double best_gflops;
};

/* Billions of bytes per second: the median of all passes, and the best one. Zeros when it was not measured. */
struct peak_reading {
    double gigabytes, best_gigabytes;
};

struct peak {
    int workers; /* processes that measured at the same time */
    struct peak_rate rate[PEAK_KINDS];
    struct peak_reading memory, cache;
};

/*
 * PEAK_MEMORY and PEAK_CACHE: measure reading too, from memory, which takes some, and from the last-level cache, where
 * its size is known. PEAK_BRIEF: a shorter measurement, less exact.
 */
enum { PEAK_MEMORY = 1, PEAK_CACHE = 2, PEAK_BRIEF = 4 };

/*
 * workers is capped at the processors, what: the sum of the above, or 0. MMARN_CPU lowers nothing here. False, with
 * errno, when processes or memory cannot be had; EINTR when a signal ended it.
 */
bool peak_measure(int workers, unsigned what, struct peak *peak);

/*
 * Kernels, by kind and instruction set: `rounds` times up to PEAK_CHAINS independent multiply-adds, as wide as they
 * come. Return the number of operations done; *sink gets a result, so that they cannot be optimised away.
 */
enum { PEAK_CHAINS = 12 };
typedef int64_t peak_fn(int64_t rounds, float *sink);
peak_fn peak_fp32_ref, peak_fp32_avx2, peak_fp32_avx512;
peak_fn peak_bf16_avx512bf16;
peak_fn peak_int8_ref, peak_int8_avx2, peak_int8_avx512vnni;

/* Reads all words, of several places at once, which is what hides the latency of memory best; returns their sum. */
uint64_t peak_read(const uint64_t *words, int64_t count);

#endif
