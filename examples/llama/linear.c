/* SPDX-License-Identifier: MIT */
/*
 * linear.c - the configuration of mmarn_op_create for each type of weights. Float weights go in as the transposed view
 * of (n, k), as checkpoints have them; quantised ones as (k, n), because two int4 share a byte and n is even in every
 * layer, while a rank's share of k may be odd.
 */
#include "linear.h"

#include <stdlib.h>

#include "fail.h"
#include "half.h"
#include "quantise.h"

/* Rows of int4 weights that share a scale; the library groups when there are more than these. */
enum { INT4_GROUP = 32 };

struct buffers {
    void *x2, *scales, *gamma;
    float *wide_scales;
};

static bool allocate(struct buffers *buffers, struct linear_types types, const struct linear_weights *weights)
{
    const size_t n = (size_t)weights->n, k = (size_t)weights->k, size = float_size(types.activations);
    *buffers = (struct buffers){malloc(n * k * size), malloc(n * (k / INT4_GROUP + 1) * sizeof(uint16_t)),
                                malloc(n * size), malloc(n * sizeof(float))};
    return (buffers->x2 && buffers->scales && buffers->gamma && buffers->wide_scales) ||
           fail("there is no memory for weights of %zu x %zu", n, k);
}

static bool create_float(mmarn_comm *comm, mmarn_op_config *config, struct linear_types types,
                         const struct linear_weights *weights, const struct buffers *buffers, mmarn_op **op)
{
    float_narrow(types.weights, weights->rows, buffers->x2, weights->n * weights->k);
    const int64_t shape[2] = {weights->n, weights->k};
    const mmarn_tensor rows = mmarn_tensor_make(buffers->x2, types.weights, 2, shape);
    const mmarn_tensor x2 = mmarn_tensor_transpose(&rows);
    config->x2 = &x2;
    return succeeded(mmarn_op_create(comm, config, op));
}

/* int8 or int4 weights with scales in f16; for rows in int8 the scales of channels are widened to fp32. */
static bool create_quantised(mmarn_comm *comm, mmarn_op_config *config, struct linear_types types,
                             const struct linear_weights *weights, const struct buffers *buffers, mmarn_op **op)
{
    const int64_t k = weights->k, n = weights->n;
    const bool grouped = types.weights == MMARN_I4 && k > INT4_GROUP;
    const struct quantise how = {k, n, grouped ? INT4_GROUP : k, types.weights == MMARN_I4 ? 7 : 127};
    quantise_weights(&how, weights->rows, buffers->x2, buffers->scales);

    const int64_t shape[2] = {k, n}, scale_shape[2] = {(k + how.group - 1) / how.group, n};
    const mmarn_tensor x2 = mmarn_tensor_make(buffers->x2, types.weights, 2, shape);
    const mmarn_tensor scales = mmarn_tensor_make(buffers->scales, MMARN_F16, 2, scale_shape);
    const mmarn_tensor wide = mmarn_tensor_make(buffers->wide_scales, MMARN_F32, 1, &n);
    for (int64_t j = 0; types.int8_rows && j < n; j++)
        buffers->wide_scales[j] = half_to_float(((const uint16_t *)buffers->scales)[j]);
    config->x2 = &x2;
    config->antiquant_scale = types.int8_rows ? NULL : &scales;
    config->dequant_scale = types.int8_rows ? &wide : NULL;
    config->antiquant_group_size = grouped ? how.group : 0;
    return succeeded(mmarn_op_create(comm, config, op));
}

bool linear_create(mmarn_comm *comm, struct linear_types types, const struct linear_weights *weights, mmarn_op **op)
{
    struct buffers buffers;
    bool done = allocate(&buffers, types, weights);
    if (done) {
        const mmarn_tensor gamma = mmarn_tensor_make(buffers.gamma, types.activations, 1, &weights->n);
        mmarn_op_config config = MMARN_OP_CONFIG_INIT;
        if (weights->gamma) {
            float_narrow(types.activations, weights->gamma, buffers.gamma, weights->n);
            config.gamma = &gamma;
            config.flags = types.shard_rows ? MMARN_SHARD_ROWS : 0;
        }
        config.epsilon = LLAMA_EPSILON;
        done = (types.weights == types.activations ? create_float : create_quantised)(comm, &config, types, weights,
                                                                                      &buffers, op);
    }
    free(buffers.x2);
    free(buffers.scales);
    free(buffers.gamma);
    free(buffers.wide_scales);
    return done;
}
