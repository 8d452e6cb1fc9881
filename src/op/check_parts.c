/* check_parts.c - the rules of the operator's parts when they are called alone. */
#include "op/check.h"
#include "op/tensor.h"

mmarn_status check_all_reduce(int32_t numerics, const mmarn_tensor *in, const mmarn_tensor *out, bool *empty)
{
    CHECK(tensor_check_given("in", in));
    CHECK(tensor_check_given("out", out));
    CHECK(tensor_check_form("in", in, 1, MMARN_MAX_NDIM));
    CHECK(check_same_shape("out", out, "in", in));
    *empty = tensor_elements(in) == 0;
    if (*empty)
        return MMARN_OK;
    CHECK(check_float_dtype("in", in->dtype));
    CHECK(tensor_check_dtype("out", out, "in", in->dtype));
    CHECK(tensor_check_contiguous("in", in));
    CHECK(tensor_check_contiguous("out", out));
    CHECK(check_numerics(numerics));
    return tensor_check_apart("out", out, "in", in, true);
}

mmarn_status check_all_reduce_norm(int32_t numerics, double epsilon, const struct op_io *io, const mmarn_tensor *gamma,
                                   bool *empty)
{
    CHECK(tensor_check_given("x", io->x));
    CHECK(tensor_check_given("residual", io->residual));
    CHECK(tensor_check_given("gamma", gamma));
    CHECK(tensor_check_given("y", io->y));
    CHECK(tensor_check_given("norm_out", io->norm_out));
    CHECK(tensor_check_form("x", io->x, 2, 3));
    CHECK(check_same_shape("residual", io->residual, "x", io->x));
    CHECK(check_vector("gamma", gamma, "x", tensor_last(io->x)));
    CHECK(check_same_shape("y", io->y, "x", io->x));
    CHECK(check_same_shape("norm_out", io->norm_out, "x", io->x));
    *empty = tensor_elements(io->x) == 0;
    if (*empty)
        return MMARN_OK;
    CHECK(check_float_dtype("x", io->x->dtype));
    CHECK(check_outputs_memory(io, "x", "x", io->x->dtype));
    CHECK(check_dtype_or_f32("gamma", gamma, "x", io->x->dtype));
    CHECK(tensor_check_contiguous("gamma", gamma));
    CHECK(check_epsilon(epsilon));
    CHECK(check_numerics(numerics));
    CHECK(check_outputs_apart(io, "x", true));
    CHECK(tensor_check_apart("y", io->y, "gamma", gamma, false));
    return tensor_check_apart("norm_out", io->norm_out, "gamma", gamma, false);
}
