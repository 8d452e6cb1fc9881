/* norm.c - the list of norm kernels, and the choice among them. */
#include "norm/norm.h"

#include <stdatomic.h>

#include "base/cpu.h"

#define KERNEL(name) extern const struct norm_kernel norm_##name;
#include "norm/norm_kernels.inc"
#undef KERNEL

#define KERNEL(name) &norm_##name,
const struct norm_kernel *const norm_kernels[] = {
#include "norm/norm_kernels.inc"
    NULL};
#undef KERNEL

const struct norm_kernel *norm_kernel_best(void)
{
    static _Atomic(const struct norm_kernel *) chosen;
    /* Relaxed is enough: the tables are constants, and every thread that finds no choice yet makes the same one. */
    const struct norm_kernel *best = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (best)
        return best;
    for (int i = 0; norm_kernels[i]; i++)
        if ((norm_kernels[i]->needs & ~cpu_features()) == 0)
            best = norm_kernels[i];
    atomic_store_explicit(&chosen, best, memory_order_relaxed);
    return best;
}
