/* SPDX-License-Identifier: MIT */
/*
 * matmul_openblas.c - cblas_sgemm, or cblas_sgemv for one row.
 */
#include "matmul.h"

#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct matmul {
    struct problem problem;
    float **weights;
};

bool matmul_turned(void)
{
    return false;
}

struct matmul *matmul_create(struct member *member, const struct problem *problem, const struct inputs *inputs,
                             int32_t *wire)
{
    const size_t bytes = sizeof(float) * (size_t)(problem->k * problem->n);
    struct matmul *matmul;

    if (problem->type != TYPE_F32) {
        control_fail(member, "this build of OpenBLAS multiplies fp32 and fp64 only");
        return NULL;
    }
    *wire = MMARN_F32;
    matmul = calloc(1, sizeof(*matmul));
    if (matmul != NULL) {
        matmul->problem = *problem;
        matmul->weights = calloc((size_t)problem->copies, sizeof(*matmul->weights));
    }
    for (int i = 0; matmul != NULL && matmul->weights != NULL && i < problem->copies; i++) {
        matmul->weights[i] = malloc(bytes);
        if (matmul->weights[i] == NULL) {
            matmul_destroy(matmul);
            matmul = NULL;
        } else {
            memcpy(matmul->weights[i], inputs->x2, bytes);
        }
    }
    if (matmul == NULL)
        control_fail(member, "there is no memory for the weights");
    return matmul;
}

void matmul_destroy(struct matmul *matmul)
{
    if (matmul == NULL)
        return;
    for (int i = 0; matmul->weights != NULL && i < matmul->problem.copies; i++)
        free(matmul->weights[i]);
    free(matmul->weights);
    free(matmul);
}

bool matmul_run(struct matmul *matmul, int64_t copy, const void *x1, void *partial)
{
    const int rows = (int)matmul->problem.rows, k = (int)matmul->problem.k, n = (int)matmul->problem.n;

    if (rows == 1)
        cblas_sgemv(CblasRowMajor, CblasTrans, k, n, 1.0f, matmul->weights[copy], n, x1, 1, 0.0f, partial, 1);
    else
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows, n, k, 1.0f, x1, k, matmul->weights[copy], n, 0.0f,
                    partial, n);
    return true;
}

void matmul_describe(char *text, int size)
{
    snprintf(text, (size_t)size, "%s", openblas_get_config());
}
