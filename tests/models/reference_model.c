/* SPDX-License-Identifier: MIT */
/*
 * reference_model.c - the forward pass, position by position. Each function computes its exact result. A nudge stands
 * at every place where the example rounds, and does nothing if nudges are off.
 */
#include "reference_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double unit = 0x1p-24; /* of fp32 */

/* The tensors of the current layer, and the values that pass through it. */
struct pass {
    struct reference *reference;
    int dim, head_dim, kv_dim, position;
    double *x, *norm, *q, *attention, *gate, *up; /* of one position */
    double *keys, *values;                        /* (layers, seq_len, kv_dim) */
};

/* value, as the activations' type holds it. */
static double stored(struct reference *r, double value)
{
    const enum number number = r->number >= NUMBER_I8 ? NUMBER_F16 : r->number;
    return r->nudges ? value + reference_nudge(r, reference_half_step(number, value)) : value;
}

/* value after this many roundings of fp32. */
static double rounded(struct reference *r, double value, double roundings)
{
    return r->nudges ? value + reference_nudge(r, roundings * unit * fabs(value)) : value;
}

/* A sum of products as one chain of multiply-adds in fp32: each partial sum is rounded. */
static double dot(struct reference *r, const double *a, int a_stride, const double *b, int b_stride, int count)
{
    double sum = 0, squares = 0;
    for (int i = 0; i < count; i++) {
        sum += a[(long)i * a_stride] * b[(long)i * b_stride];
        squares += sum * sum;
    }
    return r->nudges ? sum + reference_nudge(r, unit * sqrt(squares)) : sum;
}

/*
 * Moves a row as its conversion to int8 may, if activations are int8: by up to half a scale, which is the largest /
 * 127. Ranks that divide the row's units, heads or hidden columns, have a scale each.
 */
static void squeeze(struct reference *r, double *row, int count, int units)
{
    const int ranks = units == 1 ? 1 : r->ranks;
    for (int rank = 0; rank < ranks && r->nudges && r->number == NUMBER_W8A8; rank++) {
        const int first = units * rank / ranks * (count / units), end = units * (rank + 1) / ranks * (count / units);
        double largest = 0;
        for (int i = first; i < end; i++)
            largest = fmax(largest, fabs(row[i]));
        for (int i = first; i < end; i++)
            row[i] += reference_nudge(r, largest / 127 / 2);
    }
}

static void multiply(struct reference *r, const double *x, const double *weights, int n, int k, double *out)
{
    for (int j = 0; j < n; j++)
        out[j] = dot(r, x, 1, weights + (long)j * k, 1, k);
}

static void normalise(struct reference *r, const double *x, const double *gamma, double *out)
{
    double squares = 0;
    for (int i = 0; i < r->dim; i++)
        squares += x[i] * x[i];
    const double rstd = rounded(r, 1 / sqrt(squares / r->dim + 1e-5), 4);
    for (int i = 0; i < r->dim; i++)
        out[i] = stored(r, stored(r, x[i] * rstd) * gamma[i]);
}

static void rotate(const struct pass *pass, double *vector, int count)
{
    for (int i = 0; i < count; i += 2) {
        const double angle = pass->position * pow(10000, -(double)(i % pass->head_dim) / pass->head_dim);
        const double a = vector[i], b = vector[i + 1];
        vector[i] = rounded(pass->reference, a * cos(angle) - b * sin(angle), 2);
        vector[i + 1] = rounded(pass->reference, a * sin(angle) + b * cos(angle), 2);
    }
}

static void attend(const struct pass *pass, const double *keys, const double *values, const double *q, double *out)
{
    struct reference *r = pass->reference;
    double scores[4096], largest = -INFINITY, total = 0;
    for (int t = 0; t <= pass->position; t++) {
        scores[t] = dot(r, q, 1, keys + (long)t * pass->kv_dim, 1, pass->head_dim) / sqrt(pass->head_dim);
        scores[t] = rounded(r, scores[t], 1);
        largest = fmax(largest, scores[t]);
    }
    for (int t = 0; t <= pass->position; t++) {
        scores[t] = rounded(r, exp(scores[t] - largest), 4);
        total += scores[t];
    }
    for (int i = 0; i < pass->head_dim; i++)
        out[i] = stored(r, dot(r, scores, 1, values + i, pass->kv_dim, pass->position + 1) / rounded(r, total, 4));
}

/* x += the product; both are rounded. */
static void add_product(const struct pass *pass, const double *input, const double *weights, int k)
{
    struct reference *r = pass->reference;
    for (int j = 0; j < pass->dim; j++)
        pass->x[j] = stored(r, pass->x[j] + stored(r, dot(r, input, 1, weights + (long)j * k, 1, k)));
}

