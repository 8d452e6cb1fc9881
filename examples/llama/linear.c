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
};

static bool allocate(struct buffers *buffers, struct linear_types types, const struct linear_weights *weights)
{
    const size_t n = (size_t)weights->n, k = (size_t)weights->k, size = float_size(types.activations);
    *buffers =
        (struct buffers){malloc(n * k * size), malloc(n * (k / INT4_GROUP + 1) * sizeof(uint16_t)), malloc(n * size)};
    return (buffers->x2 && buffers->scales && buffers->gamma) ||
           fail("there is no memory for weights of %zu x %zu", n, k);
}

/* The library wants a gamma of every operator; where only its matmul is used the values do not matter. */
static void fill_gamma(mmarn_dtype dtype, const struct linear_weights *weights, char *gamma)
{
    const float one = 1;
    if (weights->gamma)
        float_narrow(dtype, weights->gamma, gamma, weights->n);
    for (int64_t j = 0; !weights->gamma && j < weights->n; j++)
        float_narrow(dtype, &one, gamma + (size_t)j * float_size(dtype), 1);
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
    config->x2 = &x2;
    config->antiquant_scale = &scales;
    config->antiquant_group_size = grouped ? how.group : 0;
    return succeeded(mmarn_op_create(comm, config, op));
}

bool linear_create(mmarn_comm *comm, struct linear_types types, const struct linear_weights *weights, mmarn_op **op)
{
    struct buffers buffers;
    bool done = allocate(&buffers, types, weights);
    if (done) {
        fill_gamma(types.activations, weights, buffers.gamma);
        const mmarn_tensor gamma = mmarn_tensor_make(buffers.gamma, types.activations, 1, &weights->n);
        mmarn_op_config config = MMARN_OP_CONFIG_INIT;
        config.gamma = &gamma;
        config.epsilon = LLAMA_EPSILON;
        done = (types.weights == types.activations ? create_float : create_quantised)(comm, &config, types, weights,
                                                                                      &buffers, op);
    }
    free(buffers.x2);
    free(buffers.scales);
    free(buffers.gamma);
    return done;
}
