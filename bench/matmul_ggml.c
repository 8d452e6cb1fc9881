/* SPDX-License-Identifier: MIT */
/*
 * matmul_ggml.c - ggml's mul_mat on the processor: weights (n, k) in fp32, f16, bf16, or in blocks of 32 that share an
 * f16 scale (q8_0, q4_0), activations in fp32. If this case's weights have a scale for each column or for 128 rows, the
 * blocks are made from them, so they hold the same numbers. ggml then multiplies them with blocks of int8 activations.
 */
#include "matmul.h"

#include <ggml-cpu.h>
#include <ggml.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/convert.h"

enum { BLOCK = 32 };

struct matmul {
    struct problem problem;
    struct ggml_context *context;
    struct ggml_tensor *activations;
    struct ggml_cgraph **graphs;
    struct ggml_tensor **products;
    struct ggml_cplan *plans;
    uint8_t *work;
};

bool matmul_turned(void)
{
    return false; /* int4 inputs cannot be transposed byte by byte, so this file transposes them */
}

static enum ggml_type weights_type(enum type type)
{
    return type == TYPE_F32        ? GGML_TYPE_F32
           : type == TYPE_BF16     ? GGML_TYPE_BF16
           : type == TYPE_F16      ? GGML_TYPE_F16
           : type == TYPE_F16_INT8 ? GGML_TYPE_Q8_0
                                   : GGML_TYPE_Q4_0;
}

/* Element (p, j) of quantised weights, as an integer. */
static int quantum(const struct problem *problem, const uint8_t *x2, int64_t p, int64_t j)
{
    const int64_t at = p * problem->n + j;
    if (problem->type == TYPE_F16_INT8)
        return (int8_t)x2[at];
    return (int)((x2[at / 2] >> 4 * (at % 2) & 15) ^ 8) - 8;
}

/* One block of column j: an f16 scale, then 32 bytes, or 16 with element i and i + 16 in one, plus 8. */
static void make_block(const struct problem *problem, const struct inputs *inputs, int64_t p, int64_t j, uint8_t *out)
{
    const int64_t group = problem->type == TYPE_F16_INT4 ? p / INPUTS_GROUP : 0;
    memcpy(out, (const uint16_t *)inputs->scale + group * problem->n + j, 2);
    out += 2;
    if (problem->type == TYPE_F16_INT8) {
        for (int i = 0; i < BLOCK; i++)
            out[i] = (uint8_t)quantum(problem, inputs->x2, p + i, j);
        return;
    }
    for (int i = 0; i < BLOCK / 2; i++)
        out[i] = (uint8_t)((quantum(problem, inputs->x2, p + i, j) + 8) |
                           (quantum(problem, inputs->x2, p + i + BLOCK / 2, j) + 8) << 4);
}

static void fill(const struct problem *problem, const struct inputs *inputs, char *out)
{
    const int64_t k = problem->k, n = problem->n, size = inputs_bytes(inputs_x2_type(problem->type), 1);
    const enum ggml_type type = weights_type(problem->type);
    const int64_t row = (int64_t)ggml_row_size(type, k), block = (int64_t)ggml_type_size(type);

    for (int64_t j = 0; j < n; j++)
        if (ggml_is_quantized(type))
            for (int64_t p = 0; p < k; p += BLOCK)
                make_block(problem, inputs, p, j, (uint8_t *)out + j * row + p / BLOCK * block);
        else
            for (int64_t p = 0; p < k; p++)
                memcpy(out + (j * k + p) * size, (const char *)inputs->x2 + (p * n + j) * size, (size_t)size);
}

/* A graph of one product for each copy of the weights, planned once, with one work buffer for all. */
static bool plan(struct matmul *matmul, const struct inputs *inputs, int threads)
{
    const struct problem *problem = &matmul->problem;
    const enum ggml_type type = weights_type(problem->type);
    struct ggml_tensor *first = NULL;
    size_t most = 0;

    matmul->activations = ggml_new_tensor_2d(matmul->context, GGML_TYPE_F32, problem->k, problem->rows);
    for (int i = 0; i < problem->copies; i++) {
        struct ggml_tensor *weights = ggml_new_tensor_2d(matmul->context, type, problem->k, problem->n);
        if (first == NULL)
            fill(problem, inputs, weights->data);
        else
            memcpy(weights->data, first->data, ggml_nbytes(first));
        first = weights;
        matmul->products[i] = ggml_mul_mat(matmul->context, weights, matmul->activations);
        matmul->graphs[i] = ggml_new_graph_custom(matmul->context, 8, false);
        ggml_build_forward_expand(matmul->graphs[i], matmul->products[i]);
        matmul->plans[i] = ggml_graph_plan(matmul->graphs[i], threads, NULL);
        most = matmul->plans[i].work_size > most ? matmul->plans[i].work_size : most;
    }
    matmul->work = malloc(most + 1);
    for (int i = 0; i < problem->copies; i++)
        matmul->plans[i].work_data = matmul->work;
    return matmul->work != NULL;
}

struct matmul *matmul_create(struct member *member, const struct problem *problem, const struct inputs *inputs,
                             int32_t *wire)
{
    const size_t copies = (size_t)problem->copies;
    struct matmul *matmul;

    if (problem->type == TYPE_INT8) {
        control_fail(member, "ggml has no int8 x int8 matmul with a scale for each column");
        return NULL;
    }
    ggml_cpu_init();
    *wire = MMARN_F32;
    matmul = calloc(1, sizeof(*matmul));
    if (matmul != NULL) {
        const size_t weights = ggml_row_size(weights_type(problem->type), problem->k) * (size_t)problem->n;
        const size_t values = sizeof(float) * (size_t)(problem->rows * (problem->k + problem->n * problem->copies));
        const struct ggml_init_params size = {.mem_size = copies * (weights + 65536) + values + 65536};
        matmul->problem = *problem;
        matmul->context = ggml_init(size);
        matmul->graphs = calloc(copies, sizeof(*matmul->graphs));
        matmul->products = calloc(copies, sizeof(*matmul->products));
        matmul->plans = calloc(copies, sizeof(*matmul->plans));
    }
    if (matmul == NULL || matmul->context == NULL || matmul->graphs == NULL || matmul->products == NULL ||
        matmul->plans == NULL || !plan(matmul, inputs, member->threads)) {
        control_fail(member, "there is no memory for the weights");
        matmul_destroy(matmul);
        return NULL;
    }
    return matmul;
}

void matmul_destroy(struct matmul *matmul)
{
    if (matmul == NULL)
        return;
    ggml_free(matmul->context);
    free(matmul->graphs);
    free(matmul->products);
    free(matmul->plans);
    free(matmul->work);
    free(matmul);
}

bool matmul_run(struct matmul *matmul, int64_t copy, const void *x1, void *partial)
{
    const struct problem *problem = &matmul->problem;

    convert_to_f32(inputs_x1_type(problem->type), x1, matmul->activations->data, (size_t)(problem->rows * problem->k));
    matmul->products[copy]->data = partial;
    return ggml_graph_compute(matmul->graphs[copy], &matmul->plans[copy]) == GGML_STATUS_SUCCESS;
}

void matmul_describe(char *text, int size)
{
    snprintf(text, (size_t)size, "ggml %s", ggml_version());
}
