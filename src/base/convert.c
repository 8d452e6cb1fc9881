/* convert.c - the list of conversion kernels, and the choice among them. */
#include "base/convert.h"

#include "base/choice.h"

#define KERNEL(name) extern const struct convert_kernel convert_##name;
#include "base/convert_kernels.inc"
#undef KERNEL

#define KERNEL(name) &convert_##name,
const struct convert_kernel *const convert_kernels[] = {
#include "base/convert_kernels.inc"
    NULL};
#undef KERNEL

const struct convert_kernel *convert_kernel_best(void)
{
    CHOOSE_KERNEL(convert_kernel, convert_kernels);
}

void convert_to_f32(int32_t dtype, const void *src, float *dst, size_t count)
{
    convert_kernel_best()->to_f32[dtype](src, dst, count);
}

void convert_from_f32(int32_t dtype, const float *src, void *dst, size_t count)
{
    convert_kernel_best()->from_f32[dtype](src, dst, count);
}
