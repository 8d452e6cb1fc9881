/* SPDX-License-Identifier: MIT */
/*
 * forward.c - tokens through the layers. Twice in each, mmarn_op_run does a matmul, the sum over ranks, the residual
 * and the next norm; the matmuls before it are this rank's own. Between them everything is fp32 and local: rotations,
 * attention over this rank's heads, gates. Where rows are dealt out, each rank has its own of the residual stream, and
 * the norms of all are gathered for the next matmul.
 */
#include <math.h>
#include <string.h>

#include "fail.h"
#include "half.h"
#include "model.h"
#include "quantise.h"

static mmarn_tensor matrix(void *data, mmarn_dtype dtype, int64_t rows, int64_t columns)
{
    return mmarn_tensor_make(data, dtype, 2, (int64_t[]){rows, columns});
}

static mmarn_tensor activations(const struct model *model, void *data, int64_t rows, int64_t columns)
{
    return matrix(data, model->types.activations, rows, columns);
}

/* Columns of rows in int8, or in the activations' type. */
static mmarn_tensor rows_of(const struct model *model, bool int8, void *data, int64_t rows, int64_t columns)
{
    return matrix(data, int8 ? MMARN_I8 : model->types.activations, rows, columns);
}

/* wide = input @ weights, fp32; scale has one for each row of an input in int8, or is NULL. */
static bool run_local(struct model *model, mmarn_op *op, void *input, float *scale, float *wide, int64_t rows,
                      int64_t n)
{
    const mmarn_tensor x1 = rows_of(model, scale, input, rows, model->shape.dim);
    const mmarn_tensor x1_scale = mmarn_tensor_make(scale, MMARN_F32, 1, &rows);
    const mmarn_tensor partial = matrix(wide, MMARN_F32, rows, n);
    const mmarn_step step = {
        .struct_size = sizeof(step), .x1 = &x1, .x1_scale = scale ? &x1_scale : NULL, .mm_out = &partial};
    return succeeded(mmarn_op_matmul(op, &step));
}

/* This rank's rows of the residual stream and the norms: all of them, or its own. */
static struct range own_rows(const struct model *model, int64_t rows)
{
    struct range own = {0, rows};
    int32_t rank, world_size;
    if (model->types.shard_rows && mmarn_comm_rank(model->group, &rank, &world_size) == MMARN_OK)
        mmarn_shard(rows, rank, world_size, &own.first, &own.count);
    return own;
}

/* Rows from own.first on of the norm; the tensors of a norm_out, and of its scales where it is int8. */
struct norm_rows {
    mmarn_tensor rows, scale;
};
static struct norm_rows norm_rows(const struct model *model, struct range own, bool int8)
{
    const size_t row_bytes = (size_t)model->shape.dim * (int8 ? 1 : float_size(model->types.activations));
    void *first = (char *)model->norm + (size_t)own.first * row_bytes;
    return (struct norm_rows){rows_of(model, int8, first, own.count, model->shape.dim),
                              mmarn_tensor_make(model->norm_scale + own.first, MMARN_F32, 1, &own.count)};
}

/* Every rank's matmuls need the norms of all rows. */
static bool gather_norm(const struct model *model, int64_t rows, bool int8)
{
    const struct norm_rows own = norm_rows(model, own_rows(model, rows), int8);
    const struct norm_rows all = norm_rows(model, (struct range){0, rows}, int8);
    if (!model->types.shard_rows)
        return true;
    return succeeded(mmarn_all_gather(model->group, &own.rows, &all.rows)) &&
           (!int8 || succeeded(mmarn_all_gather(model->group, &own.scale, &all.scale)));
}

static mmarn_tensor stream(const struct model *model, struct range own)
{
    const size_t row_bytes = (size_t)model->shape.dim * float_size(model->types.activations);
    return activations(model, (char *)model->x + (size_t)own.first * row_bytes, own.count, model->shape.dim);
}

