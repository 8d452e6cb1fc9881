/*
 * ceilings.h - multiply-add kernels beyond fp32's, which cli/peak.h has. Each does `rounds` times CEILING_CHAINS
 * independent instructions and returns the number of operations; 0 when this processor has no such instruction.
 */
#ifndef MMARN_BENCH_CEILINGS_H
#define MMARN_BENCH_CEILINGS_H

#include <stdint.h>

enum { CEILING_CHAINS = 12 };
typedef double ceiling_fn(int64_t rounds);
ceiling_fn ceiling_int8, ceiling_bf16;

#endif
