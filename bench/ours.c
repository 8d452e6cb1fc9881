/* SPDX-License-Identifier: MIT */
/*
 * ours.c - the library as a peer, using its public functions only. It is compiled a second time with split.c, which
 * adds where the time of a step goes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure/machine.h"
#include "split.h"
#include "worker.h"

/* Rows for one call of the matmul alone, so that its fp32 result stays in a cache. */
enum { MATMUL_ROWS = 96 };

static struct {
    struct problem problem;
    struct inputs inputs;
    mmarn_comm *comm;
    mmarn_op **ops;
    float *partial;
    int64_t count;  /* of an all-reduce */
    float *reduced; /* in place, like the peers */
} ours;

static bool check(struct member *member, mmarn_status status)
{
    return status == MMARN_OK || control_fail(member, "%s", mmarn_last_error());
}

bool peer_start(struct member *member, const char *variant)
{
    mmarn_comm_config config = MMARN_COMM_CONFIG_INIT;
    mmarn_id id;

    (void)variant;
    if (member->rank == 0 && mmarn_id_create(&id) == MMARN_OK)
        memcpy(member->control->id, &id, sizeof(id));
    control_barrier(member);
    memcpy(&id, member->control->id, sizeof(id));
    config.rank = member->rank;
    config.world_size = member->world;
    config.threads = member->threads;
    return check(member, mmarn_comm_create(&id, &config, &ours.comm));
}

void peer_describe(char *text, int size)
{
    char level[128];

    machine_library_value("level", level, sizeof(level));
    snprintf(text, (size_t)size, "mmarn %s, level: %s", mmarn_version(), level);
}

static mmarn_tensor matrix(void *data, int32_t dtype, int64_t rows, int64_t columns)
{
    const int64_t shape[2] = {rows, columns};
    return mmarn_tensor_make(data, dtype, 2, shape);
}

static bool create_operators(struct member *member)
{
    const struct problem *problem = &ours.problem;
    const int64_t n = problem->n, k = problem->k;
    const int32_t scale_type = problem->type == TYPE_INT8 ? MMARN_F32 : MMARN_F16;
    const mmarn_tensor x2 = matrix(ours.inputs.x2, inputs_x2_type(problem->type), k, n);
    const mmarn_tensor gamma = mmarn_tensor_make(ours.inputs.gamma, inputs_out_type(problem->type), 1, &n);
    const mmarn_tensor scale = problem->type == TYPE_F16_INT4
                                   ? matrix(ours.inputs.scale, scale_type, k / INPUTS_GROUP, n)
                                   : mmarn_tensor_make(ours.inputs.scale, scale_type, 1, &n);
    mmarn_op_config config = MMARN_OP_CONFIG_INIT;

    config.x2 = &x2;
    config.gamma = &gamma;
    config.epsilon = INPUTS_EPSILON;
    config.dequant_scale = problem->type == TYPE_INT8 ? &scale : NULL;
    config.antiquant_scale = problem->type == TYPE_F16_INT8 || problem->type == TYPE_F16_INT4 ? &scale : NULL;
    config.antiquant_group_size = problem->type == TYPE_F16_INT4 ? INPUTS_GROUP : 0;
    for (int i = 0; i < problem->copies; i++)
        if (!check(member, mmarn_op_create(ours.comm, &config, &ours.ops[i])))
            return false;
    return true;
}

bool peer_prepare(struct member *member, const struct problem *problem)
{
    ours.problem = *problem;
    ours.ops = calloc((size_t)problem->copies, sizeof(*ours.ops));
    ours.partial = malloc(sizeof(float) * (size_t)problem->n * MATMUL_ROWS);
    if (ours.ops == NULL || ours.partial == NULL ||
        !inputs_make(problem, member->rank, member->world, false, &ours.inputs))
        return control_fail(member, "there is no memory for the tensors");
    return create_operators(member);
}

bool peer_prepare_reduce(struct member *member, int64_t count)
{
    ours.count = count;
    ours.reduced = malloc(sizeof(float) * (size_t)count);
    if (ours.reduced == NULL)
        return control_fail(member, "there is no memory for the tensors");
    for (int64_t i = 0; i < count; i++)
        ours.reduced[i] = (float)(i % 1000 + member->rank);
    return true;
}

void peer_drop(struct member *member)
{
    (void)member;
    for (int i = 0; ours.ops != NULL && i < ours.problem.copies; i++)
        mmarn_op_destroy(ours.ops[i]);
    free(ours.ops);
    free(ours.partial);
    free(ours.reduced);
    ours.ops = NULL;
    ours.partial = ours.reduced = NULL;
    inputs_free(&ours.inputs);
}

static mmarn_status run(mmarn_op *op)
{
    const struct problem *problem = &ours.problem;
    const int32_t out = inputs_out_type(problem->type);
    const mmarn_tensor x1 = matrix(ours.inputs.x1, inputs_x1_type(problem->type), problem->rows, problem->k);
    const mmarn_tensor residual = matrix(ours.inputs.residual, out, problem->rows, problem->n);
    const mmarn_tensor y = matrix(ours.inputs.y, out, problem->rows, problem->n);
    const mmarn_tensor norm_out = matrix(ours.inputs.norm_out, out, problem->rows, problem->n);
    const mmarn_step step = {
        .struct_size = sizeof(step), .x1 = &x1, .residual = &residual, .y = &y, .norm_out = &norm_out};
    return mmarn_op_run(op, &step);
}

static mmarn_status multiply(mmarn_op *op)
{
    const struct problem *problem = &ours.problem;
    const int32_t dtype = inputs_x1_type(problem->type);

    for (int64_t row = 0; row < problem->rows; row += MATMUL_ROWS) {
        const int64_t rows = problem->rows - row < MATMUL_ROWS ? problem->rows - row : MATMUL_ROWS;
        const mmarn_tensor x1 =
            matrix((char *)ours.inputs.x1 + inputs_bytes(dtype, row * problem->k), dtype, rows, problem->k);
        const mmarn_tensor partial = matrix(ours.partial, MMARN_F32, rows, problem->n);
        const mmarn_step step = {.struct_size = sizeof(step), .x1 = &x1, .mm_out = &partial};
        const mmarn_status status = mmarn_op_matmul(op, &step);
        if (status != MMARN_OK)
            return status;
    }
    return MMARN_OK;
}

bool peer_step(struct member *member, enum step step, int64_t index)
{
    if (step == STEP_REDUCE) {
        const mmarn_tensor all = matrix(ours.reduced, MMARN_F32, 1, ours.count);
        return check(member, mmarn_all_reduce(ours.comm, MMARN_NUMERICS_DEFAULT, &all, &all));
    }
    mmarn_op *op = ours.ops[index % ours.problem.copies];
    if (step == STEP_MATMUL)
        return check(member, multiply(op));
    split_begin();
    const mmarn_status status = run(op);
    split_end(member->control->parts[member->rank]);
    return check(member, status);
}

const struct inputs *peer_outputs(void)
{
    return &ours.inputs;
}

const float *peer_reduced(int64_t *count)
{
    *count = ours.count;
    return ours.reduced;
}

void peer_stop(struct member *member)
{
    (void)member;
    mmarn_comm_destroy(ours.comm);
}
