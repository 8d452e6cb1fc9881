/* SPDX-License-Identifier: MIT */
/*
 * cases.h - models, and the cases of a selection of them. A layer calls the operator twice: after attention (o_proj)
 * and after the feed-forward block (down_proj). Each rank has its slice of k, and all of n.
 */
#ifndef MMARN_BENCH_LAYERS_CASES_H
#define MMARN_BENCH_LAYERS_CASES_H

#include "measure/peak.h"
#include "measure/workload.h"
#include "selection.h"

enum model_id { LLAMA_3_8B, LLAMA_2_70B, QWEN_2_5_7B, QWEN_3_32B };

struct layer_case {
    const char *model, *call;
    struct workload workload;
    bool first; /* of a block, that is of cases with the same model, ranks and call */
};

/* The caller frees them. NULL when memory is short. */
struct layer_case *cases_make(const struct selection *selection, int *count);

/* Bytes that all ranks together must read or write once: weights, x1, residual, y and norm_out. */
double case_moved_bytes(const struct workload *workload);

/* Bytes of memory that this machine lacks for the case; zero or less if it fits. */
double case_lacking_bytes(const struct workload *workload);

/* The approximate time to measure it, on a machine that does nothing else: from the best ceilings. */
double case_expected_seconds(const struct workload *workload, const struct peak *peak);

#endif
