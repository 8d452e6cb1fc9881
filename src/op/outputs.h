/* SPDX-License-Identifier: MIT */
/*
 * outputs.h - from a step to its epilogue: the outputs, the memory of rows that a norm reads twice, and gamma as the
 * norm multiplies by it.
 */
#ifndef MMARN_OP_OUTPUTS_H
#define MMARN_OP_OUTPUTS_H

#include "base/error.h"
#include "op/epilogue.h"
#include "op/types.h"

/* gamma as a norm uses it. */
struct op_gamma {
    const void *data; /* n elements; NULL: there is no norm */
    int32_t dtype;
};

/* 1 + gamma, n elements in fp32, in a block of its own; NULL when memory is short. */
float *outputs_gamma_plus_one(const mmarn_tensor *gamma);

/*
 * Fills the epilogue's tensors, rows and dtypes for a checked call; columns is n. *room is memory that the epilogue
 * needs until the call ends, or NULL if it needs none; the caller frees it with memory_free. Errors: MEMORY.
 */
bool outputs_open(const struct op_call *call, const struct op_gamma *gamma, int64_t columns, int threads,
                  struct op_epilogue *epilogue, void **room, struct error *error);

#endif
