/* SPDX-License-Identifier: MIT */
/* tensor.c - the public doors that need no group: tensors' descriptions, and the words of dequant_scale. */
#include "op/tensor.h"

#include "api/door.h"
#include "base/float_env.h"
#include "op/check_pieces.h"
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
    struct error error;
    const bool done = check_given("scale", scale, &error) && check_given("words", words, &error) &&
                      quant_words_make(scale, scale_count, offset, offset_count, round_mode, words, &error);
    return door_status(done, &error);
}
