/* norm.c - the list of norm kernels, and the choice among them. */
#include "norm/norm.h"

#include "base/choice.h"

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
    CHOOSE_KERNEL(norm_kernel, norm_kernels);
}
