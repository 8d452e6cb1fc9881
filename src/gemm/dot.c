/* dot.c - the list of kernels for pairs of bf16, and the choice among them. */
#include "gemm/dot.h"

#include "base/choice.h"

#define KERNEL(name) extern const struct dot_kernel dot_##name;
#include "gemm/dot_kernels.inc"
#undef KERNEL

#define KERNEL(name) &dot_##name,
const struct dot_kernel *const dot_kernels[] = {
#include "gemm/dot_kernels.inc"
    NULL};
#undef KERNEL

const struct dot_kernel *dot_kernel_best(void)
{
    CHOOSE_KERNEL(dot_kernel, dot_kernels);
}
