/* SPDX-License-Identifier: MIT */
/*
 * test_limits.c - the limits of npu_mm_all_reduce_add_rms_norm of MindSpeed and CANN, line by line, in its order: what
 * each line allows beside what it refuses. Every row starts from a call that is right in its scenario and changes one
 * thing. `native` is what the library says by itself, `strict` its code with MMARN_ASCEND_LIMITS (0: accepted).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "group.h"
#include "mmarn/mmarn_ascend.h"

enum { B = 1, S = 4, K = 96, N = 16, G = 32, BIG = 65536, OK = 0, NULL_CODE = 161001, SHAPE = 161002, REST = 561002 };
enum { MEMORY = (BIG + 1) * N * 4 };

/* A right call in any scenario. */
struct call {
    mmarn_tensor x1, x2, bias, residual, gamma, dequant, anti, offset, y, norm_out;
    mmarn_op_config config;
    mmarn_ascend_options ascend;
    mmarn_comm *comm;
};

static unsigned char *memory[10]; /* one block for each tensor above, filled with bytes that are right in any dtype */
static mmarn_comm *one_rank;

static mmarn_tensor tensor(int which, int dtype, int ndim, int64_t a, int64_t b, int64_t c)
{
    const int64_t shape[3] = {a, b, c};
    return mmarn_tensor_make(memory[which], dtype, ndim, shape);
}

static void reshape(mmarn_tensor *t, int ndim, int64_t a, int64_t b, int64_t c)
{
    const int64_t shape[3] = {a, b, c};
    *t = mmarn_tensor_make(t->data, t->dtype, ndim, shape);
}

static void base(struct call *c, int x_dtype, int w_dtype, int out_dtype, int bias_dtype)
{
    *c = (struct call){
        .x1 = tensor(0, x_dtype, 3, B, S, K),
        .x2 = tensor(1, w_dtype, 2, K, N, 0),
        .bias = tensor(2, bias_dtype, 1, N, 0, 0),
        .residual = tensor(3, out_dtype, 3, B, S, N),
        .gamma = tensor(4, out_dtype, 1, N, 0, 0),
        .y = tensor(8, out_dtype, 3, B, S, N),
        .norm_out = tensor(9, out_dtype, 3, B, S, N),
        .config = MMARN_OP_CONFIG_INIT,
        .ascend = MMARN_ASCEND_OPTIONS_INIT,
        .comm = one_rank,
    };
    c->config.x2 = &c->x2;
    c->config.bias = &c->bias;
    c->config.gamma = &c->gamma;
    c->config.ascend = &c->ascend;
}

static void f16(struct call *c)
{
    base(c, MMARN_F16, MMARN_F16, MMARN_F16, MMARN_F16);
}

static void bf16(struct call *c)
{
    base(c, MMARN_BF16, MMARN_BF16, MMARN_BF16, MMARN_BF16);
}

static void int8(struct call *c, int out, int scale)
{
    base(c, MMARN_I8, MMARN_I8, out, MMARN_I32);
    c->dequant = tensor(5, scale, 1, N, 0, 0);
    c->config.dequant_scale = &c->dequant;
}

static void int8_f16(struct call *c)
{
    int8(c, MMARN_F16, MMARN_U64);
}

static void int8_bf16(struct call *c)
{
    int8(c, MMARN_BF16, MMARN_BF16);
}

static void quant(struct call *c, int dtype)
{
    base(c, dtype, MMARN_I8, dtype, dtype);
    c->anti = tensor(6, dtype, 1, N, 0, 0);
    c->offset = tensor(7, dtype, 1, N, 0, 0);
    c->config.antiquant_scale = &c->anti;
    c->config.antiquant_offset = &c->offset;
}

static void quant_f16(struct call *c)
{
    quant(c, MMARN_F16);
}

static void quant_bf16(struct call *c)
{
    quant(c, MMARN_BF16);
}

static void groups(struct call *c, int64_t group, int64_t count)
{
    c->config.antiquant_group_size = group;
    reshape(&c->anti, 2, count, N, 0);
    reshape(&c->offset, 2, count, N, 0);
}

