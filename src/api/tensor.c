/* tensor.c - the public doors that need no group: tensors' descriptions, and the words of dequant_scale. */
#include "op/tensor.h"
#include "base/error.h"
#include "base/float_env.h"
#include "op/check.h"
#include "op/quant_word.h"

mmarn_tensor mmarn_tensor_make(void *data, mmarn_dtype dtype, int32_t ndim, const int64_t *shape)
{
    mmarn_tensor tensor = {.data = data, .dtype = dtype};
    tensor.ndim = ndim < 0 || !shape ? 0 : ndim > MMARN_MAX_NDIM ? MMARN_MAX_NDIM : ndim;
    uint64_t stride = 1; /* a shape too large for any memory is refused later; its strides may wrap */
    for (int i = tensor.ndim - 1; i >= 0; i--) {
        tensor.shape[i] = shape[i];
        tensor.strides[i] = (int64_t)stride;
        stride *= (uint64_t)shape[i];
    }
    return tensor;
}

mmarn_tensor mmarn_tensor_make_const(const void *data, mmarn_dtype dtype, int32_t ndim, const int64_t *shape)
{
    return mmarn_tensor_make((void *)(uintptr_t)data, dtype, ndim, shape);
}

mmarn_tensor mmarn_tensor_transpose(const mmarn_tensor *tensor)
{
    return tensor ? tensor_transposed(tensor) : (mmarn_tensor){.data = NULL};
}

mmarn_status mmarn_trans_quant_param(const float *scale, int64_t scale_count, const float *offset, int64_t offset_count,
                                     int32_t round_mode, uint64_t *words)
{
    FLOAT_ENV_SCOPE();
    CHECK(tensor_check_given("scale", scale));
    CHECK(tensor_check_given("words", words));
    if (round_mode != 0 && round_mode != 1)
        return error_set(MMARN_ERR_ARGUMENT, "round_mode must be 0 or 1 but is %d", round_mode);
    if (scale_count < 1)
        return error_set(MMARN_ERR_ARGUMENT, "scale_count is %lld; it must be at least 1", (long long)scale_count);
    if (offset_count < 0 || (offset_count > 0) != (offset != NULL))
        return error_set(MMARN_ERR_ARGUMENT, "offset_count is %lld but offset is %s", (long long)offset_count,
                         offset ? "given" : "NULL");
    if (offset && offset_count != scale_count && offset_count != 1 && scale_count != 1)
        return error_set(MMARN_ERR_ARGUMENT, "offset_count is %lld but scale_count is %lld; they must be equal or 1",
                         (long long)offset_count, (long long)scale_count);
    const int64_t count = offset_count > scale_count ? offset_count : scale_count;
    for (int64_t i = 0; i < count; i++)
        words[i] = quant_word_make(scale[scale_count == 1 ? 0 : i], offset,
                                   offset ? offset[offset_count == 1 ? 0 : i] : 0, round_mode == 1);
    return MMARN_OK;
}
