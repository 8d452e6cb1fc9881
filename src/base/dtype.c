/* dtype.c - sizes and names of the element types. */
#include "base/dtype.h"

static const struct {
    const char *name;
    size_t size;
} dtypes[DTYPE_COUNT] = {
    [MMARN_F16] = {"f16", 2},
    [MMARN_BF16] = {"bf16", 2},
    [MMARN_F32] = {"f32", 4},
};

bool dtype_valid(int32_t dtype)
{
    return dtype > 0 && dtype < DTYPE_COUNT;
}

size_t dtype_size(int32_t dtype)
{
    return dtypes[dtype].size;
}

const char *dtype_name(int64_t dtype)
{
    return dtype > 0 && dtype < DTYPE_COUNT ? dtypes[dtype].name : "?";
}
