/* quant.c - the list of kernels for integer weights, and the choice among them. */
#include "gemm/quant.h"

#include "base/choice.h"

#define KERNEL(name) extern const struct quant_kernel quant_##name;
#include "gemm/quant_kernels.inc"
#undef KERNEL

#define KERNEL(name) &quant_##name,
const struct quant_kernel *const quant_kernels[] = {
#include "gemm/quant_kernels.inc"
    NULL};
#undef KERNEL

const struct quant_kernel *quant_kernel_best(void)
{
    CHOOSE_KERNEL(quant_kernel, quant_kernels);
}
