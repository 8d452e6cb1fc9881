/* SPDX-License-Identifier: MIT */
/*
 * matmul_onednn.c - oneDNN's matmul primitive (version 2 of its interface), in every type that it supports on this
 * processor, with weights reordered once into the layout that it asks for.
 */
#include "matmul.h"

#include <oneapi/dnnl/dnnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct matmul {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_attr_t attributes;
    dnnl_primitive_desc_t description;
    dnnl_primitive_t primitive;
    dnnl_memory_t source, target;
    dnnl_memory_t *weights;
    int copies;
};

static dnnl_data_type_t data_type(int32_t dtype)
{
    return dtype == MMARN_F32    ? dnnl_f32
           : dtype == MMARN_F16  ? dnnl_f16
           : dtype == MMARN_BF16 ? dnnl_bf16
           : dtype == MMARN_I8   ? dnnl_s8
                                 : dnnl_data_type_undef;
}

bool matmul_turned(void)
{
    return false;
}

static dnnl_memory_desc_t matrix(int64_t rows, int64_t columns, dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    const dnnl_dims_t sizes = {rows, columns};
    dnnl_memory_desc_t matrix;
    memset(&matrix, 0, sizeof(matrix));
    dnnl_memory_desc_init_by_tag(&matrix, 2, sizes, type, tag);
    return matrix;
}

/* Int8 products are multiplied by a scale for each column. */
static dnnl_status_t describe(struct matmul *matmul, const struct problem *problem, const float *scale, int32_t wire)
{
    const dnnl_data_type_t in = data_type(inputs_x1_type(problem->type)), out = data_type(wire);
    const dnnl_memory_desc_t source = matrix(problem->rows, problem->k, in, dnnl_ab);
    const dnnl_memory_desc_t weights = matrix(problem->k, problem->n, in, dnnl_format_tag_any);
    const dnnl_memory_desc_t target = matrix(problem->rows, problem->n, out, dnnl_ab);
    dnnl_matmul_desc_t operation;
    dnnl_status_t status = dnnl_primitive_attr_create(&matmul->attributes);

    if (status == dnnl_success && problem->type == TYPE_INT8)
        status = dnnl_primitive_attr_set_output_scales(matmul->attributes, problem->n, 1 << 1, scale);
    if (status == dnnl_success)
        status = dnnl_matmul_desc_init(&operation, &source, &weights, NULL, &target);
    if (status == dnnl_success)
        status = dnnl_primitive_desc_create(&matmul->description, &operation, matmul->attributes, matmul->engine, NULL);
    if (status == dnnl_success)
        status = dnnl_primitive_create(&matmul->primitive, matmul->description);
    if (status == dnnl_success)
        status = dnnl_memory_create(&matmul->source, &source, matmul->engine, DNNL_MEMORY_NONE);
    if (status == dnnl_success)
        status = dnnl_memory_create(&matmul->target, &target, matmul->engine, DNNL_MEMORY_NONE);
    return status;
}

static dnnl_status_t reorder(struct matmul *matmul, dnnl_memory_t plain, dnnl_memory_t packed)
{
    const dnnl_memory_desc_t *from, *to;
    dnnl_primitive_desc_t description = NULL;
    dnnl_primitive_t primitive = NULL;
    const dnnl_exec_arg_t arguments[2] = {{DNNL_ARG_FROM, plain}, {DNNL_ARG_TO, packed}};
    dnnl_status_t status;

    dnnl_memory_get_memory_desc(plain, &from);
    dnnl_memory_get_memory_desc(packed, &to);
    status = dnnl_reorder_primitive_desc_create(&description, from, matmul->engine, to, matmul->engine, NULL);
    if (status == dnnl_success)
        status = dnnl_primitive_create(&primitive, description);
    if (status == dnnl_success)
        status = dnnl_primitive_execute(primitive, matmul->stream, 2, arguments);
    if (status == dnnl_success)
        status = dnnl_stream_wait(matmul->stream);
    dnnl_primitive_destroy(primitive);
    dnnl_primitive_desc_destroy(description);
    return status;
}

