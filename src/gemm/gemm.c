/* gemm.c - the list of matmul kernels, and the choice among them. */
#include "gemm/gemm.h"

#include <stdatomic.h>

#include "base/cpu.h"

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
    static _Atomic(const struct gemm_kernel *) chosen;
    /* Relaxed is enough: the tables are constants, and every thread that finds no choice yet makes the same one. */
    const struct gemm_kernel *best = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (best)
        return best;
    for (int i = 0; gemm_kernels[i]; i++)
        if ((gemm_kernels[i]->needs & ~cpu_features()) == 0)
            best = gemm_kernels[i];
    atomic_store_explicit(&chosen, best, memory_order_relaxed);
    return best;
}
