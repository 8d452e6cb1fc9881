/* SPDX-License-Identifier: MIT */
/* check_collective.c - the rules of the collectives alone: all-reduce, reduce-scatter, all-gather. */
#include "base/dtype.h"
#include "op/check_pieces.h"
#include "op/check_rules.h"
#include "op/tensor.h"

bool check_in_and_out_given(const struct op_call *call, struct error *error)
{
    return check_given("in", call->step.x1, error) && check_given("out", call->step.mm_out, error);
}

bool check_all_reduce_shapes(const struct op_call *call, struct error *error)
{
    const mmarn_tensor *in = call->step.x1, *out = call->step.mm_out;
    return check_axes("in", in, 1, MMARN_MAX_NDIM, error) && check_same_shape("out", out, "in", in, error);
}

/* One of in and out is whole, the other has this rank's rows of it. */
bool check_shard_shapes(const struct op_call *call, struct error *error)
{
    const bool gathers = call->form == MMARN_FORM_ALL_GATHER;
    const char *part_name = gathers ? "in" : "out", *whole_name = gathers ? "out" : "in";
    const mmarn_tensor *part = gathers ? call->step.x1 : call->step.mm_out;
    const mmarn_tensor *whole = gathers ? call->step.mm_out : call->step.x1;
    if (!check_axes(whole_name, whole, 1, 3, error) ||
        !check_axes(part_name, part, whole->ndim == 1 ? 1 : 2, whole->ndim == 1 ? 1 : 3, error))
        return false;
    const struct matrix has = tensor_matrix(part), of = tensor_matrix(whole);
    const int64_t own = op_rows_shard(of.rows, call->rank, call->world_size).count;
    if (has.n != of.n)
        return error_fail(error, MMARN_ERR_ARGUMENT, "%s is %s but %s's last axis is %lld", part_name,
                          tensor_shape(part), whole_name, (long long)of.n);
    if (has.rows == own)
        return true;
    return error_fail(error, MMARN_ERR_ARGUMENT,
                      "%s is %s, which has %lld rows, but %s is %s, of which rank %d of %d has %lld", part_name,
                      tensor_shape(part), (long long)has.rows, whole_name, tensor_shape(whole), call->rank,
                      call->world_size, (long long)own);
}

bool check_summed_dtype(const struct op_call *call, struct error *error)
{
    return check_float_dtype("in", call->step.x1->dtype, error);
}

bool check_gathered_dtype(const struct op_call *call, struct error *error)
{
    const int32_t dtype = call->step.mm_out->dtype;
    return dtype_is_float(dtype) || dtype == MMARN_I8 || dtype == MMARN_I32 ||
           error_fail(error, MMARN_ERR_UNSUPPORTED, "out is %s; mmarn_all_gather takes f16, bf16, f32, i8 and i32",
                      dtype_name(dtype));
}

bool check_in_and_out_layouts(const struct op_call *call, struct error *error)
{
    const mmarn_tensor *in = call->step.x1, *out = call->step.mm_out;
    return check_dtype("out", out, "in", in->dtype, error) && check_contiguous("in", in, error) &&
           check_contiguous("out", out, error);
}

bool check_collective_numerics(const struct op_call *call, struct error *error)
{
    return check_numerics(call->config->numerics, error);
}
