/* SPDX-License-Identifier: MIT */
/*
 * check_rules.h - the rules that check_list.inc puts in order, by the file that has them. Each looks at one
 * call, of a form that it stands for in the list, and may count on those before it there.
 */
#ifndef MMARN_OP_CHECK_RULES_H
#define MMARN_OP_CHECK_RULES_H

#include "base/error.h"
#include "op/types.h"

typedef bool check_rule(const struct op_call *call, struct error *error);

/* check_config.c: weights and options. */
check_rule check_weights_given, check_x2_shape, check_scenario, check_weight_dtypes, check_gamma_and_bias,
    check_x2_layout, check_options;
/* The same of forms without a matmul: gamma for columns of x1's dtype. */
check_rule check_norm_given, check_norm_gamma, check_norm_options;

/* check_scales.c: dequant_scale, antiquant_scale, antiquant_offset, antiquant_group_size. */
check_rule check_scales;

/* check_step.c: a step's tensors. */
check_rule check_x1_given, check_mm_out_given, check_outputs_given;
check_rule check_no_matmul, check_no_sum, check_no_norm, check_partial_alone;
check_rule check_x1_shape, check_x3_columns, check_columns, check_x3_rows, check_rows;
check_rule check_output_shapes, check_x1_dtype, check_partial_dtype, check_dtypes, check_layouts, check_x1_scale,
    check_row_outputs;

/* check_ascend.c: the original's limits, where the configuration asks for them. */
check_rule check_ascend_given, check_ascend_config, check_ascend_step;

/* check_collective.c: the collectives alone; in is the step's x1, out its mm_out. */
check_rule check_in_and_out_given, check_all_reduce_shapes, check_shard_shapes, check_summed_dtype,
    check_gathered_dtype, check_in_and_out_layouts, check_collective_numerics;

/* check_memory.c. */
check_rule check_config_data, check_step_data, check_outputs_apart, check_in_and_out_data, check_all_reduce_apart,
    check_reduce_scatter_apart, check_all_gather_apart;

#endif
