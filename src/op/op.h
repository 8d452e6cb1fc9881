/* SPDX-License-Identifier: MIT */
/*
 * op.h - the operator's handle, and the calls behind the public functions. The callers have checked that handles and
 * pointers to results are not NULL, and have checked nothing else. Each function returns true, or false with *error
 * filled in.
 */
#ifndef MMARN_OP_OP_H
#define MMARN_OP_OP_H

#include "op/comm.h"
#include "op/outputs.h"
#include "op/weights.h"

struct mmarn_op {
    mmarn_comm *comm;
    struct op_kind kind;
    /* The options as given, except that x2 points to the description below, and pointers to copied arrays are NULL. */
    struct op_options options;
    mmarn_tensor x2; /* data is NULL if it has been packed */
    struct gemm_weights weights;
    struct op_gamma gamma; /* a copy */
    float *bias;           /* n elements, or NULL if this rank adds none */
    int32_t *sums;         /* the same for int8 x int8, added to the int32 sums */
    float *scale;          /* weights_scales: of the weights, or of the sums */
    float *offset;
};

/* op_create checks and packs. op_create_checked only packs, after every check has been made; its errors: MEMORY. */
bool op_create(mmarn_comm *comm, const mmarn_op_config *config, mmarn_op **op, struct error *error);
bool op_create_checked(mmarn_comm *comm, const struct op_options *options, mmarn_op **op, struct error *error);
void op_destroy(mmarn_op *op);

/*
 * The calls of the entry points. Each takes and leaves the group by itself, and tells its peers of what it refuses.
 * form: one with a norm, or MMARN_FORM_MM_ALL_REDUCE.
 */
bool op_run(mmarn_op *op, const mmarn_step *step, struct error *error);
bool op_once(mmarn_comm *comm, mmarn_form form, const mmarn_op_config *config, const mmarn_step *step,
             struct error *error);
bool op_all_reduce(mmarn_comm *comm, int32_t numerics, const mmarn_tensor *in, const mmarn_tensor *out,
                   struct error *error);
bool op_reduce_scatter(mmarn_comm *comm, int32_t numerics, const mmarn_tensor *in, const mmarn_tensor *out,
                       struct error *error);
bool op_all_gather(mmarn_comm *comm, const mmarn_tensor *in, const mmarn_tensor *out, struct error *error);
bool op_all_reduce_norm(mmarn_comm *comm, const mmarn_op_config *config, const mmarn_step *step, struct error *error);

/* Local calls. comm may be NULL for op_norm. */
bool op_describe(const mmarn_op *op, int64_t rows, mmarn_op_description *out, struct error *error);
bool op_matmul(mmarn_op *op, const mmarn_step *step, struct error *error);
bool op_norm(mmarn_comm *comm, const mmarn_op_config *config, const mmarn_step *step, struct error *error);

/* mmarn_check. */
bool op_check(mmarn_form form, int32_t rank, int32_t world_size, const mmarn_op_config *config, const mmarn_step *step,
              struct error *error);

#endif
