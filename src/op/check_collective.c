/* check_collective.c - the rules of the collectives alone: all-reduce, reduce-scatter, all-gather. */
#include "base/dtype.h"
#include "base/error.h"
#include "op/check.h"
#include "op/tensor.h"

static mmarn_status check_both(const mmarn_tensor *in, const mmarn_tensor *out)
{
    CHECK(tensor_check_given("in", in));
    return tensor_check_given("out", out);
}

static mmarn_status check_layouts(const mmarn_tensor *in, const mmarn_tensor *out)
{
    CHECK(tensor_check_dtype("out", out, "in", in->dtype));
    CHECK(tensor_check_contiguous("in", in));
    return tensor_check_contiguous("out", out);
}

mmarn_status check_all_reduce(int32_t numerics, const mmarn_tensor *in, const mmarn_tensor *out, bool *empty)
{
    CHECK(check_both(in, out));
    CHECK(tensor_check_form("in", in, 1, MMARN_MAX_NDIM));
    CHECK(check_same_shape("out", out, "in", in));
    *empty = tensor_elements(in) == 0;
    if (*empty)
        return MMARN_OK;
    CHECK(check_float_dtype("in", in->dtype));
    CHECK(check_layouts(in, out));
    return check_numerics(numerics);
}

/* part has this rank's rows of whole. */
static mmarn_status check_shard(const char *part_name, const mmarn_tensor *part, const char *whole_name,
                                const mmarn_tensor *whole, int rank, int world_size)
{
    CHECK(tensor_check_form(whole_name, whole, 1, 3));
    CHECK(tensor_check_form(part_name, part, whole->ndim == 1 ? 1 : 2, whole->ndim == 1 ? 1 : 3));
    const bool vector = whole->ndim == 1;
    const int64_t n = vector ? 1 : tensor_last(whole), rows = vector ? whole->shape[0] : tensor_rows(whole);
    const int64_t part_n = vector ? 1 : tensor_last(part), part_rows = vector ? part->shape[0] : tensor_rows(part);
    const int64_t own = op_rows_shard(rows, rank, world_size).count;
    if (part_n != n)
        return error_set(MMARN_ERR_ARGUMENT, "%s is %s but %s's last axis is %lld", part_name, tensor_shape(part),
                         whole_name, (long long)n);
    if (part_rows == own)
        return MMARN_OK;
    return error_set(MMARN_ERR_ARGUMENT, "%s is %s, which has %lld rows, but %s is %s, of which rank %d of %d has %lld",
                     part_name, tensor_shape(part), (long long)part_rows, whole_name, tensor_shape(whole), rank,
                     world_size, (long long)own);
}

mmarn_status check_reduce_scatter(int32_t numerics, const mmarn_tensor *in, const mmarn_tensor *out, int rank,
                                  int world_size, bool *empty)
{
    CHECK(check_both(in, out));
    CHECK(check_shard("out", out, "in", in, rank, world_size));
    *empty = tensor_elements(in) == 0;
    if (*empty)
        return MMARN_OK;
    CHECK(check_float_dtype("in", in->dtype));
    CHECK(check_layouts(in, out));
    return check_numerics(numerics);
}

mmarn_status check_all_gather(const mmarn_tensor *in, const mmarn_tensor *out, int rank, int world_size, bool *empty)
{
    CHECK(check_both(in, out));
    CHECK(check_shard("in", in, "out", out, rank, world_size));
    *empty = tensor_elements(out) == 0;
    if (*empty)
        return MMARN_OK;
    if (!dtype_is_float(out->dtype) && out->dtype != MMARN_I8 && out->dtype != MMARN_I32)
        return error_set(MMARN_ERR_UNSUPPORTED, "out is %s; mmarn_all_gather takes f16, bf16, f32, i8 and i32",
                         dtype_name(out->dtype));
    return check_layouts(in, out);
}

/* ------------------------------------------------------------------------------------------------------- memory */

mmarn_status check_parts_memory(const mmarn_tensor *in, const mmarn_tensor *out, bool may_be_in)
{
    CHECK(tensor_check_data("in", in));
    CHECK(tensor_check_data("out", out));
    return tensor_check_apart("out", out, "in", in, may_be_in);
}

/* in may be where its rows of out lie: nobody writes them to another place. */
mmarn_status check_gather_memory(const mmarn_tensor *in, const mmarn_tensor *out, int rank, int world_size)
{
    const bool vector = out->ndim == 1;
    const int64_t first = op_rows_shard(vector ? out->shape[0] : tensor_rows(out), rank, world_size).first;
    const int64_t before = vector ? first : first * tensor_last(out);
    CHECK(tensor_check_data("in", in));
    CHECK(tensor_check_data("out", out));
    const char *own = (const char *)out->data + (size_t)before * dtype_size(out->dtype);
    if (!tensor_overlap(in, out) || in->data == own)
        return MMARN_OK;
    return error_set(MMARN_ERR_ARGUMENT,
                     "in (at %p) overlaps out (at %p); it must be memory of its own or its own rows of out (at %p)",
                     in->data, out->data, (const void *)own);
}
