/*
 * check.h - the one place where arguments are checked. Checks come in the specification's order: null pointers, ranks
 * and shapes, empty tensors, then dtypes, layouts and options; so every check is split by phase, and each door runs the
 * phases over all that it was given. Below this, only assertions.
 */
#ifndef MMARN_OP_CHECK_H
#define MMARN_OP_CHECK_H

#include <stdbool.h>

#include "gemm/gemm.h"
#include "mmarn/mmarn.h"

/* The tensors of one step. x is x1 for the operator, and the summand for the parts alone. */
struct op_io {
    const mmarn_tensor *x, *residual, *y, *norm_out;
};

/* Weights and options: phases of the operator's configuration. */
mmarn_status check_config_nulls(const mmarn_op_config *config);
mmarn_status check_config_shapes(const mmarn_op_config *config);
mmarn_status check_config_options(const mmarn_op_config *config);

/* x2 as the matmul reads it; it has passed the checks. */
struct gemm_weights check_weights(const mmarn_tensor *x2);

/* One step of an operator with these weights. *empty is set when there is nothing to do. */
mmarn_status check_io_nulls(const struct op_io *io);
mmarn_status check_io_shapes(const struct op_io *io, const mmarn_tensor *x2, bool *empty);
mmarn_status check_io_options(const struct op_io *io, const mmarn_op_config *config);

/* mmarn_op_matmul. */
mmarn_status check_matmul(const mmarn_tensor *x1, const mmarn_tensor *x2, const mmarn_tensor *partial, bool *empty);

/* The parts alone. */
mmarn_status check_all_reduce(int32_t numerics, const mmarn_tensor *in, const mmarn_tensor *out, bool *empty);
mmarn_status check_all_reduce_norm(int32_t numerics, double epsilon, const struct op_io *io, const mmarn_tensor *gamma,
                                   bool *empty);

/* Product of all axes but the last: rows. */
int64_t check_rows(const mmarn_tensor *tensor);
int64_t check_last(const mmarn_tensor *tensor);

#endif
