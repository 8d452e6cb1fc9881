/* SPDX-License-Identifier: MIT */
/*
 * mmarn_ascend.h - what only npu_mm_all_reduce_add_rms_norm of MindSpeed (aclnnMatmulAllReduceAddRmsNorm of CANN) has:
 * arguments that may have one value only, limits of its implementation, and its error numbers. Programs that do not
 * imitate that operator need none of this.
 */
#ifndef MMARN_ASCEND_H
#define MMARN_ASCEND_H

#include "mmarn.h"

#ifdef __cplusplus
extern "C" {
#endif

/* mmarn_ascend_options.flags */
enum {
    /*
     * Refuse what CANN's implementation refuses: world sizes other than 1, 2, 4 and 8, epsilon outside (0, 1), fp32
     * (for any tensor), int4, fp32 and per-token scales, a residual that is not (b, s, n), and k or n above 65535 in
     * the quantised scenarios. Also refuse what it does not have: steps without gamma, residual, y or norm_out; x3,
     * mm_out, rstd and norm_scale; and all flags except MMARN_BORROW_X2 and MMARN_BIAS_ONCE.
     */
    MMARN_ASCEND_LIMITS = 1
};

/* For mmarn_op_config.ascend. */
typedef struct mmarn_ascend_options {
    size_t struct_size;
    const char *reduce_op; /* NULL or "sum" */
    int64_t comm_turn;     /* 0 */
    uint64_t flags;        /* MMARN_ASCEND_LIMITS */
} mmarn_ascend_options;

#define MMARN_ASCEND_OPTIONS_INIT {sizeof(mmarn_ascend_options), NULL, 0, 0}

/* MMARN_ASCEND_OPTIONS_INIT as a function, as mmarn_comm_config_init. */
MMARN_API mmarn_status mmarn_ascend_options_init(mmarn_ascend_options *options, size_t struct_size);

/*
 * CANN's number for the calling thread's last failure: 0 before the first, 161001 (a null pointer), 161002 (a shape
 * that cannot be multiplied, or k = 0), 561002 (any other argument), 561000 (the call itself failed). Most useful with
 * MMARN_ASCEND_LIMITS.
 */
MMARN_API int32_t mmarn_last_code(void);

#ifdef __cplusplus
}
#endif
#endif
