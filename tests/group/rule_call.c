/* SPDX-License-Identifier: MIT */
/* rule_call.c - right calls of every form and scenario, changes that rows have in common, and ways to make a call. */
#include "rule_call.h"

#include <stdlib.h>
#include <string.h>

#include "support/seed.h"

enum { X1, X2, BIAS, GAMMA, DEQUANT, ANTI, OFFSET, X1_SCALE, X3, RESIDUAL, INPUTS };
enum { Y, NORM_OUT, MM_OUT, RSTD, NORM_SCALE, OUTPUTS };
enum {
    BYTES = 1 << 22, /* of each tensor, for axes of 65536 and more */
    WATCHED = 4096,  /* of each output: more than any refused call of usual sizes could write */
    POISON = 0xA5
};

static unsigned char *inputs[INPUTS], *outputs[OUTPUTS];

void call_memory_make(void)
{
    uint64_t state = test_seed();
    for (int i = 0; i < INPUTS; i++)
        inputs[i] = malloc(BYTES);
    for (int i = 0; i < OUTPUTS; i++)
        outputs[i] = malloc(BYTES);
    for (int i = 0; i < BYTES; i++)
        inputs[0][i] = (unsigned char)(0x38 + test_random(&state) % 8); /* f16 from 0.5 to 2, small in bf16 and f32 */
    for (int i = 1; i < INPUTS; i++)
        memcpy(inputs[i], inputs[0], BYTES);
}

void call_memory_free(void)
{
    for (int i = 0; i < INPUTS; i++)
        free(inputs[i]);
    for (int i = 0; i < OUTPUTS; i++)
        free(outputs[i]);
}

void call_poison(void)
{
    for (int i = 0; i < OUTPUTS; i++)
        memset(outputs[i], POISON, WATCHED);
}

bool call_outputs_untouched(void)
{
    for (int i = 0; i < OUTPUTS; i++)
        for (int at = 0; at < WATCHED; at++)
            if (outputs[i][at] != POISON)
                return false;
    return true;
}

/* ------------------------------------------------------------------------------------------------------- changes */

static mmarn_tensor tensor(void *data, mmarn_dtype dtype, int ndim, int64_t a, int64_t b, int64_t c)
{
    const int64_t shape[] = {a, b, c};
    return mmarn_tensor_make(data, dtype, ndim, shape);
}

void reshape(mmarn_tensor *t, int ndim, int64_t a, int64_t b, int64_t c)
{
    *t = tensor(t->data, t->dtype, ndim, a, b, c);
}

void transpose(mmarn_tensor *t)
{
    *t = mmarn_tensor_transpose(t);
}

void set_rows(struct call *c, int64_t rows)
{
    reshape(&c->x1, 3, B, rows, c->x1.shape[2]);
    reshape(&c->residual, 3, B, rows, N);
    reshape(&c->y, 3, B, rows, N);
    reshape(&c->norm_out, 3, B, rows, N);
}

void set_k(struct call *c, int64_t k)
{
    reshape(&c->x1, 3, B, S, k);
    reshape(&c->x2, 2, k, N, 0);
}

void set_n(struct call *c, int64_t n)
{
    mmarn_tensor *rows[] = {&c->residual, &c->y, &c->norm_out};
    mmarn_tensor *vectors[] = {&c->bias, &c->gamma};
    mmarn_tensor *scales[] = {&c->dequant, &c->anti, &c->offset};
    reshape(&c->x2, 2, c->x2.shape[0], n, 0);
    for (int i = 0; i < 3; i++) {
        reshape(rows[i], 3, B, S, n);
        reshape(scales[i], 1, 1, 0, 0);
    }
    for (int i = 0; i < 2; i++)
        reshape(vectors[i], 1, n, 0, 0);
}

void set_groups(struct call *c, int64_t group_size, int64_t count)
{
    c->config.antiquant_group_size = group_size;
    reshape(&c->anti, 2, count, N, 0);
    reshape(&c->offset, 2, count, N, 0);
}