/* x += sum over ranks of wide @ weights; norm = RMSNorm(x). last: for the classifier, which has float weights. */
static bool run_fused(struct model *model, mmarn_op *op, const float *wide, int64_t rows, int64_t k, bool last)
{
    const struct range own = own_rows(model, rows);
    const bool int8_in = model->types.int8_rows, int8_out = int8_in && !last;
    if (int8_in)
        quantise_rows(wide, rows, k, model->narrow, model->narrow_scale);
    else
        float_narrow(model->types.activations, wide, model->narrow, rows * k);
    const mmarn_tensor x1 = rows_of(model, int8_in, model->narrow, rows, k);
    const mmarn_tensor x1_scale = mmarn_tensor_make(model->narrow_scale, MMARN_F32, 1, &rows);
    const mmarn_tensor x = stream(model, own);
    const struct norm_rows norm = norm_rows(model, own, int8_out);
    const mmarn_step step = {
        .struct_size = sizeof(step),
        .x1 = &x1,
        .x1_scale = int8_in ? &x1_scale : NULL,
        .residual = &x,
        .y = &x,
        .norm_out = &norm.rows,
        .norm_scale = int8_out ? &norm.scale : NULL,
    };
    return succeeded(mmarn_op_run(op, &step)) && gather_norm(model, rows, int8_out);
}

/* Turns the pairs of neighbours of each head by their position's angles. */
static void rotate(const struct model *model, float *vector, int64_t heads, int64_t position)
{
    const int64_t half = model->shape.head_dim / 2;
    const float *turn = model->rotations + position * half * 2;
    for (int64_t i = 0; i < heads * half; i++) {
        const float c = turn[i % half * 2], s = turn[i % half * 2 + 1], a = vector[2 * i], b = vector[2 * i + 1];
        vector[2 * i] = a * c - b * s;
        vector[2 * i + 1] = a * s + b * c;
    }
}

/*
 * One head at one position: the values of all positions up to it, weighted by softmax(query . key / sqrt(head_dim)).
 * One pass: when a larger score appears, what has been summed is scaled down to it.
 */
static void attend_head(const float *query, const float *keys, const float *values, int64_t stride, int64_t positions,
                        int64_t head_dim, float *out)
{
    float largest = -INFINITY, total = 0;
    memset(out, 0, (size_t)head_dim * sizeof(*out));
    for (int64_t t = 0; t < positions; t++) {
        float score = 0;
        for (int64_t i = 0; i < head_dim; i++)
            score += query[i] * keys[t * stride + i];
        score /= sqrtf((float)head_dim);
        const float highest = score > largest ? score : largest;
        const float old = expf(largest - highest), weight = expf(score - highest);
        total = total * old + weight;
        for (int64_t i = 0; i < head_dim; i++)
            out[i] = out[i] * old + weight * values[t * stride + i];
        largest = highest;
    }
    for (int64_t i = 0; i < head_dim; i++)
        out[i] /= total;
}

/* All of this rank's heads at one position. qkv is that position's. */
static void attend(const struct model *model, int64_t layer, int64_t position, float *qkv, float *out)
{
    const struct shard *shard = &model->shard;
    const int64_t head_dim = model->shape.head_dim, heads_each = model->shape.heads / model->shape.kv_heads;
    const int64_t q_dim = shard->heads.count * head_dim, kv_dim = shard->kv_heads.count * head_dim;
    float *keys = model->keys + layer * model->positions * kv_dim;
    float *values = model->values + layer * model->positions * kv_dim;
    rotate(model, qkv, shard->heads.count + shard->kv_heads.count, position); /* the keys lie behind the queries */
    memcpy(keys + position * kv_dim, qkv + q_dim, (size_t)kv_dim * sizeof(*keys));
    memcpy(values + position * kv_dim, qkv + q_dim + kv_dim, (size_t)kv_dim * sizeof(*values));
    for (int64_t h = 0; h < shard->heads.count; h++) {
        const int64_t kv = ((shard->heads.first + h) / heads_each - shard->kv_heads.first) * head_dim;
        attend_head(qkv + h * head_dim, keys + kv, values + kv, kv_dim, position + 1, head_dim, out + h * head_dim);
    }
}

/* Of the norm's rows, as a layer's matmuls take them. */
static float *norm_scale(const struct model *model)
{
    return model->types.int8_rows ? model->norm_scale : NULL;
}

