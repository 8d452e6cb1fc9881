/*
 * op.h - the operator's handle, and the collective calls behind the public doors. Arguments have passed no check yet.
 */
#ifndef MMARN_OP_OP_H
#define MMARN_OP_OP_H

#include "op/comm.h"
#include "op/weights.h"

struct mmarn_op {
    mmarn_comm *comm;
    struct op_kind kind;
    /* The options as given, but x2 points to the description below, and what is copied is NULL. */
    mmarn_op_config config;
    mmarn_tensor x2; /* data is NULL when it has been packed */
    struct gemm_weights weights;
    void *gamma; /* n elements */
    int32_t gamma_dtype;
    float *bias;   /* n elements, or NULL when this rank adds none */
    int32_t *sums; /* the same for int8 x int8, added to the int32 sums */
    float *scale;  /* weights_scales: of the weights, or of the sums */
    float *offset;
};

/* Checks and packs; or packs, when every check has been made. */
mmarn_status op_create(mmarn_comm *comm, const mmarn_op_config *config, mmarn_op **op);
mmarn_status op_create_checked(mmarn_comm *comm, const mmarn_op_config *config, mmarn_op **op);
void op_destroy(mmarn_op *op);

/* The doors' calls; each takes and leaves the group by itself, and refuses towards its peers what it refuses. */
mmarn_status op_run(mmarn_op *op, const struct op_io *io);
mmarn_status op_matmul(mmarn_op *op, const mmarn_tensor *x1, const mmarn_tensor *partial);
mmarn_status op_once(mmarn_comm *comm, const mmarn_op_config *config, const struct op_io *io);
mmarn_status op_all_reduce(mmarn_comm *comm, int32_t numerics, const mmarn_tensor *in, const mmarn_tensor *out);
/* epsilon is narrowed in here, whatever a compiler may know of the door's scope (base/float_env.h). */
mmarn_status op_all_reduce_norm(mmarn_comm *comm, int32_t numerics, double epsilon, const struct op_io *io,
                                const mmarn_tensor *gamma) __attribute__((noinline));

#endif
