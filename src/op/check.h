/*
 * check.h - the one place where arguments are checked. Checks come in the specification's order: null pointers, ranks
 * and shapes that make a product, empty tensors, then everything else; so every check is split by phase, and each door
 * runs the phases over all that it was given. Below this, only assertions.
 */
#ifndef MMARN_OP_CHECK_H
#define MMARN_OP_CHECK_H

#include <stdbool.h>

#include "base/arithmetic.h"
#include "mmarn/mmarn.h"

/* Runs checks one after another, up to the first that fails. */
#define CHECK(call)                                                                                                    \
    do {                                                                                                               \
        mmarn_status check_status = (call);                                                                            \
        if (check_status != MMARN_OK)                                                                                  \
            return check_status;                                                                                       \
    } while (0)

/* Which of the three forms of the operator this is; which dtypes x1 and norm_out have follows from it. */
enum op_scenario { OP_FLOAT, OP_INT8, OP_WEIGHT_QUANT };
struct op_kind {
    enum op_scenario scenario;
    int32_t x_dtype;
    int32_t out_dtype; /* of norm_out; 0: the weights leave it to each step */
};
/* After check_config_nulls. */
struct op_kind op_kind_of(const mmarn_op_config *config);

/* The tensors of one step. x is x1 for the operator, and the summand for the parts alone. */
struct op_io {
    const mmarn_tensor *x, *residual, *y, *norm_out;
    const mmarn_tensor *x_scale; /* NULL, or per-token scales */
};
int32_t op_out_dtype(const struct op_kind *kind, const struct op_io *io);

/* Weights and options. world_size is the group's. */
mmarn_status check_config_nulls(const mmarn_op_config *config);
mmarn_status check_config_shapes(const mmarn_op_config *config);
mmarn_status check_config_options(const mmarn_op_config *config, int world_size);

/* One step of an operator with this configuration. *empty is set when there is nothing to do. */
mmarn_status check_io_nulls(const struct op_io *io);
mmarn_status check_io_shapes(const struct op_io *io, const mmarn_tensor *x2, bool *empty);
mmarn_status check_io_options(const struct op_io *io, const mmarn_op_config *config, const struct op_kind *kind);

/* mmarn_op_matmul. */
mmarn_status check_matmul(const mmarn_tensor *x1, const mmarn_op_config *config, const struct op_kind *kind,
                          const mmarn_tensor *partial, bool *empty);

/* The parts alone (check_parts.c). */
mmarn_status check_all_reduce(int32_t numerics, const mmarn_tensor *in, const mmarn_tensor *out, bool *empty);
mmarn_status check_all_reduce_norm(int32_t numerics, double epsilon, const struct op_io *io, const mmarn_tensor *gamma,
                                   bool *empty);

/* Pieces that the files above share. */
mmarn_status check_epsilon(double epsilon);
mmarn_status check_numerics(int32_t numerics);
mmarn_status check_float_dtype(const char *name, int32_t dtype);
mmarn_status check_vector(const char *name, const mmarn_tensor *vector, const char *of, int64_t n);
mmarn_status check_same_shape(const char *name, const mmarn_tensor *tensor, const char *like_name,
                              const mmarn_tensor *like);
/* A dtype that must be `dtype`, the one of `like`, or fp32. */
mmarn_status check_dtype_or_f32(const char *name, const mmarn_tensor *tensor, const char *like, int32_t dtype);
/*
 * The dtypes of residual and the outputs, norm_out's being that of `like`; contiguity of all; which of them may share
 * memory.
 */
mmarn_status check_outputs_memory(const struct op_io *io, const char *x_name, const char *like, int32_t dtype);
mmarn_status check_outputs_apart(const struct op_io *io, const char *x_name, bool may_be_x);

/* Scales of quantised scenarios (check_scales.c). */
mmarn_status check_scales(const mmarn_op_config *config, const struct op_kind *kind);

#endif
