/* SPDX-License-Identifier: MIT */
/*
 * model.c - cutting the checkpoint's matrices into this rank's operators. Matrices whose outputs are divided (queries,
 * keys, values, gate, up, classifier) are cut by rows, those whose inputs are divided (out, down) by columns.
 */
#include "model.h"

#include <math.h>
#include <stdlib.h>

#include "fail.h"
#include "half.h"

/* The base of the rotations' wavelengths, which the format leaves unsaid. */
static const double ROTATION_BASE = 10000;

int64_t model_out_k(const struct model *model)
{
    const int64_t k = model->shard.heads.count * model->shape.head_dim;
    return k > 0 ? k : 1;
}

int64_t model_down_k(const struct model *model)
{
    return model->shard.hidden.count > 0 ? model->shard.hidden.count : 1;
}

/* ------------------------------------------------------------------------------------------------------- weights */

struct loader {
    struct model *model;
    const struct checkpoint *checkpoint;
    float *weights; /* room for the largest of this rank's matrices */
    float *gamma;   /* (dim) */
};

/* Rows first .. first + count - 1 of a tensor, to the loader's weights from row `to` on. */
static bool read_rows(const struct loader *loader, enum llama_tensor tensor, int64_t layer, struct range rows,
                      int64_t to)
{
    const int64_t columns = loader->checkpoint->places[tensor].columns;
    const struct llama_part part = {tensor, layer, rows.first, rows.count, 0, columns};
    return checkpoint_read(loader->checkpoint, &part, loader->weights + to * columns);
}

static bool read_gamma(const struct loader *loader, enum llama_tensor tensor, int64_t layer)
{
    const struct llama_part part = {tensor, layer, 0, 1, 0, loader->model->shape.dim};
    return checkpoint_read(loader->checkpoint, &part, loader->gamma);
}

/* A matmul of this rank alone, of the rows that were read. */
static bool create_local(const struct loader *loader, struct linear_types types, int64_t n, mmarn_op **op)
{
    const struct linear_weights weights = {loader->weights, n, loader->model->shape.dim, NULL};
    return linear_create(loader->model->self, types, &weights, op);
}

/* A matmul that all ranks share, with what follows it. columns are this rank's. */
static bool create_fused(const struct loader *loader, enum llama_tensor tensor, int64_t layer, struct range columns,
                         mmarn_op **op)
{
    const int64_t dim = loader->model->shape.dim;
    const struct llama_part part = {tensor, layer, 0, dim, columns.first, columns.count};
    const struct linear_weights weights = {loader->weights, dim, columns.count > 0 ? columns.count : 1, loader->gamma};
    for (int64_t i = 0; columns.count == 0 && i < dim; i++)
        loader->weights[i] = 0;
    if (columns.count > 0 && !checkpoint_read(loader->checkpoint, &part, loader->weights))
        return false;
    return linear_create(loader->model->group, loader->model->types, &weights, op);
}

static bool load_attention(const struct loader *loader, int64_t index, struct layer *layer)
{
    const struct model *model = loader->model;
    const int64_t head_dim = model->shape.head_dim;
    const struct range q = {model->shard.heads.first * head_dim, model->shard.heads.count * head_dim};
    const struct range kv = {model->shard.kv_heads.first * head_dim, model->shard.kv_heads.count * head_dim};
    if (q.count > 0 && (!read_rows(loader, LLAMA_WQ, index, q, 0) || !read_rows(loader, LLAMA_WK, index, kv, q.count) ||
                        !read_rows(loader, LLAMA_WV, index, kv, q.count + kv.count) ||
                        !create_local(loader, model->types, q.count + 2 * kv.count, &layer->qkv)))
        return false;
    return read_gamma(loader, LLAMA_NORM_FFN, index) && create_fused(loader, LLAMA_WO, index, q, &layer->out);
}

static bool load_feed_forward(const struct loader *loader, int64_t index, struct layer *layer)
{
    const struct model *model = loader->model;
    const struct range hidden = model->shard.hidden;
    if (hidden.count > 0 &&
        (!read_rows(loader, LLAMA_W1, index, hidden, 0) || !read_rows(loader, LLAMA_W3, index, hidden, hidden.count) ||
         !create_local(loader, model->types, 2 * hidden.count, &layer->gate_up)))
        return false;
    const bool last = index + 1 == model->shape.layers;
    return read_gamma(loader, last ? LLAMA_NORM_LAST : LLAMA_NORM_ATT, last ? 0 : index + 1) &&
           create_fused(loader, LLAMA_W2, index, hidden, &layer->down);
}

/* The embedding is looked up and not multiplied, and the classifier is often the same table: neither is quantised. */
static bool load_ends(const struct loader *loader)
{
    struct model *model = loader->model;
    const mmarn_dtype dtype = model->types.activations;
    const struct linear_types types = {.weights = dtype, .activations = dtype};
    const size_t row_bytes = (size_t)model->shape.dim * float_size(dtype);
    for (int64_t row = 0; row < model->shape.vocab; row++) {
        if (!read_rows(loader, LLAMA_EMBEDDING, 0, (struct range){row, 1}, 0))
            return false;
        float_narrow(dtype, loader->weights, (char *)model->embedding + (size_t)row * row_bytes, model->shape.dim);
    }
    if (!read_gamma(loader, LLAMA_NORM_ATT, 0))
        return false;
    float_narrow(dtype, loader->gamma, model->first_norm, model->shape.dim);
    const struct range rows = model->shard.vocab;
    return rows.count == 0 || (read_rows(loader, LLAMA_CLASSIFIER, 0, rows, 0) &&
                               create_local(loader, types, rows.count, &model->classifier));
}

