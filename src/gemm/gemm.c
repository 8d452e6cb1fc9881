/* gemm.c - the list of matmul kernels, and the choice among them. */
#include "gemm/gemm.h"

#include "base/choice.h"

#define KERNEL(name) extern const struct gemm_kernel gemm_##name;
#include "gemm/gemm_kernels.inc"
#undef KERNEL

#define KERNEL(name) &gemm_##name,
const struct gemm_kernel *const gemm_kernels[] = {
#include "gemm/gemm_kernels.inc"
    NULL};
#undef KERNEL

const struct gemm_kernel *gemm_kernel_best(void)
{
    CHOOSE_KERNEL(gemm_kernel, gemm_kernels);
}
