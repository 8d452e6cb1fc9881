/* SPDX-License-Identifier: MIT */
/*
 * convert.c - the list of conversion kernels, and the choice of one: each entry comes from the last line that has it
 * and whose needs the processor meets, as far as MMARN_CPU allows.
 */
#include "base/convert.h"

#include <assert.h>
#include <pthread.h>

#include "base/cpu.h"
#include "base/float_env.h"

#define KERNEL(name) extern const struct convert_kernel convert_##name;
#include "base/convert_kernels.inc"
#undef KERNEL

#define KERNEL(name) &convert_##name,
const struct convert_kernel *const convert_kernels[] = {
#include "base/convert_kernels.inc"
    NULL};
#undef KERNEL

static struct convert_kernel best;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void lay(const struct convert_kernel *kernel)
{
    best.name = kernel->name;
    for (int dtype = 0; dtype < DTYPE_COUNT; dtype++) {
        if (kernel->to_f32[dtype])
            best.to_f32[dtype] = kernel->to_f32[dtype];
        if (kernel->from_f32[dtype])
            best.from_f32[dtype] = kernel->from_f32[dtype];
    }
}

static void choose(void)
{
    for (int i = 0; convert_kernels[i]; i++)
        if ((convert_kernels[i]->needs & ~cpu_features()) == 0)
            lay(convert_kernels[i]);
    assert(best.to_f32[MMARN_F16] && best.to_f32[MMARN_BF16] && best.to_f32[MMARN_F32]);
    assert(best.from_f32[MMARN_F16] && best.from_f32[MMARN_BF16] && best.from_f32[MMARN_F32]);
}

const struct convert_kernel *convert_kernel_best(void)
{
    pthread_once(&once, choose);
    return &best;
}

/* Arrays that share no byte. */
static inline bool apart(const void *a, size_t a_bytes, const void *b, size_t b_bytes)
{
    return (uintptr_t)a + a_bytes <= (uintptr_t)b || (uintptr_t)b + b_bytes <= (uintptr_t)a;
}

void convert_to_f32(int32_t dtype, const void *src, float *dst, size_t count)
{
    assert(dtype_is_float(dtype) && apart(src, count * dtype_size(dtype), dst, count * sizeof *dst));
    convert_kernel_best()->to_f32[dtype](src, dst, count);
}

void convert_from_f32(int32_t dtype, const float *src, void *dst, size_t count)
{
    assert(dtype_is_float(dtype) && float_env_holds());
    assert(apart(src, count * sizeof *src, dst, count * dtype_size(dtype)));
    convert_kernel_best()->from_f32[dtype](src, dst, count);
}