/* -------------------------------------------------------------------------------------------------------- memory */

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* count elements of a size; zeroed. Clears *enough when there is no memory. */
static void *room(int64_t count, size_t size, bool *enough)
{
    void *memory = calloc((size_t)larger(count, 1), size);
    *enough = *enough && memory;
    return memory;
}

static bool allocate(struct model *model)
{
    const struct llama_shape *shape = &model->shape;
    const size_t size = float_size(model->types.activations);
    const int64_t kv_dim = model->shard.kv_heads.count * shape->head_dim;
    const int64_t qkv = model_out_k(model) + 2 * kv_dim, hidden = model_down_k(model);
    const int64_t cache = shape->layers * model->positions * kv_dim;
    bool enough = true;
    model->embedding = room(shape->vocab * shape->dim, size, &enough);
    model->first_norm = room(shape->dim, size, &enough);
    model->layers = room(shape->layers, sizeof(*model->layers), &enough);
    model->rotations = room(model->positions * shape->head_dim, sizeof(float), &enough);
    model->keys = room(cache, sizeof(float), &enough);
    model->values = room(cache, sizeof(float), &enough);
    model->x = room(LLAMA_ROWS * shape->dim, size, &enough);
    model->norm = room(LLAMA_ROWS * shape->dim, size, &enough);
    model->narrow = room(LLAMA_ROWS * larger(model_out_k(model), hidden), size, &enough);
    model->norm_scale = room(LLAMA_ROWS, sizeof(float), &enough);
    model->narrow_scale = room(LLAMA_ROWS, sizeof(float), &enough);
    model->wide = room(LLAMA_ROWS * larger(qkv + model_out_k(model), 3 * hidden), sizeof(float), &enough);
    model->logits = room(LLAMA_ROWS * shape->vocab, 2 * sizeof(float), &enough);
    return enough || fail("there is no memory for the model");
}

static void fill_rotations(struct model *model)
{
    const int64_t half = model->shape.head_dim / 2;
    for (int64_t position = 0; position < model->positions; position++)
        for (int64_t i = 0; i < half; i++) {
            const double angle = (double)position * pow(ROTATION_BASE, -(double)i / (double)half);
            model->rotations[(position * half + i) * 2] = (float)cos(angle);
            model->rotations[(position * half + i) * 2 + 1] = (float)sin(angle);
        }
}

static struct linear_types types_of(const struct options *options)
{
    const bool quantised = options->dtype == MMARN_I8 || options->dtype == MMARN_I4;
    return (struct linear_types){.weights = options->dtype,
                                 .activations = quantised ? MMARN_F16 : options->dtype,
                                 .int8_rows = options->int8_rows,
                                 .shard_rows = options->sequence_parallel};
}

bool model_load(struct model *model, const struct checkpoint *checkpoint, const struct options *options,
                int64_t positions, mmarn_comm *group, mmarn_comm *self)
{
    int32_t rank, world_size;
    *model = (struct model){.shape = checkpoint->shape, .positions = positions, .group = group, .self = self};
    model->types = types_of(options);
    if (!succeeded(mmarn_comm_rank(group, &rank, &world_size)))
        return false;
    model->shard = shard_of(&model->shape, rank, world_size);
    if (!allocate(model))
        return false;

    const struct llama_shape *shape = &model->shape;
    const int64_t kv_dim = model->shard.kv_heads.count * shape->head_dim;
    const int64_t most_rows =
        larger(larger(model_out_k(model) + 2 * kv_dim, 2 * model_down_k(model)), larger(model->shard.vocab.count, 1));
    bool done = true;
    struct loader loader = {model, checkpoint, room(most_rows * shape->dim, sizeof(float), &done),
                            room(shape->dim, sizeof(float), &done)};
    if (!done)
        fail("there is no memory for the weights of one layer");
    for (int64_t i = 0; done && i < shape->layers; i++)
        done = load_attention(&loader, i, &model->layers[i]) && load_feed_forward(&loader, i, &model->layers[i]);
    done = done && load_ends(&loader);
    fill_rotations(model);
    free(loader.weights);
    free(loader.gamma);
    return done;
}

void model_free(struct model *model)
{
    for (int64_t i = 0; model->layers && i < model->shape.layers; i++) {
        mmarn_op_destroy(model->layers[i].qkv);
        mmarn_op_destroy(model->layers[i].out);
        mmarn_op_destroy(model->layers[i].gate_up);
        mmarn_op_destroy(model->layers[i].down);
    }
    mmarn_op_destroy(model->classifier);
    void *memory[] = {model->embedding, model->first_norm, model->layers,      model->rotations, model->keys,
                      model->values,    model->x,          model->norm,        model->narrow,    model->wide,
                      model->logits,    model->norm_scale, model->narrow_scale};
    for (size_t i = 0; i < sizeof(memory) / sizeof(*memory); i++)
        free(memory[i]);
    *model = (struct model){0};
}
