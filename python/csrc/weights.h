/* SPDX-License-Identifier: MIT */
/* weights.h - the weights and options of an operator, read from positional arguments. */
#ifndef MMARN_PYTHON_WEIGHTS_H
#define MMARN_PYTHON_WEIGHTS_H

#include "call.h"

/* The order of the arguments, here and in python/mmarn/op.py. */
enum weights_argument {
    WEIGHTS_X2,
    WEIGHTS_GAMMA,
    WEIGHTS_BIAS,
    WEIGHTS_EPSILON,
    WEIGHTS_REDUCE_OP,
    WEIGHTS_COMM_TURN,
    WEIGHTS_NUMERICS,
    WEIGHTS_BIAS_ONCE,
    WEIGHTS_STRICT,
    WEIGHTS_BORROW_X2,
    WEIGHTS_DEQUANT_SCALE,
    WEIGHTS_ANTIQUANT_SCALE,
    WEIGHTS_ANTIQUANT_OFFSET,
    WEIGHTS_ANTIQUANT_GROUP_SIZE,
    WEIGHTS_X2_DTYPE,
    WEIGHTS_GAMMA_PLUS_ONE,
    WEIGHTS_NORM_FIRST,
    WEIGHTS_SHARD_ROWS,
    WEIGHTS_ARGUMENTS
};

struct weights {
    mmarn_op_config config; /* points into the arrays and to ascend */
    mmarn_ascend_options ascend;
    struct array x2, gamma, bias, dequant_scale, antiquant_scale, antiquant_offset;
};

/* Failures go to the call. keep: x2 may be used for longer than its caller holds it. */
void weights_read(struct call *call, PyObject *const args[WEIGHTS_ARGUMENTS], bool keep, struct weights *weights);
void weights_release(struct weights *weights);

/* Of norm_out where x1 is int8, as far as gamma and the scales tell; 0: they do not. */
mmarn_dtype weights_int8_out(const struct weights *weights);

#endif
