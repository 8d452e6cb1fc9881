/* SPDX-License-Identifier: MIT */
/* check_pieces.c - one question each: about a pointer, a tensor or two, an option. */
#include "op/check_pieces.h"

#include <math.h>

#include "base/dtype.h"
#include "op/tensor.h"

/* -------------------------------------------------------------------------------------------------------- shapes */

bool check_axes(const char *name, const mmarn_tensor *tensor, int least, int most, struct error *error)
{
    if (tensor->ndim < least || tensor->ndim > most) {
        if (least == most)
            return error_fail(error, MMARN_ERR_ARGUMENT, "%s has %d axes; it must have %d", name, tensor->ndim, least);
        return error_fail(error, MMARN_ERR_ARGUMENT, "%s has %d axes; it must have %d to %d", name, tensor->ndim, least,
                          most);
    }
    int64_t bits = 64; /* the widest dtype's: whatever the dtype turns out to be, sizes fit */
    bool fits = true;
    for (int i = 0; i < tensor->ndim; i++) {
        if (tensor->shape[i] < 0)
            return error_fail(error, MMARN_ERR_ARGUMENT, "%s is %s; axis %d must not be negative", name,
                              tensor_shape(tensor), i);
        if (tensor->shape[i] > 0)
            fits = !__builtin_mul_overflow(bits, tensor->shape[i], &bits) && fits;
    }
    return fits || error_fail(error, MMARN_ERR_ARGUMENT, "%s is %s, more elements than %lld bytes hold", name,
                              tensor_shape(tensor), (long long)INT64_MAX);
}

bool check_vector(const char *name, const mmarn_tensor *vector, const char *of, int64_t n, struct error *error)
{
    if (!check_axes(name, vector, 1, 1, error))
        return false;
    return vector->shape[0] == n || error_fail(error, MMARN_ERR_ARGUMENT, "%s is %s but %s's last axis is %lld", name,
                                               tensor_shape(vector), of, (long long)n);
}

bool check_same_shape(const char *name, const mmarn_tensor *tensor, const char *like_name, const mmarn_tensor *like,
                      struct error *error)
{
    if (tensor_same_shape(tensor, like))
        return true;
    return check_axes(name, tensor, 1, MMARN_MAX_NDIM, error) &&
           error_fail(error, MMARN_ERR_ARGUMENT, "%s is %s but %s is %s", name, tensor_shape(tensor), like_name,
                      tensor_shape(like));
}

/* -------------------------------------------------------------------------------------------- dtypes and layouts */

bool check_dtype(const char *name, const mmarn_tensor *tensor, const char *like, int32_t dtype, struct error *error)
{
    return tensor->dtype == dtype || error_fail(error, MMARN_ERR_UNSUPPORTED, "%s is %s but %s is %s", name,
                                                dtype_name(tensor->dtype), like, dtype_name(dtype));
}

bool check_dtype_or_f32(const char *name, const mmarn_tensor *tensor, const char *like, int32_t dtype,
                        struct error *error)
{
    if (tensor->dtype == dtype || tensor->dtype == MMARN_F32)
        return true;
    return error_fail(error, MMARN_ERR_UNSUPPORTED, "%s is %s but %s is %s; it must be %s%s", name,
                      dtype_name(tensor->dtype), like, dtype_name(dtype), dtype_name(dtype),
                      dtype == MMARN_F32 ? "" : " or f32");
}

bool check_float_dtype(const char *name, int32_t dtype, struct error *error)
{
    if (dtype_is_float(dtype))
        return true;
    return error_fail(error, MMARN_ERR_UNSUPPORTED, "%s has dtype %d (%s); it must be f16 (%d), bf16 (%d) or f32 (%d)",
                      name, dtype, dtype_name(dtype), MMARN_F16, MMARN_BF16, MMARN_F32);
}

bool check_contiguous(const char *name, const mmarn_tensor *tensor, struct error *error)
{
    if (tensor_contiguous(tensor))
        return true;
    mmarn_tensor strides = *tensor;
    for (int i = 0; i < tensor->ndim; i++)
        strides.shape[i] = tensor->strides[i];
    return error_fail(error, MMARN_ERR_UNSUPPORTED, "%s is %s with strides %s; it must be contiguous", name,
                      tensor_shape(tensor), tensor_shape(&strides));
}

/* ------------------------------------------------------------------------------------------------------- options */

bool check_epsilon(double epsilon, struct error *error)
{
    if (isfinite((float)epsilon) && (float)epsilon > 0)
        return true;
    return error_fail(error, MMARN_ERR_ARGUMENT, "epsilon is %g, in fp32 %g; it must be above 0 and finite", epsilon,
                      (double)(float)epsilon);
}

bool check_numerics(int32_t numerics, struct error *error)
{
    if (numerics >= MMARN_NUMERICS_DEFAULT && numerics <= MMARN_NUMERICS_FP32)
        return true;
    return error_fail(error, MMARN_ERR_UNSUPPORTED, "numerics is %d; it must be one of %d to %d", numerics,
                      MMARN_NUMERICS_DEFAULT, MMARN_NUMERICS_FP32);
}

bool check_flags(uint64_t flags, uint64_t known, struct error *error)
{
    if (!(flags & ~known))
        return true;
    return error_fail(error, MMARN_ERR_UNSUPPORTED, "flags is 0x%llx but only the bits of 0x%llx are known here",
                      (unsigned long long)flags, (unsigned long long)known);
}

bool check_rank(int32_t rank, int32_t world_size, struct error *error)
{
    if (world_size < 1 || world_size > MMARN_MAX_RANKS)
        return error_fail(error, MMARN_ERR_ARGUMENT, "world_size is %d; a group has 1 to %d ranks", world_size,
                          MMARN_MAX_RANKS);
    if (rank < 0 || rank >= world_size)
        return error_fail(error, MMARN_ERR_ARGUMENT, "rank is %d but world_size is %d", rank, world_size);
    return true;
}

bool check_shard(int64_t rows, int32_t rank, int32_t world_size, struct error *error)
{
    if (rows < 0)
        return error_fail(error, MMARN_ERR_ARGUMENT, "rows is %lld; it must not be negative", (long long)rows);
    return check_rank(rank, world_size, error);
}