static void run_layer(const struct pass *pass, int layer, const double *w)
{
    struct reference *r = pass->reference;
    const long dim = pass->dim, kv_dim = pass->kv_dim, hidden = r->hidden, layers = r->layers;
    const double *norm_att = w + (long)r->vocab * dim, *wq = norm_att + layers * dim, *wk = wq + layers * dim * dim;
    const double *wv = wk + layers * kv_dim * dim, *wo = wv + layers * kv_dim * dim,
                 *norm_ffn = wo + layers * dim * dim;
    const double *w1 = norm_ffn + layers * dim, *w2 = w1 + layers * dim * hidden, *w3 = w2 + layers * dim * hidden;
    double *keys = pass->keys + layer * r->seq_len * kv_dim, *values = pass->values + layer * r->seq_len * kv_dim;

    normalise(r, pass->x, norm_att + layer * dim, pass->norm);
    squeeze(r, pass->norm, (int)dim, 1);
    multiply(r, pass->norm, wq + layer * dim * dim, (int)dim, (int)dim, pass->q);
    multiply(r, pass->norm, wk + layer * kv_dim * dim, (int)kv_dim, (int)dim, keys + pass->position * kv_dim);
    multiply(r, pass->norm, wv + layer * kv_dim * dim, (int)kv_dim, (int)dim, values + pass->position * kv_dim);
    rotate(pass, pass->q, (int)dim);
    rotate(pass, keys + pass->position * kv_dim, (int)kv_dim);
    for (int h = 0; h < r->heads; h++) {
        const int kv = h * r->kv_heads / r->heads * pass->head_dim;
        attend(pass, keys + kv, values + kv, pass->q + h * pass->head_dim, pass->attention + h * pass->head_dim);
    }
    squeeze(r, pass->attention, (int)dim, r->heads);
    add_product(pass, pass->attention, wo + layer * dim * dim, (int)dim);

    normalise(r, pass->x, norm_ffn + layer * dim, pass->norm);
    squeeze(r, pass->norm, (int)dim, 1);
    multiply(r, pass->norm, w1 + layer * dim * hidden, (int)hidden, (int)dim, pass->gate);
    multiply(r, pass->norm, w3 + layer * dim * hidden, (int)hidden, (int)dim, pass->up);
    for (int i = 0; i < hidden; i++) {
        const double gate = pass->gate[i] / (1 + exp(-pass->gate[i]));
        pass->gate[i] = stored(r, rounded(r, gate * pass->up[i], 5));
    }
    squeeze(r, pass->gate, (int)hidden, (int)hidden);
    add_product(pass, pass->gate, w2 + layer * dim * hidden, (int)hidden);
}

static double score_position(const struct pass *pass, int32_t token, int32_t next, double *logits)
{
    struct reference *r = pass->reference;
    const double *w = r->weights;
    const long dim = pass->dim, per_layer = 2 * dim + 2 * dim * dim + 2 * pass->kv_dim * dim + 3 * dim * r->hidden;
    const double *norm_last = w + r->vocab * dim + r->layers * per_layer;
    memcpy(pass->x, w + token * dim, (size_t)dim * sizeof(*w));
    for (int layer = 0; layer < r->layers; layer++)
        run_layer(pass, layer, w);
    normalise(r, pass->x, norm_last, pass->norm);
    const double *classifier = r->own_classifier ? norm_last + dim + (long)r->seq_len * pass->head_dim : w;
    multiply(r, pass->norm, classifier, r->vocab, (int)dim, logits);
    double largest = -INFINITY, total = 0;
    for (int i = 0; i < r->vocab; i++)
        largest = fmax(largest, logits[i]);
    for (int i = 0; i < r->vocab; i++)
        total += exp(logits[i] - largest);
    return logits[next] - largest - log(total);
}

void reference_score(struct reference *r, const int32_t *tokens, int count, double *likelihoods)
{
    const int head_dim = r->dim / r->heads, kv_dim = head_dim * r->kv_heads;
    const size_t cache = (size_t)r->layers * (size_t)r->seq_len * (size_t)kv_dim, dim = (size_t)r->dim;
    const size_t hidden = (size_t)r->hidden;
    double *memory = calloc(4 * dim + 2 * hidden + 2 * cache + (size_t)r->vocab, sizeof(*memory));
    if (!memory)
        abort();
    struct pass pass = {r,
                        r->dim,
                        head_dim,
                        kv_dim,
                        0,
                        memory,
                        memory + dim,
                        memory + 2 * dim,
                        memory + 3 * dim,
                        memory + 4 * dim,
                        memory + 4 * dim + hidden,
                        memory + 4 * dim + 2 * hidden,
                        memory + 4 * dim + 2 * hidden + cache};
    for (; pass.position < count - 1; pass.position++)
        likelihoods[pass.position] =
            score_position(&pass, tokens[pass.position], tokens[pass.position + 1], pass.values + cache);
    free(memory);
}