static void set_k(struct call *c, int64_t k)
{
    reshape(&c->x1, 3, B, S, k);
    reshape(&c->x2, 2, k, N, 0);
}

static void set_n(struct call *c, int64_t n)
{
    mmarn_tensor *rows[] = {&c->residual, &c->y, &c->norm_out}, *vectors[] = {&c->bias, &c->gamma};
    reshape(&c->x2, 2, c->x2.shape[0], n, 0);
    for (int i = 0; i < 3; i++)
        reshape(rows[i], 3, B, S, n);
    for (int i = 0; i < 2; i++)
        reshape(vectors[i], 1, n, 0, 0);
    reshape(&c->dequant, 1, 1, 0, 0);
    reshape(&c->anti, 1, 1, 0, 0);
    reshape(&c->offset, 1, 1, 0, 0);
}

static void set_rows(struct call *c, int64_t rows)
{
    reshape(&c->x1, 3, B, rows, c->x1.shape[2]);
    reshape(&c->residual, 3, B, rows, N);
    reshape(&c->y, 3, B, rows, N);
    reshape(&c->norm_out, 3, B, rows, N);
}

static void set_outputs(struct call *c, int dtype)
{
    c->residual.dtype = c->gamma.dtype = c->y.dtype = c->norm_out.dtype = dtype;
}

static void transpose(mmarn_tensor *t)
{
    *t = mmarn_tensor_transpose(t);
}

/* One change each; c is the call. */
#define CHANGE(name, statement)                                                                                        \
    static void name(struct call *c)                                                                                   \
    {                                                                                                                  \
        statement;                                                                                                     \
    }
