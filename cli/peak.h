/*
 * peak.h - the machine's two ceilings, measured: fp32 multiply-adds and read bandwidth, with as many processes at once
 * as the work to be compared uses. A figure of the operator means something only next to these, from the same run.
 */
#ifndef MMARN_CLI_PEAK_H
#define MMARN_CLI_PEAK_H

#include <stdbool.h>
#include <stdint.h>

struct peak {
    int workers;      /* processes that measured at the same time */
    double gflops;    /* fp32, a multiply-add counted as two: the median of all passes, as times are medians too */
    double gigabytes; /* read per second: the median of all passes */
    double best_gflops, best_gigabytes;
    const char *level; /* which of the kernels below was the fastest */
};

/*
 * workers is capped at the processors; without `reading`, which takes memory, gigabytes is 0; a `brief` measurement is
 * less exact. False, with errno, when processes or memory cannot be had.
 */
bool peak_measure(int workers, bool reading, bool brief, struct peak *peak);

/*
 * Kernels, one per instruction set: `rounds` times PEAK_CHAINS independent multiply-adds, as wide as they come. Return
 * the number of floating-point operations done; *sink gets a result, so that they cannot be optimised away.
 */
enum { PEAK_CHAINS = 12 };
typedef int64_t peak_fn(int64_t rounds, float *sink);
peak_fn peak_ref, peak_avx2, peak_avx512;

#endif
