/* convert.c - the list of conversion kernels, and the choice among them. */
#include "base/convert.h"

#include <stdatomic.h>

#include "base/cpu.h"

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
    static _Atomic(const struct convert_kernel *) chosen;
    /* Relaxed is enough: the tables are constants, and every thread that finds no choice yet makes the same one. */
    const struct convert_kernel *best = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (best)
        return best;
    for (int i = 0; convert_kernels[i]; i++)
        if ((convert_kernels[i]->needs & ~cpu_features()) == 0)
            best = convert_kernels[i];
    atomic_store_explicit(&chosen, best, memory_order_relaxed);
    return best;
}

void convert_to_f32(int32_t dtype, const void *src, float *dst, size_t count)
{
    convert_kernel_best()->to_f32[dtype](src, dst, count);
}

void convert_from_f32(int32_t dtype, const float *src, void *dst, size_t count)
{
    convert_kernel_best()->from_f32[dtype](src, dst, count);
}