CHANGE(none, (void)c)
CHANGE(no_bias, c->config.bias = NULL)
CHANGE(x1_f32, c->x1.dtype = MMARN_F32)
CHANGE(all_f32, (set_outputs(c, MMARN_F32), c->x1.dtype = c->x2.dtype = c->bias.dtype = MMARN_F32))
CHANGE(x1_bf16, c->x1.dtype = MMARN_BF16)
CHANGE(x1_int8, c->x1.dtype = MMARN_I8)
CHANGE(bias_bf16, c->bias.dtype = MMARN_BF16)
CHANGE(residual_bf16, c->residual.dtype = MMARN_BF16)
CHANGE(gamma_bf16, c->gamma.dtype = MMARN_BF16)
CHANGE(gamma_f32, c->gamma.dtype = MMARN_F32)
CHANGE(stream_f32, c->residual.dtype = c->y.dtype = MMARN_F32)
CHANGE(residual_f32, c->residual.dtype = MMARN_F32) /* y is not */
CHANGE(y_f32, c->y.dtype = MMARN_F32)
CHANGE(norm_f32, c->norm_out.dtype = MMARN_F32)
CHANGE(gamma_f32_scale_f32, (gamma_f32(c), c->dequant.dtype = MMARN_F32))
CHANGE(gamma_f32_scale_bf16, (gamma_f32(c), c->dequant.dtype = MMARN_BF16))
CHANGE(gamma_f32_scale_f16, (gamma_f32(c), c->dequant.dtype = MMARN_F16))
CHANGE(gamma_f32_norm_i8, (gamma_f32_scale_f32(c), c->norm_out.dtype = MMARN_I8))
CHANGE(bias_f16, c->bias.dtype = MMARN_F16)
CHANGE(with_dequant, (c->dequant = tensor(5, MMARN_U64, 1, N, 0, 0), c->config.dequant_scale = &c->dequant))
CHANGE(with_anti, (c->anti = tensor(6, MMARN_F16, 1, N, 0, 0), c->config.antiquant_scale = &c->anti))
CHANGE(with_offset, (c->offset = tensor(7, MMARN_F16, 1, N, 0, 0), c->config.antiquant_offset = &c->offset))
CHANGE(with_group, c->config.antiquant_group_size = G)
/* -1 axes stand for a NULL pointer. */
CHANGE(x1_null, c->x1.ndim = -1)
CHANGE(residual_null, c->residual.ndim = -1)
CHANGE(y_null, c->y.ndim = -1)
CHANGE(norm_null, c->norm_out.ndim = -1)
CHANGE(x2_null, c->config.x2 = NULL)
CHANGE(gamma_null, c->config.gamma = NULL)
CHANGE(scales_null, c->config.dequant_scale = c->config.antiquant_scale = NULL)
CHANGE(sum, c->ascend.reduce_op = "sum")
CHANGE(max, c->ascend.reduce_op = "max")
CHANGE(turn, c->ascend.comm_turn = 1)
CHANGE(epsilon_small, c->config.epsilon = 1e-12)
CHANGE(epsilon_0, c->config.epsilon = 0)
CHANGE(epsilon_1, c->config.epsilon = 1)
CHANGE(epsilon_half, c->config.epsilon = 0.5)
CHANGE(x2_transposed, (reshape(&c->x2, 2, N, K, 0), transpose(&c->x2)))
CHANGE(x2_padded, c->x2.strides[0] = 2 * N)
CHANGE(x1_strided, c->x1.strides[1] = 2 * K)
CHANGE(residual_strided, c->residual.strides[1] = 2 * N)
CHANGE(gamma_strided, c->gamma.strides[0] = 2)
CHANGE(x1_2d, reshape(&c->x1, 2, S, K, 0))
CHANGE(x1_1d, reshape(&c->x1, 1, K, 0, 0))
CHANGE(x1_split, reshape(&c->x1, 3, S, B, K))
CHANGE(x2_3d, reshape(&c->x2, 3, 1, K, N))
CHANGE(x2_other_k, reshape(&c->x2, 2, K - 2, N, 0))
CHANGE(bias_2d, reshape(&c->bias, 2, 1, N, 0))
CHANGE(bias_short, reshape(&c->bias, 1, N - 1, 0, 0))
CHANGE(outputs_2d, (reshape(&c->residual, 2, S, N, 0), reshape(&c->y, 2, S, N, 0), reshape(&c->norm_out, 2, S, N, 0)))
CHANGE(residual_rows, reshape(&c->residual, 3, B, S - 1, N))
CHANGE(residual_n, reshape(&c->residual, 3, B, S, N + 1))
CHANGE(gamma_2d, reshape(&c->gamma, 2, 1, N, 0))
CHANGE(gamma_n, reshape(&c->gamma, 1, N + 1, 0, 0))
CHANGE(rows_0, set_rows(c, 0))
CHANGE(n_0, set_n(c, 0))
CHANGE(k_0, set_k(c, 0))
CHANGE(k_1, (set_k(c, 1), c->config.antiquant_group_size = 0))
CHANGE(k_65535, set_k(c, BIG - 1))
CHANGE(k_65536, set_k(c, BIG))
CHANGE(k_131072, set_k(c, 131072))
CHANGE(n_65535, (set_k(c, 2), set_n(c, BIG - 1)))
CHANGE(n_65536, (set_k(c, 2), set_n(c, BIG)))
CHANGE(n_65536_transposed, (n_65536(c), reshape(&c->x2, 2, BIG, 2, 0), transpose(&c->x2)))
CHANGE(words_i64, c->dequant.dtype = MMARN_I64)
CHANGE(words_f32, c->dequant.dtype = MMARN_F32)
CHANGE(words_bf16, c->dequant.dtype = MMARN_BF16)
CHANGE(words_u64, c->dequant.dtype = MMARN_U64)
CHANGE(dequant_1, reshape(&c->dequant, 1, 1, 0, 0))
CHANGE(dequant_1n, reshape(&c->dequant, 2, 1, N, 0))
CHANGE(dequant_2, reshape(&c->dequant, 1, 2, 0, 0))
CHANGE(dequant_n1, reshape(&c->dequant, 2, N, 1, 0))
CHANGE(out_f32, set_outputs(c, MMARN_F32))
CHANGE(out_f32_scale, (set_outputs(c, MMARN_F32), c->dequant.dtype = MMARN_F32))
CHANGE(anti_1, (reshape(&c->anti, 1, 1, 0, 0), reshape(&c->offset, 1, 1, 0, 0)))
CHANGE(anti_1n, (reshape(&c->anti, 2, 1, N, 0), reshape(&c->offset, 2, 1, N, 0)))
CHANGE(anti_2, reshape(&c->anti, 1, 2, 0, 0))
CHANGE(anti_f32, c->anti.dtype = MMARN_F32)
CHANGE(no_offset, c->config.antiquant_offset = NULL)
CHANGE(offset_shape, reshape(&c->offset, 2, 1, N, 0))
CHANGE(offset_dtype, c->offset.dtype = MMARN_F32)
CHANGE(group_32, groups(c, 32, 3))
CHANGE(group_64, groups(c, 64, 2))
CHANGE(group_strided, (groups(c, 64, 2), reshape(&c->anti, 2, N, 2, 0), transpose(&c->anti)))
CHANGE(group_31, groups(c, 31, 4))
CHANGE(group_48, groups(c, 48, 2))
CHANGE(group_96, groups(c, 96, 1))
CHANGE(group_negative, groups(c, -32, 3))
CHANGE(group_scale_1, (c->config.antiquant_group_size = 32, anti_1(c)))
CHANGE(group_scale_n, c->config.antiquant_group_size = 32)
CHANGE(group_count, groups(c, 32, 2))
CHANGE(group_0_rows, groups(c, 0, 3))
CHANGE(int4, c->x2.dtype = MMARN_I4)
CHANGE(int4_odd, (c->x2.dtype = MMARN_I4, set_n(c, N - 1)))