void set_outputs(struct call *c, mmarn_dtype dtype)
{
    c->residual.dtype = c->gamma.dtype = c->y.dtype = c->norm_out.dtype = dtype;
}

void set_types(struct call *c, mmarn_dtype x1, mmarn_dtype residual, mmarn_dtype gamma, mmarn_dtype y,
               mmarn_dtype norm_out)
{
    c->x1.dtype = x1;
    c->residual.dtype = residual;
    c->gamma.dtype = gamma;
    c->y.dtype = y;
    c->norm_out.dtype = norm_out;
}

/* --------------------------------------------------------------------------------------------------- right calls */

enum {
    OP = MMARN_FORM_MM_ALL_REDUCE_ADD_RMS_NORM,
    F16 = MMARN_F16,
    BF16 = MMARN_BF16,
    I8 = MMARN_I8,
};

static const struct right_call {
    mmarn_form form;
    mmarn_dtype x1, x2, bias, out, dequant; /* x2 0: no matmul; dequant 0: not int8 x int8 */
} starts[] = {
    [START_f16] = {OP, F16, F16, F16, F16, 0},
    [START_bf16] = {OP, BF16, BF16, BF16, BF16, 0},
    [START_int8_f16] = {OP, I8, I8, MMARN_I32, F16, MMARN_U64},
    [START_int8_bf16] = {OP, I8, I8, MMARN_I32, BF16, BF16},
    [START_quant_f16] = {OP, F16, I8, F16, F16, 0},
    [START_quant_bf16] = {OP, BF16, I8, BF16, BF16, 0},
    [START_op] = {OP, F16, F16, F16, F16, 0},
    [START_mm_all_reduce] = {MMARN_FORM_MM_ALL_REDUCE, F16, F16, F16, F16, 0},
    [START_all_reduce_norm] = {MMARN_FORM_ALL_REDUCE_ADD_RMS_NORM, F16, 0, F16, F16, 0},
    [START_add_norm] = {MMARN_FORM_ADD_RMS_NORM, F16, 0, F16, F16, 0},
    [START_op_matmul] = {MMARN_FORM_OP_MATMUL, F16, F16, F16, F16, 0},
    [START_all_reduce] = {MMARN_FORM_ALL_REDUCE, F16, 0, F16, F16, 0},
    [START_reduce_scatter] = {MMARN_FORM_REDUCE_SCATTER, F16, 0, F16, F16, 0},
    [START_all_gather] = {MMARN_FORM_ALL_GATHER, F16, 0, F16, F16, 0},
};

static mmarn_tensor rows(void *data, mmarn_dtype dtype, int axes, int64_t n)
{
    const int64_t shape[] = {B, S, n};
    return mmarn_tensor_make(data, dtype, axes, shape + 3 - axes);
}

static void make_tensors(struct call *c, const struct right_call *s, int axes)
{
    c->x1 = rows(inputs[X1], s->x1, axes, s->x2 ? K : N);
    c->x2 = tensor(inputs[X2], s->x2 ? s->x2 : F16, 2, K, N, 0);
    c->bias = tensor(inputs[BIAS], s->bias, 1, N, 0, 0);
    c->gamma = tensor(inputs[GAMMA], s->out, 1, N, 0, 0);
    c->dequant = tensor(inputs[DEQUANT], s->dequant ? s->dequant : MMARN_U64, 1, N, 0, 0);
    c->anti = tensor(inputs[ANTI], s->x1, 1, N, 0, 0);
    c->offset = tensor(inputs[OFFSET], s->x1, 1, N, 0, 0);
    c->x1_scale = tensor(inputs[X1_SCALE], MMARN_F32, 1, S, 0, 0);
    c->x3 = rows(inputs[X3], s->out, 2, N);
    c->residual = rows(inputs[RESIDUAL], s->out, axes, N);
    c->y = rows(outputs[Y], s->out, axes, N);
    c->norm_out = rows(outputs[NORM_OUT], s->out, axes, N);
    c->mm_out = rows(outputs[MM_OUT], s->form == MMARN_FORM_OP_MATMUL ? MMARN_F32 : s->out, axes, N);
    c->rstd = tensor(outputs[RSTD], MMARN_F32, 1, S, 0, 0);
    c->norm_scale = tensor(outputs[NORM_SCALE], MMARN_F32, 1, S, 0, 0);
}

