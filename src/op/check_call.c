/*
 * check_call.c - the order of all checks, as one list. The functions that run a call, mmarn_op_create and mmarn_check
 * each go through the same list, over the parts of a call that they have.
 */
#include "op/ascend.h"
#include "op/check.h"
#include "op/check_rules.h"

/* Forms, by bits. */
#define FORM(name) (1U << MMARN_FORM_##name)
enum {
    MM_ALL_REDUCE = FORM(MM_ALL_REDUCE),
    ADD_RMS_NORM = FORM(ADD_RMS_NORM),
    OP_MATMUL = FORM(OP_MATMUL),
    ALL_REDUCE = FORM(ALL_REDUCE),
    REDUCE_SCATTER = FORM(REDUCE_SCATTER),
    ALL_GATHER = FORM(ALL_GATHER),
    /* x1 @ x2 is summed; x1 is summed, or stands for the sum; in becomes out. */
    FUSED = FORM(MM_ALL_REDUCE_ADD_RMS_NORM) | MM_ALL_REDUCE,
    NORM = FORM(ALL_REDUCE_ADD_RMS_NORM) | ADD_RMS_NORM,
    COLLECTIVE = ALL_REDUCE | REDUCE_SCATTER | ALL_GATHER,
    MATMUL = FUSED | OP_MATMUL
};

struct row {
    enum check_phase phase;
    unsigned part, forms;
    check_rule *check;
};

static const struct row rows[] = {
    {CHECK_NULLS, CHECK_CONFIG, MATMUL, check_weights_given},
    {CHECK_NULLS, CHECK_STEP, MATMUL | NORM, check_x1_given},
    {CHECK_NULLS, CHECK_CONFIG, NORM, check_norm_given},
    {CHECK_NULLS, CHECK_STEP, OP_MATMUL, check_mm_out_given},
    {CHECK_NULLS, CHECK_STEP, NORM, check_no_matmul},
    {CHECK_NULLS, CHECK_STEP, ADD_RMS_NORM, check_no_sum},
    {CHECK_NULLS, CHECK_STEP, MM_ALL_REDUCE, check_no_norm},
    {CHECK_NULLS, CHECK_STEP, OP_MATMUL, check_partial_alone},
    {CHECK_NULLS, CHECK_STEP, MM_ALL_REDUCE, check_mm_out_given},
    {CHECK_NULLS, CHECK_STEP, FUSED, check_ascend_given},
    {CHECK_NULLS, CHECK_STEP, FUSED | NORM, check_outputs_given},
    {CHECK_NULLS, CHECK_STEP, COLLECTIVE, check_in_and_out_given},

    {CHECK_PRODUCT, CHECK_CONFIG, MATMUL, check_x2_shape},
    {CHECK_PRODUCT, CHECK_STEP, MATMUL | NORM, check_x1_shape},
    {CHECK_PRODUCT, CHECK_STEP, FUSED, check_x3_columns},
    {CHECK_PRODUCT, CHECK_STEP, MATMUL | NORM, check_columns},

    {CHECK_SHAPES, CHECK_STEP, FUSED, check_x3_rows},
    {CHECK_SHAPES, CHECK_STEP, MATMUL | NORM, check_rows},
    {CHECK_SHAPES, CHECK_STEP, ALL_REDUCE, check_all_reduce_shapes},
    {CHECK_SHAPES, CHECK_STEP, REDUCE_SCATTER | ALL_GATHER, check_shard_shapes},

    {CHECK_OPTIONS, CHECK_CONFIG, MATMUL, check_scenario},
    {CHECK_OPTIONS, CHECK_CONFIG, MATMUL, check_weight_dtypes},
    {CHECK_OPTIONS, CHECK_CONFIG, MATMUL, check_gamma_and_bias},
    {CHECK_OPTIONS, CHECK_CONFIG, MATMUL, check_x2_layout},
    {CHECK_OPTIONS, CHECK_CONFIG, MATMUL, check_scales},
    {CHECK_OPTIONS, CHECK_CONFIG, MATMUL, check_options},
    {CHECK_OPTIONS, CHECK_CONFIG, MATMUL, check_ascend_config},
    {CHECK_OPTIONS, CHECK_CONFIG, NORM, check_norm_gamma},
    {CHECK_OPTIONS, CHECK_CONFIG, NORM, check_norm_options},
    {CHECK_OPTIONS, CHECK_STEP, FUSED | NORM, check_output_shapes},
    {CHECK_OPTIONS, CHECK_STEP, MATMUL, check_x1_dtype},
    {CHECK_OPTIONS, CHECK_STEP, OP_MATMUL, check_partial_dtype},
    {CHECK_OPTIONS, CHECK_STEP, FUSED | NORM, check_dtypes},
    {CHECK_OPTIONS, CHECK_STEP, MATMUL | NORM, check_layouts},
    {CHECK_OPTIONS, CHECK_STEP, MATMUL, check_x1_scale},
    {CHECK_OPTIONS, CHECK_STEP, FUSED | NORM, check_row_outputs},
    {CHECK_OPTIONS, CHECK_STEP, FUSED, check_ascend_step},
    {CHECK_OPTIONS, CHECK_STEP, ALL_REDUCE | REDUCE_SCATTER, check_summed_dtype},
    {CHECK_OPTIONS, CHECK_STEP, ALL_GATHER, check_gathered_dtype},
    {CHECK_OPTIONS, CHECK_STEP, COLLECTIVE, check_in_and_out_layouts},
    {CHECK_OPTIONS, CHECK_STEP, ALL_REDUCE | REDUCE_SCATTER, check_collective_numerics},

    {CHECK_MEMORY, CHECK_CONFIG, MATMUL | NORM, check_config_data},
    {CHECK_MEMORY, CHECK_STEP, MATMUL | NORM, check_step_data},
    {CHECK_MEMORY, CHECK_STEP, MATMUL | NORM, check_outputs_apart},
    {CHECK_MEMORY, CHECK_STEP, COLLECTIVE, check_in_and_out_data},
    {CHECK_MEMORY, CHECK_STEP, ALL_REDUCE, check_all_reduce_apart},
    {CHECK_MEMORY, CHECK_STEP, REDUCE_SCATTER, check_reduce_scatter_apart},
    {CHECK_MEMORY, CHECK_STEP, ALL_GATHER, check_all_gather_apart},
};
static const struct row *const rows_end = rows + sizeof rows / sizeof *rows;

static bool holds(const struct row *row, const struct op_call *call, unsigned parts, struct error *error)
{
    if (!(row->part & parts) || !(row->forms >> call->form & 1) || row->check(call, error))
        return true;
    if (row->phase == CHECK_PRODUCT)
        error->code = ASCEND_SHAPE;
    return false;
}

bool check_call(const struct op_call *call, unsigned parts, enum check_phase last, struct error *error)
{
    const struct row *row = rows;
    for (; row < rows_end && row->phase <= CHECK_SHAPES; row++)
        if (!holds(row, call, parts, error))
            return false;
    if (parts & CHECK_STEP && op_call_is_empty(call))
        return true;
    for (; row < rows_end && row->phase <= last; row++)
        if (!holds(row, call, parts, error))
            return false;
    return true;
}
