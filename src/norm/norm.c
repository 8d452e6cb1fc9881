/* SPDX-License-Identifier: MIT */
/*
 * norm.c - the list of norm kernels, and the choice of one: each entry comes from the last line that has it and whose
 * needs the processor meets, as far as MMARN_CPU allows.
 */
#include "norm/norm.h"

#include <assert.h>
#include <pthread.h>

#include "base/cpu.h"

#define KERNEL(name) extern const struct norm_kernel norm_##name;
#include "norm/norm_kernels.inc"
#undef KERNEL

#define KERNEL(name) &norm_##name,
const struct norm_kernel *const norm_kernels[] = {
#include "norm/norm_kernels.inc"
    NULL};
#undef KERNEL

static struct norm_kernel best;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void lay(const struct norm_kernel *kernel)
{
    best.name = kernel->name;
    for (int dtype = 0; dtype < DTYPE_COUNT; dtype++) {
        for (int wide = 0; wide < 2; wide++) {
            if (kernel->add[dtype][wide])
                best.add[dtype][wide] = kernel->add[dtype][wide];
            if (kernel->add_sum[dtype][wide])
                best.add_sum[dtype][wide] = kernel->add_sum[dtype][wide];
        }
        if (kernel->row[dtype])
            best.row[dtype] = kernel->row[dtype];
        if (kernel->quantise[dtype])
            best.quantise[dtype] = kernel->quantise[dtype];
    }
}

/* Plain C, the first line, has every entry. */
static inline bool is_complete(const struct norm_kernel *kernel)
{
    bool complete = true;
    for (int32_t dtype = 0; dtype < DTYPE_COUNT; dtype++)
        if (dtype_is_float(dtype))
            complete = complete && kernel->add[dtype][0] && kernel->add[dtype][1] && kernel->add_sum[dtype][0] &&
                       kernel->add_sum[dtype][1] && kernel->row[dtype] && kernel->quantise[dtype];
    return complete;
}

static void choose(void)
{
    for (int i = 0; norm_kernels[i]; i++)
        if ((norm_kernels[i]->needs & ~cpu_features()) == 0)
            lay(norm_kernels[i]);
    assert(is_complete(&best));
}

const struct norm_kernel *norm_kernel_best(void)
{
    pthread_once(&once, choose);
    return &best;
}