static dnnl_status_t pack(struct matmul *matmul, const struct problem *problem, void *x2)
{
    const dnnl_memory_desc_t plain = matrix(problem->k, problem->n, data_type(inputs_x2_type(problem->type)), dnnl_ab);
    const dnnl_memory_desc_t *wanted = dnnl_primitive_desc_query_md(matmul->description, dnnl_query_weights_md, 0);
    dnnl_memory_t given = NULL;
    dnnl_status_t status = dnnl_memory_create(&given, &plain, matmul->engine, x2);

    matmul->weights = calloc((size_t)problem->copies, sizeof(dnnl_memory_t));
    if (matmul->weights == NULL)
        status = dnnl_out_of_memory;
    for (int i = 0; status == dnnl_success && i < problem->copies; i++) {
        status = dnnl_memory_create(&matmul->weights[i], wanted, matmul->engine, DNNL_MEMORY_ALLOCATE);
        if (status == dnnl_success)
            status = reorder(matmul, given, matmul->weights[i]);
        matmul->copies = i + 1;
    }
    dnnl_memory_destroy(given);
    return status;
}

struct matmul *matmul_create(struct member *member, const struct problem *problem, const struct inputs *inputs,
                             int32_t *wire)
{
    struct matmul *matmul = calloc(1, sizeof(*matmul));
    dnnl_status_t status = matmul == NULL ? dnnl_out_of_memory : dnnl_success;

    if (inputs_x1_type(problem->type) != inputs_x2_type(problem->type)) {
        control_fail(member, "oneDNN %d.%d has no matmul with quantised weights and float inputs", DNNL_VERSION_MAJOR,
                     DNNL_VERSION_MINOR);
        free(matmul);
        return NULL;
    }
    if (status == dnnl_success)
        status = dnnl_engine_create(&matmul->engine, dnnl_cpu, 0);
    if (status == dnnl_success)
        status = dnnl_stream_create(&matmul->stream, matmul->engine, dnnl_stream_default_flags);
    if (status == dnnl_success)
        status = describe(matmul, problem, inputs->scale, *wire);
    if (status == dnnl_success)
        status = pack(matmul, problem, inputs->x2);
    if (status == dnnl_success)
        return matmul;
    control_fail(member,
                 status == dnnl_unimplemented ? "oneDNN %d.%d has no such matmul for this processor (status %d)"
                                              : "oneDNN %d.%d failed with status %d",
                 DNNL_VERSION_MAJOR, DNNL_VERSION_MINOR, (int)status);
    matmul_destroy(matmul);
    return NULL;
}

void matmul_destroy(struct matmul *matmul)
{
    if (matmul == NULL)
        return;
    for (int i = 0; i < matmul->copies; i++)
        dnnl_memory_destroy(matmul->weights[i]);
    free(matmul->weights);
    dnnl_memory_destroy(matmul->source);
    dnnl_memory_destroy(matmul->target);
    dnnl_primitive_destroy(matmul->primitive);
    dnnl_primitive_desc_destroy(matmul->description);
    dnnl_primitive_attr_destroy(matmul->attributes);
    dnnl_stream_destroy(matmul->stream);
    dnnl_engine_destroy(matmul->engine);
    free(matmul);
}

bool matmul_run(struct matmul *matmul, int64_t copy, const void *x1, void *partial)
{
    const dnnl_exec_arg_t arguments[3] = {
        {DNNL_ARG_SRC, matmul->source}, {DNNL_ARG_WEIGHTS, matmul->weights[copy]}, {DNNL_ARG_DST, matmul->target}};
    dnnl_memory_set_data_handle(matmul->source, (void *)(uintptr_t)x1);
    dnnl_memory_set_data_handle(matmul->target, partial);
    return dnnl_primitive_execute(matmul->primitive, matmul->stream, 3, arguments) == dnnl_success &&
           dnnl_stream_wait(matmul->stream) == dnnl_success;
}

void matmul_describe(char *text, int size)
{
    const dnnl_version_t *version = dnnl_version();
    snprintf(text, (size_t)size, "oneDNN %d.%d.%d", version->major, version->minor, version->patch);
}
