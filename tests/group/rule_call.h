/* SPDX-License-Identifier: MIT */
/*
 * rule_call.h - right calls of every form and scenario, for test_rules.c, whose rows change one thing in them; the
 * changes that rows have in common; and the ways to make a call.
 *
 * Every tensor is there in every call. A call passes those that its config and step point to.
 */
#ifndef MMARN_TESTS_RULE_CALL_H
#define MMARN_TESTS_RULE_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "mmarn/mmarn.h"
#include "mmarn/mmarn_ascend.h"

/* Sizes of a call before anything is changed; its rows are B * S. */
enum { B = 1, S = 4, K = 96, N = 16 };

struct call {
    mmarn_form form;
    mmarn_op_config config;
    mmarn_ascend_options ascend;
    mmarn_step step;
    mmarn_tensor x1, x2, bias, gamma, dequant, anti, offset; /* dequant_scale, antiquant_scale and antiquant_offset */
    mmarn_tensor x1_scale, x3, residual, y, norm_out, mm_out, rstd, norm_scale;
};

/* Memory for one call at a time, with random inputs that are right in any dtype. */
void call_memory_make(void);
void call_memory_free(void);

/* A right call. The names of this list begin the names of the rows that start from it. */
enum start {
    /* mmarn_mm_all_reduce_add_rms_norm as the original has it: (b, s, ...), a bias, Ascend's options. */
    START_f16,
    START_bf16,
    START_int8_f16, /* int8 x int8, an f16 output, dequant_scale as words */
    START_int8_bf16,
    START_quant_f16, /* int8 weights, f16 x1, antiquant_scale and antiquant_offset */
    START_quant_bf16,
    /* The same function, and the others: all f16, (rows, ...), without a bias; mmarn_op_matmul's mm_out is f32. */
    START_op,
    START_mm_all_reduce,
    START_all_reduce_norm,
    START_add_norm,
    START_op_matmul,
    START_all_reduce,
    START_reduce_scatter,
    START_all_gather
};
void call_begin(struct call *c, enum start start);

/* Changes. reshape keeps memory and dtype; the last sizes are left out where there are fewer axes. */
void reshape(mmarn_tensor *t, int ndim, int64_t a, int64_t b, int64_t c);
void transpose(mmarn_tensor *t);
void set_rows(struct call *c, int64_t rows);
void set_k(struct call *c, int64_t k);
void set_n(struct call *c, int64_t n); /* scales become one number */
void set_groups(struct call *c, int64_t group_size, int64_t count);
void set_outputs(struct call *c, mmarn_dtype dtype); /* with residual and gamma */
void set_types(struct call *c, mmarn_dtype x1, mmarn_dtype residual, mmarn_dtype gamma, mmarn_dtype y,
               mmarn_dtype norm_out);

/* Fills the outputs with a pattern; is it still there? */
void call_poison(void);
bool call_outputs_untouched(void);

/* The function of its form; mmarn_op_create and mmarn_op_run instead; mmarn_check, without any data. */
mmarn_status call_at_once(mmarn_comm *comm, const struct call *c);
mmarn_status call_in_two(mmarn_comm *comm, const struct call *c);
mmarn_status call_check(struct call *c);

#endif
