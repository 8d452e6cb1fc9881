/* SPDX-License-Identifier: MIT */
/*
 * cases.h - models, and the cases that a selection of them comes to. A layer calls the operator twice: after attention
 * (o_proj) and after the feed-forward block (down_proj). Each rank has its slice of k, and all of n.
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
    bool first; /* of a block: cases with the same model, ranks and call */
};

/* The caller frees them. NULL when memory is short. */
struct layer_case *cases_make(const struct selection *selection, int *count);

/* Bytes that all ranks together must read or write once: weights, x1, residual, y and norm_out. */
double case_moved_bytes(const struct workload *workload);

/* Bytes of memory that the case lacks on this machine; not above 0 when it fits. */
double case_lacking_bytes(const struct workload *workload);

/* How long measuring it takes, roughly, while nothing else keeps the machine busy: from the best ceilings. */
double case_expected_seconds(const struct workload *workload, const struct peak *peak);

#endif