static const struct row {
    const char *line;
    void (*scenario)(struct call *);
    void (*change)(struct call *);
    mmarn_status native;
    int32_t strict;
} rows[] = {
    {"without quantisation: all f16, or all bf16; bias may be absent", f16, none, MMARN_OK, OK},
    {"", bf16, none, MMARN_OK, OK},
    {"", f16, no_bias, MMARN_OK, OK},
    {"", f16, all_f32, MMARN_OK, REST},
    {"", f16, x1_bf16, MMARN_ERR_UNSUPPORTED, REST},
    {"", f16, x1_f32, MMARN_ERR_UNSUPPORTED, REST},
    {"", f16, bias_bf16, MMARN_ERR_UNSUPPORTED, REST},
    {"", f16, residual_bf16, MMARN_ERR_UNSUPPORTED, REST},
    {"", f16, gamma_bf16, MMARN_ERR_UNSUPPORTED, REST},
    {"", f16, gamma_f32, MMARN_OK, REST},
    {"", bf16, gamma_f32, MMARN_OK, REST},
    {"", bf16, stream_f32, MMARN_OK, REST},
    {"", bf16, residual_f32, MMARN_ERR_UNSUPPORTED, REST},
    {"", bf16, y_f32, MMARN_ERR_UNSUPPORTED, REST},
    {"", bf16, norm_f32, MMARN_ERR_UNSUPPORTED, REST},
    {"", f16, with_dequant, MMARN_ERR_UNSUPPORTED, REST},
    {"", f16, with_anti, MMARN_ERR_UNSUPPORTED, REST},
    {"", f16, with_offset, MMARN_ERR_UNSUPPORTED, REST},
    {"", f16, with_group, MMARN_ERR_UNSUPPORTED, REST},
    {"required inputs", f16, x1_null, MMARN_ERR_NULL, NULL_CODE},
    {"", f16, x2_null, MMARN_ERR_NULL, NULL_CODE},
    {"", f16, gamma_null, MMARN_ERR_NULL, NULL_CODE},
    {"", f16, residual_null, MMARN_OK, NULL_CODE},
    {"", f16, y_null, MMARN_OK, NULL_CODE},
    {"", f16, norm_null, MMARN_OK, NULL_CODE},
    {"", int8_f16, scales_null, MMARN_ERR_NULL, NULL_CODE},
    {"int8 x int8: x1 and x2 int8, bias int32, residual and gamma alike", int8_f16, none, MMARN_OK, OK},
    {"", int8_bf16, none, MMARN_OK, OK},
    {"", int8_f16, no_bias, MMARN_OK, OK},
    {"", int8_f16, bias_f16, MMARN_ERR_UNSUPPORTED, REST},
    {"", int8_f16, x1_bf16, MMARN_ERR_UNSUPPORTED, REST},
    {"", int8_f16, residual_bf16, MMARN_ERR_UNSUPPORTED, REST},
    {"", int8_f16, with_offset, MMARN_ERR_UNSUPPORTED, REST},
    {"", int8_f16, with_group, MMARN_ERR_UNSUPPORTED, REST},
    {"quantised weights: x2 int8; x1, bias, residual, gamma, scale and offset alike", quant_f16, none, MMARN_OK, OK},
    {"", quant_bf16, none, MMARN_OK, OK},
    {"", quant_f16, no_bias, MMARN_OK, OK},
    {"", quant_f16, no_offset, MMARN_OK, OK},
    {"", quant_f16, int4, MMARN_OK, REST},
    {"", quant_f16, int4_odd, MMARN_ERR_ARGUMENT, REST},
    {"", quant_f16, x1_bf16, MMARN_ERR_UNSUPPORTED, REST},
    {"", quant_f16, x1_int8, MMARN_ERR_UNSUPPORTED, REST},
    {"", quant_f16, bias_bf16, MMARN_ERR_UNSUPPORTED, REST},
    {"", quant_f16, residual_bf16, MMARN_ERR_UNSUPPORTED, REST},
    {"", quant_f16, gamma_bf16, MMARN_ERR_UNSUPPORTED, REST},
    {"", quant_f16, gamma_f32, MMARN_OK, REST},
    {"", quant_bf16, stream_f32, MMARN_OK, REST},
    {"", quant_bf16, norm_f32, MMARN_ERR_UNSUPPORTED, REST},
    {"", quant_f16, anti_f32, MMARN_ERR_UNSUPPORTED, REST},
    {"", quant_f16, offset_dtype, MMARN_ERR_UNSUPPORTED, REST},
    {"", quant_f16, with_dequant, MMARN_ERR_UNSUPPORTED, REST},
    {"reduce_op is sum; comm_turn is 0", f16, sum, MMARN_OK, OK},
    {"", f16, max, MMARN_ERR_UNSUPPORTED, REST},
    {"", f16, turn, MMARN_ERR_UNSUPPORTED, REST},
    {"epsilon lies in (0, 1)", f16, epsilon_small, MMARN_OK, OK},
    {"", f16, epsilon_half, MMARN_OK, OK},
    {"", f16, epsilon_0, MMARN_ERR_ARGUMENT, REST},
    {"", f16, epsilon_1, MMARN_OK, REST},
    {"x2 may be a transposed view and nothing else that is not contiguous", f16, x2_transposed, MMARN_OK, OK},
    {"", int8_f16, x2_transposed, MMARN_OK, OK},
    {"", quant_bf16, x2_transposed, MMARN_OK, OK},
    {"", f16, x2_padded, MMARN_ERR_UNSUPPORTED, REST},
    {"the others are contiguous", f16, x1_strided, MMARN_ERR_UNSUPPORTED, REST},
    {"", f16, residual_strided, MMARN_ERR_UNSUPPORTED, REST},
    {"", f16, gamma_strided, MMARN_ERR_UNSUPPORTED, REST},
    {"x1 is (b, s, k) or (s, k)", f16, x1_2d, MMARN_OK, OK},
    {"", f16, x1_split, MMARN_OK, OK},
    {"", f16, x1_1d, MMARN_ERR_ARGUMENT, SHAPE},
    {"x2 is (k, n), with x1's k", f16, x2_3d, MMARN_ERR_ARGUMENT, SHAPE},
    {"", f16, x2_other_k, MMARN_ERR_ARGUMENT, SHAPE},
    {"bias is (n)", f16, bias_2d, MMARN_ERR_ARGUMENT, REST},
    {"", f16, bias_short, MMARN_ERR_ARGUMENT, REST},
    {"residual is (b, s, n), with x1's rows and x2's n", f16, outputs_2d, MMARN_OK, REST},
    {"", f16, residual_rows, MMARN_ERR_ARGUMENT, REST},
    {"", f16, residual_n, MMARN_ERR_ARGUMENT, SHAPE},
    {"gamma is (n)", f16, gamma_2d, MMARN_ERR_ARGUMENT, REST},
    {"", f16, gamma_n, MMARN_ERR_ARGUMENT, REST},
    {"b * s or n may be 0, k may not", f16, rows_0, MMARN_OK, OK},
    {"", f16, n_0, MMARN_OK, OK},
    {"", f16, k_0, MMARN_ERR_ARGUMENT, SHAPE},
    {"", int8_f16, rows_0, MMARN_OK, OK},
    {"", int8_f16, n_0, MMARN_OK, OK},
    {"", int8_f16, k_0, MMARN_ERR_ARGUMENT, SHAPE},
    {"", quant_f16, rows_0, MMARN_OK, OK},
    {"", quant_f16, n_0, MMARN_OK, OK},
    {"", quant_f16, k_0, MMARN_ERR_ARGUMENT, SHAPE},
    {"without quantisation k and n go beyond 65535", f16, k_65536, MMARN_OK, OK},
    {"", f16, n_65536, MMARN_OK, OK},
    {"f16 outputs take int64 or uint64 words, bf16 outputs bf16", int8_f16, words_i64, MMARN_OK, OK},
    {"", int8_f16, words_bf16, MMARN_ERR_UNSUPPORTED, REST},
    {"", int8_f16, words_f32, MMARN_OK, REST},
    {"", int8_bf16, words_u64, MMARN_ERR_UNSUPPORTED, REST},
    {"", int8_bf16, words_f32, MMARN_OK, REST},
    {"", int8_f16, out_f32, MMARN_ERR_UNSUPPORTED, REST},
    {"", int8_f16, out_f32_scale, MMARN_OK, REST},
    {"", int8_f16, stream_f32, MMARN_OK, REST},
    {"", int8_f16, gamma_f32, MMARN_OK, REST},
    {"", int8_bf16, gamma_f32, MMARN_OK, REST},
    {"", int8_bf16, gamma_f32_scale_f32, MMARN_OK, REST},
    {"", int8_f16, gamma_f32_scale_f32, MMARN_OK, REST},
    {"", int8_f16, gamma_f32_scale_bf16, MMARN_ERR_UNSUPPORTED, REST},
    {"", int8_f16, gamma_f32_scale_f16, MMARN_ERR_UNSUPPORTED, REST},
    {"", int8_f16, gamma_f32_norm_i8, MMARN_ERR_NULL, REST},
    {"", int8_bf16, residual_f32, MMARN_ERR_UNSUPPORTED, REST},
    {"dequant_scale is (1,), (n,) or (1, n)", int8_f16, dequant_1, MMARN_OK, OK},
    {"", int8_bf16, dequant_1n, MMARN_OK, OK},
    {"", int8_f16, dequant_2, MMARN_ERR_ARGUMENT, REST},
    {"", int8_f16, dequant_n1, MMARN_ERR_ARGUMENT, REST},
    {"int8 x int8: x1's and x2's last axes are at most 65535", int8_f16, k_65535, MMARN_OK, OK},
    {"", int8_f16, k_65536, MMARN_OK, REST},
    {"", int8_f16, k_131072, MMARN_ERR_ARGUMENT, REST},
    {"", int8_f16, n_65535, MMARN_OK, OK},
    {"", int8_f16, n_65536, MMARN_OK, REST},
    {"", int8_f16, n_65536_transposed, MMARN_OK, OK},
    {"quantised weights: k and n lie in 1 .. 65535", quant_f16, k_1, MMARN_OK, OK},
    {"", quant_f16, k_65535, MMARN_OK, OK},
    {"", quant_f16, k_65536, MMARN_OK, REST},
    {"", quant_bf16, n_65535, MMARN_OK, OK},
    {"", quant_bf16, n_65536, MMARN_OK, REST},
    {"", quant_bf16, n_65536_transposed, MMARN_OK, REST},
    {"antiquant_scale is (1,), (n,), (1, n) or (ceil(k / g), n)", quant_f16, anti_1, MMARN_OK, OK},
    {"", quant_f16, anti_1n, MMARN_OK, OK},
    {"", quant_f16, anti_2, MMARN_ERR_ARGUMENT, REST},
    {"", quant_f16, group_32, MMARN_OK, OK},
    {"", quant_bf16, group_64, MMARN_OK, OK},
    {"", quant_f16, group_strided, MMARN_OK, OK},
    {"", quant_f16, group_count, MMARN_ERR_ARGUMENT, REST},
    {"", quant_f16, group_scale_1, MMARN_ERR_ARGUMENT, REST},
    {"", quant_f16, group_scale_n, MMARN_ERR_ARGUMENT, REST},
    {"", quant_f16, group_0_rows, MMARN_ERR_ARGUMENT, REST},
    {"antiquant_offset has antiquant_scale's shape", quant_f16, offset_shape, MMARN_ERR_ARGUMENT, REST},
    {"antiquant_group_size is a multiple of 32 in 32 .. k - 1", quant_f16, group_31, MMARN_ERR_ARGUMENT, REST},
    {"", quant_f16, group_48, MMARN_ERR_ARGUMENT, REST},
    {"", quant_f16, group_96, MMARN_ERR_ARGUMENT, REST},
    {"", quant_f16, group_negative, MMARN_ERR_ARGUMENT, REST},
};

