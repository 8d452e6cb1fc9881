/* SPDX-License-Identifier: MIT */
/*
 * matmul_mkl.c - oneMKL's gemm over weights that it has packed once: fp32, bf16 and f16 with sums in fp32, and int8,
 * whose x1 it wants unsigned: 128 is added to x1 in every call, and subtracted again by its offset of A.
 */
#include "matmul.h"

#include <mkl.h>
#include <stdio.h>
#include <stdlib.h>

struct matmul {
    struct problem problem;
    const float *scale; /* int8: a factor for each column */
    uint8_t *x1;        /* int8, plus 128 */
    void **weights;
};

bool matmul_turned(void)
{
    return false;
}

static size_t packed_bytes(enum type type, MKL_INT m, MKL_INT n, MKL_INT k)
{
    return type == TYPE_F32    ? cblas_sgemm_pack_get_size(CblasBMatrix, m, n, k)
           : type == TYPE_BF16 ? cblas_gemm_bf16bf16f32_pack_get_size(CblasBMatrix, m, n, k)
           : type == TYPE_F16  ? cblas_gemm_f16f16f32_pack_get_size(CblasBMatrix, m, n, k)
                               : cblas_gemm_s8u8s32_pack_get_size(CblasBMatrix, m, n, k);
}

static void pack(enum type type, MKL_INT m, MKL_INT n, MKL_INT k, const void *x2, void *to)
{
    if (type == TYPE_F32)
        cblas_sgemm_pack(CblasRowMajor, CblasBMatrix, CblasNoTrans, m, n, k, 1.0f, x2, n, to);
    else if (type == TYPE_BF16)
        cblas_gemm_bf16bf16f32_pack(CblasRowMajor, CblasBMatrix, CblasNoTrans, m, n, k, x2, n, to);
    else if (type == TYPE_F16)
        cblas_gemm_f16f16f32_pack(CblasRowMajor, CblasBMatrix, CblasNoTrans, m, n, k, x2, n, to);
    else
        cblas_gemm_s8u8s32_pack(CblasRowMajor, CblasBMatrix, CblasNoTrans, m, n, k, x2, n, to);
}

static bool pack_all(struct matmul *matmul, const struct inputs *inputs)
{
    const struct problem *problem = &matmul->problem;
    const MKL_INT m = (MKL_INT)problem->rows, n = (MKL_INT)problem->n, k = (MKL_INT)problem->k;

    matmul->weights = calloc((size_t)problem->copies, sizeof(*matmul->weights));
    matmul->x1 = malloc((size_t)(problem->rows * problem->k));
    if (matmul->weights == NULL || matmul->x1 == NULL)
        return false;
    for (int i = 0; i < problem->copies; i++) {
        matmul->weights[i] = mkl_malloc(packed_bytes(problem->type, m, n, k), 64);
        if (matmul->weights[i] == NULL)
            return false;
        pack(problem->type, m, n, k, inputs->x2, matmul->weights[i]);
    }
    return true;
}

struct matmul *matmul_create(struct member *member, const struct problem *problem, const struct inputs *inputs,
                             int32_t *wire)
{
    struct matmul *matmul;

    if (problem->type == TYPE_F16_INT8 || problem->type == TYPE_F16_INT4) {
        control_fail(member, "oneMKL has no matmul with quantised weights and float inputs");
        return NULL;
    }
    mkl_set_threading_layer(member->threads > 1 ? MKL_THREADING_GNU : MKL_THREADING_SEQUENTIAL);
    mkl_set_num_threads(member->threads);
    *wire = MMARN_F32;
    matmul = calloc(1, sizeof(*matmul));
    if (matmul != NULL)
        *matmul = (struct matmul){.problem = *problem, .scale = inputs->scale};
    if (matmul != NULL && pack_all(matmul, inputs))
        return matmul;
    control_fail(member, "there is no memory for the weights");
    matmul_destroy(matmul);
    return NULL;
}

void matmul_destroy(struct matmul *matmul)
{
    if (matmul == NULL)
        return;
    for (int i = 0; matmul->weights != NULL && i < matmul->problem.copies; i++)
        mkl_free(matmul->weights[i]);
    free(matmul->weights);
    free(matmul->x1);
    free(matmul);
}

/* Sums of int8 products, then multiplied by the columns' scales where they lie. */
static void run_int8(struct matmul *matmul, const void *weights, const int8_t *x1, float *partial)
{
    const int64_t rows = matmul->problem.rows, n = matmul->problem.n, k = matmul->problem.k;
    const MKL_INT32 none = 0;
    MKL_INT32 *sums = (MKL_INT32 *)(void *)partial;

    for (int64_t i = 0; i < rows * k; i++)
        matmul->x1[i] = (uint8_t)(x1[i] + 128);
    cblas_gemm_s8u8s32_compute(CblasRowMajor, CblasNoTrans, CblasPacked, CblasFixOffset, (MKL_INT)rows, (MKL_INT)n,
                               (MKL_INT)k, 1.0f, matmul->x1, (MKL_INT)k, -128, weights, (MKL_INT)n, 0, 0.0f, sums,
                               (MKL_INT)n, &none);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < n; j++)
            partial[i * n + j] = (float)sums[i * n + j] * matmul->scale[j];
}

bool matmul_run(struct matmul *matmul, int64_t copy, const void *x1, void *partial)
{
    const MKL_INT m = (MKL_INT)matmul->problem.rows, n = (MKL_INT)matmul->problem.n, k = (MKL_INT)matmul->problem.k;
    const void *weights = matmul->weights[copy];

    if (matmul->problem.type == TYPE_F32)
        cblas_sgemm_compute(CblasRowMajor, CblasNoTrans, CblasPacked, m, n, k, x1, k, weights, n, 0.0f, partial, n);
    else if (matmul->problem.type == TYPE_BF16)
        cblas_gemm_bf16bf16f32_compute(CblasRowMajor, CblasNoTrans, CblasPacked, m, n, k, 1.0f, x1, k, weights, n, 0.0f,
                                       partial, n);
    else if (matmul->problem.type == TYPE_F16)
        cblas_gemm_f16f16f32_compute(CblasRowMajor, CblasNoTrans, CblasPacked, m, n, k, 1.0f, x1, k, weights, n, 0.0f,
                                     partial, n);
    else
        run_int8(matmul, weights, x1, partial);
    return true;
}

void matmul_describe(char *text, int size)
{
    mkl_get_version_string(text, size);
}
