/*
 * op.h - the operator's handle, and the collective calls behind the public doors. Arguments have passed no check yet.
 */
#ifndef MMARN_OP_OP_H
#define MMARN_OP_OP_H

#include "op/comm.h"
#include "op/outputs.h"
#include "op/weights.h"

struct mmarn_op {
    mmarn_comm *comm;
    struct op_kind kind;
    /* The options as given, but x2 points to the description below, and what is copied is NULL. */
    struct op_options options;
    mmarn_tensor x2; /* data is NULL when it has been packed */
    struct gemm_weights weights;
    struct op_gamma gamma; /* a copy */
    float *bias;           /* n elements, or NULL when this rank adds none */
    int32_t *sums;         /* the same for int8 x int8, added to the int32 sums */
    float *scale;          /* weights_scales: of the weights, or of the sums */
    float *offset;
};

/* Checks and packs; or packs, when every check has been made. */
mmarn_status op_create(mmarn_comm *comm, const mmarn_op_config *config, mmarn_op **op);
mmarn_status op_create_checked(mmarn_comm *comm, const struct op_options *options, mmarn_op **op);
void op_destroy(mmarn_op *op);

/*
 * The doors' calls; each takes and leaves the group by itself, and refuses towards its peers what it refuses.
 * form: with a norm, or MMARN_FORM_MM_ALL_REDUCE.
 */
mmarn_status op_run(mmarn_op *op, const mmarn_step *step);
mmarn_status op_once(mmarn_comm *comm, mmarn_form form, const mmarn_op_config *config, const mmarn_step *step);
mmarn_status op_all_reduce(mmarn_comm *comm, int32_t numerics, const mmarn_tensor *in, const mmarn_tensor *out);
mmarn_status op_reduce_scatter(mmarn_comm *comm, int32_t numerics, const mmarn_tensor *in, const mmarn_tensor *out);
mmarn_status op_all_gather(mmarn_comm *comm, const mmarn_tensor *in, const mmarn_tensor *out);
mmarn_status op_all_reduce_norm(mmarn_comm *comm, const mmarn_op_config *config, const mmarn_step *step);

/* rows is at least 1. Errors: ARGUMENT, UNSUPPORTED (struct_size). */
mmarn_status op_describe(const mmarn_op *op, int64_t rows, mmarn_op_description *out);

/* Local ones. comm may be NULL for op_norm. */
mmarn_status op_matmul(mmarn_op *op, const mmarn_step *step);
mmarn_status op_norm(mmarn_comm *comm, const mmarn_op_config *config, const mmarn_step *step);

#endif