static const mmarn_tensor *given(const mmarn_tensor *tensor)
{
    return tensor->ndim < 0 ? NULL : tensor;
}

static mmarn_status run(struct call *c, uint64_t limits)
{
    c->ascend.flags = limits;
    return mmarn_mm_all_reduce_add_rms_norm(
        c->comm, &c->config, STEP(given(&c->x1), given(&c->residual), given(&c->y), given(&c->norm_out)));
}

static void lines_of_the_specification(void **state)
{
    (void)state;
    const char *line = "";
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *row = &rows[i];
        line = row->line[0] ? row->line : line;
        struct call c;
        row->scenario(&c);
        row->change(&c);
        mmarn_status status = run(&c, 0);
        if (status != row->native)
            fail_msg("row %zu (%s): %s (%s) instead of %s", i, line, mmarn_status_string(status), mmarn_last_error(),
                     mmarn_status_string(row->native));
        status = run(&c, MMARN_ASCEND_LIMITS);
        int32_t code = status == MMARN_OK ? OK : mmarn_last_code();
        if (code != row->strict)
            fail_msg("row %zu (%s), strict: %d (%s) instead of %d", i, line, (int)code,
                     status ? mmarn_last_error() : "accepted", (int)row->strict);
    }
}

static bool create_strict(struct group_rank *rank, void *ctx)
{
    const bool allowed = *(const bool *)ctx;
    mmarn_comm *comm = group_join(rank, 1);
    if (!comm)
        return false;
    struct call c;
    f16(&c);
    mmarn_op *op = NULL;
    EXPECT_STATUS(rank, mmarn_op_create(comm, &c.config, &op), MMARN_OK);
    mmarn_op_destroy(op);
    c.ascend.flags = MMARN_ASCEND_LIMITS;
    EXPECT_STATUS(rank, mmarn_op_create(comm, &c.config, &op), allowed ? MMARN_OK : MMARN_ERR_UNSUPPORTED);
    EXPECT(rank, allowed || mmarn_last_code() == REST, "the code is %d", (int)mmarn_last_code());
    if (allowed)
        mmarn_op_destroy(op);
    mmarn_comm_destroy(comm);
    return true;
}

/* 1, 2, 4 and 8 ranks in strict mode, any number natively. */
static void world_sizes(void **state)
{
    (void)state;
    for (int world_size = 1; world_size <= 9; world_size++) {
        bool allowed = world_size == 1 || world_size == 2 || world_size == 4 || world_size == 8;
        assert_true(group_run(GROUP_THREADS, world_size, create_strict, &allowed));
    }
}

int main(void)
{
    for (int i = 0; i < 10; i++) {
        memory[i] = malloc(MEMORY);
        memset(memory[i], 0x3C, MEMORY);
    }
    mmarn_comm_config config = MMARN_COMM_CONFIG_INIT;
    if (mmarn_comm_create(NULL, &config, &one_rank) != MMARN_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_the_specification),
        cmocka_unit_test(world_sizes),
    };
    int failures = cmocka_run_group_tests_name("the original's limits", tests, NULL, NULL);
    mmarn_comm_destroy(one_rank);
    for (int i = 0; i < 10; i++)
        free(memory[i]);
    return failures;
}