void call_begin(struct call *c, enum start start)
{
    const struct right_call *s = &starts[start];
    const bool original = start <= START_quant_bf16, quantised = s->x2 == I8 && s->x1 != I8;
    const bool norm =
        s->form == OP || s->form == MMARN_FORM_ALL_REDUCE_ADD_RMS_NORM || s->form == MMARN_FORM_ADD_RMS_NORM;
    *c = (struct call){s->form, MMARN_OP_CONFIG_INIT, MMARN_ASCEND_OPTIONS_INIT, .step = MMARN_STEP_INIT};
    make_tensors(c, s, original ? 3 : 2);
    c->config.x2 = s->x2 ? &c->x2 : NULL;
    c->config.bias = original ? &c->bias : NULL;
    c->config.ascend = original ? &c->ascend : NULL;
    c->config.gamma = norm ? &c->gamma : NULL;
    c->config.dequant_scale = s->dequant ? &c->dequant : NULL;
    c->config.antiquant_scale = quantised ? &c->anti : NULL;
    c->config.antiquant_offset = quantised ? &c->offset : NULL;
    c->step.x1 = &c->x1;
    c->step.residual = norm ? &c->residual : NULL;
    c->step.y = norm ? &c->y : NULL;
    c->step.norm_out = norm ? &c->norm_out : NULL;
    c->step.mm_out = norm ? NULL : &c->mm_out;
}

/* -------------------------------------------------------------------------------------------------- making a call */

static mmarn_status create_and(mmarn_status run(mmarn_op *, const mmarn_step *), mmarn_comm *comm, const struct call *c)
{
    mmarn_op *op = NULL;
    mmarn_status status = mmarn_op_create(comm, &c->config, &op);
    if (status == MMARN_OK)
        status = run(op, &c->step);
    mmarn_op_destroy(op);
    return status;
}

mmarn_status call_in_two(mmarn_comm *comm, const struct call *c)
{
    return create_and(mmarn_op_run, comm, c);
}

mmarn_status call_at_once(mmarn_comm *comm, const struct call *c)
{
    switch (c->form) {
    case MMARN_FORM_MM_ALL_REDUCE_ADD_RMS_NORM:
        return mmarn_mm_all_reduce_add_rms_norm(comm, &c->config, &c->step);
    case MMARN_FORM_MM_ALL_REDUCE:
        return mmarn_mm_all_reduce(comm, &c->config, &c->step);
    case MMARN_FORM_ALL_REDUCE_ADD_RMS_NORM:
        return mmarn_all_reduce_add_rms_norm(comm, &c->config, &c->step);
    case MMARN_FORM_ADD_RMS_NORM:
        return mmarn_add_rms_norm(comm, &c->config, &c->step);
    case MMARN_FORM_ALL_REDUCE:
        return mmarn_all_reduce(comm, c->config.numerics, c->step.x1, c->step.mm_out);
    case MMARN_FORM_REDUCE_SCATTER:
        return mmarn_reduce_scatter(comm, c->config.numerics, c->step.x1, c->step.mm_out);
    case MMARN_FORM_ALL_GATHER:
        return mmarn_all_gather(comm, c->step.x1, c->step.mm_out);
    default:
        return create_and(mmarn_op_matmul, comm, c);
    }
}

mmarn_status call_check(struct call *c)
{
    mmarn_tensor *all[] = {&c->x1,   &c->x2,       &c->bias,     &c->gamma, &c->dequant,
                           &c->anti, &c->offset,   &c->x1_scale, &c->x3,    &c->residual,
                           &c->y,    &c->norm_out, &c->mm_out,   &c->rstd,  &c->norm_scale};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        all[i]->data = NULL;
    return mmarn_check(c->form, 0, 1, &c->config, &c->step);
}