static bool run_attention(struct model *model, int64_t index, int64_t rows, int64_t first)
{
    const struct layer *layer = &model->layers[index];
    const int64_t k = model_out_k(model), kv_dim = model->shard.kv_heads.count * model->shape.head_dim;
    const int64_t n = k + 2 * kv_dim;
    float *out = model->wide + rows * n;
    memset(out, 0, (size_t)(rows * k) * sizeof(*out)); /* what a rank without heads contributes */
    if (layer->qkv && !run_local(model, layer->qkv, model->norm, norm_scale(model), model->wide, rows, n))
        return false;
    for (int64_t row = 0; layer->qkv && row < rows; row++)
        attend(model, index, first + row, model->wide + row * n, out + row * k);
    return run_fused(model, layer->out, out, rows, k, false);
}

static bool run_feed_forward(struct model *model, int64_t index, int64_t rows)
{
    const struct layer *layer = &model->layers[index];
    const int64_t k = model_down_k(model);
    float *out = model->wide + rows * 2 * k;
    memset(out, 0, (size_t)(rows * k) * sizeof(*out));
    if (layer->gate_up && !run_local(model, layer->gate_up, model->norm, norm_scale(model), model->wide, rows, 2 * k))
        return false;
    for (int64_t row = 0; layer->gate_up && row < rows; row++) {
        const float *gate = model->wide + row * 2 * k, *up = gate + k;
        for (int64_t i = 0; i < k; i++)
            out[row * k + i] = gate[i] / (1 + expf(-gate[i])) * up[i];
    }
    return run_fused(model, layer->down, out, rows, k, index + 1 == model->shape.layers);
}

/* x = the tokens' embeddings; norm = layer 0's first norm of it. The operator's norm, alone. */
static bool run_embedding(struct model *model, const int32_t *tokens, int64_t rows)
{
    const int64_t dim = model->shape.dim;
    const size_t bytes = (size_t)dim * float_size(model->types.activations);
    for (int64_t row = 0; row < rows; row++)
        memcpy((char *)model->x + (size_t)row * bytes, (char *)model->embedding + (size_t)tokens[row] * bytes, bytes);
    const struct range own = own_rows(model, rows);
    const bool int8 = model->types.int8_rows;
    const mmarn_tensor x = stream(model, own);
    const struct norm_rows norm = norm_rows(model, own, int8);
    const mmarn_tensor gamma = mmarn_tensor_make(model->first_norm, model->types.activations, 1, &dim);
    mmarn_op_config config = MMARN_OP_CONFIG_INIT;
    config.gamma = &gamma;
    config.epsilon = LLAMA_EPSILON;
    const mmarn_step step = {
        .struct_size = sizeof(step), .x1 = &x, .norm_out = &norm.rows, .norm_scale = int8 ? &norm.scale : NULL};
    return succeeded(mmarn_add_rms_norm(model->self, &config, &step)) && gather_norm(model, rows, int8);
}

/* Each rank fills its columns of the logits and leaves zeros elsewhere, so their sum is exact. */
static bool run_classifier(struct model *model, int64_t first_row, int64_t rows)
{
    const int64_t vocab = model->shape.vocab, n = model->shard.vocab.count;
    const size_t row_bytes = (size_t)model->shape.dim * float_size(model->types.activations);
    float *own = model->logits + LLAMA_ROWS * vocab;
    if (model->classifier &&
        !run_local(model, model->classifier, (char *)model->norm + (size_t)first_row * row_bytes, NULL, own, rows, n))
        return false;
    memset(model->logits, 0, (size_t)(rows * vocab) * sizeof(*model->logits));
    for (int64_t row = 0; row < rows; row++)
        memcpy(model->logits + row * vocab + model->shard.vocab.first, own + row * n, (size_t)n * sizeof(*own));
    const mmarn_tensor logits = matrix(model->logits, MMARN_F32, rows, vocab);
    return succeeded(mmarn_all_reduce(model->group, MMARN_NUMERICS_DEFAULT, &logits, &logits));
}

bool model_forward(struct model *model, const int32_t *tokens, int64_t count, int64_t first, bool all,
                   const float **logits)
{
    if (!run_embedding(model, tokens, count))
        return false;
    for (int64_t i = 0; i < model->shape.layers; i++)
        if (!run_attention(model, i, count, first) || !run_feed_forward(model, i, count))
            return false;
    *logits = model->logits;
    return all ? run_classifier(model, 0, count) : run_classifier(model, count - 1, 1);
}
