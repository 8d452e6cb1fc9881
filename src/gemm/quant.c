/* quant.c - the list of kernels for integer weights, and the choice among them. */
#include "gemm/quant.h"

#include <stdatomic.h>

#include "base/cpu.h"

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
    static _Atomic(const struct quant_kernel *) chosen;
    /* Relaxed is enough: the tables are constants, and every thread that finds no choice yet makes the same one. */
    const struct quant_kernel *best = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (best)
        return best;
    for (int i = 0; quant_kernels[i]; i++)
        if ((quant_kernels[i]->needs & ~cpu_features()) == 0)
            best = quant_kernels[i];
    atomic_store_explicit(&chosen, best, memory_order_relaxed);
    return best;
}
