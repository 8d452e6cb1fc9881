/*
 * check.h - the one place where arguments are checked. Checks come in the original's order: null pointers, shapes that
 * make a product, empty tensors, then everything else; so every check is split by phase, and each door runs the phases
 * over all that it was given. Memory comes last and apart: mmarn_check has none. Below this, only assertions.
 */
#ifndef MMARN_OP_CHECK_H
#define MMARN_OP_CHECK_H

#include "op/types.h"

/* Runs checks one after another, up to the first that fails. */
#define CHECK(call)                                                                                                    \
    do {                                                                                                               \
        mmarn_status check_status = (call);                                                                            \
        if (check_status != MMARN_OK)                                                                                  \
            return check_status;                                                                                       \
    } while (0)

/*
 * A whole call, but for its memory (check_call.c): takes configuration and step in this library's sizes, and runs the
 * phases over both. form, rank and world_size of the call are set; the rest is set here, and points into options.
 * *empty is set when there is nothing to do.
 */
mmarn_status check_call(struct op_call *call, struct op_options *options, const mmarn_op_config *config,
                        const mmarn_step *step, bool *empty);
mmarn_status check_call_memory(const struct op_call *call);
/* Weights and options of an operator, but for their memory. */
mmarn_status check_weights(const mmarn_op_config *config, int world_size);
/* mmarn_check. */
mmarn_status check_without_a_group(mmarn_form form, int32_t rank, int32_t world_size, const mmarn_op_config *config,
                                   const mmarn_step *step);

/* The caller's configuration, and the original's options where it has some, in this library's sizes (growth.h). */
mmarn_status check_config_take(const mmarn_op_config *given, struct op_options *options);

/* A configuration with x2. world_size is the group's. */
mmarn_status check_config_nulls(const mmarn_op_config *config);
mmarn_status check_config_shapes(const mmarn_op_config *config);
mmarn_status check_config_options(const mmarn_op_config *config, int world_size);
mmarn_status check_config_memory(const mmarn_op_config *config);

/* One without x2: gamma for columns of x1's dtype. */
mmarn_status check_norm_nulls(const mmarn_op_config *config);
mmarn_status check_norm_options(const struct op_call *call);

/* One step (check_step.c). */
mmarn_status check_step_nulls(const struct op_call *call);
mmarn_status check_step_shapes(const struct op_call *call, bool *empty);
mmarn_status check_step_options(const struct op_call *call);
mmarn_status check_step_memory(const struct op_call *call);

/* mmarn_op_matmul's step, but for its memory (check_step.c). */
mmarn_status check_matmul(const struct op_call *call, bool *empty);

/* The original's limits (check_ascend.c), where the configuration asks for them. */
mmarn_status check_ascend_config(const mmarn_op_config *config, const struct op_kind *kind, int world_size);
mmarn_status check_ascend_step(const struct op_call *call);

/* The collectives alone, but for their memory (check_collective.c). */
mmarn_status check_all_reduce(int32_t numerics, const mmarn_tensor *in, const mmarn_tensor *out, bool *empty);
mmarn_status check_reduce_scatter(int32_t numerics, const mmarn_tensor *in, const mmarn_tensor *out, int rank,
                                  int world_size, bool *empty);
mmarn_status check_all_gather(const mmarn_tensor *in, const mmarn_tensor *out, int rank, int world_size, bool *empty);
/* out must be memory of its own; may_be_in: or in. */
mmarn_status check_parts_memory(const mmarn_tensor *in, const mmarn_tensor *out, bool may_be_in);
mmarn_status check_gather_memory(const mmarn_tensor *in, const mmarn_tensor *out, int rank, int world_size);

/* Pieces that the files above share. */
mmarn_status check_epsilon(double epsilon);
mmarn_status check_numerics(int32_t numerics);
mmarn_status check_flags(uint64_t flags, uint64_t known);
mmarn_status check_float_dtype(const char *name, int32_t dtype);
mmarn_status check_vector(const char *name, const mmarn_tensor *vector, const char *of, int64_t n);
mmarn_status check_same_shape(const char *name, const mmarn_tensor *tensor, const char *like_name,
                              const mmarn_tensor *like);
/* A dtype that must be `dtype`, the one of `like`, or fp32. */
mmarn_status check_dtype_or_f32(const char *name, const mmarn_tensor *tensor, const char *like, int32_t dtype);
/* Failures of the shape phase carry the original's code for a shape that cannot be multiplied. */
mmarn_status check_shape_phase(mmarn_status status);

/* Scales of quantised scenarios (check_scales.c). */
mmarn_status check_scales(const mmarn_op_config *config, const struct op_kind *kind);

#endif
