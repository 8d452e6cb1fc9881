/* dtype.c - sizes and names of the element types. */
#include "base/dtype.h"

static const struct {
    const char *name;
    int bits;
} dtypes[DTYPE_COUNT] = {
    [MMARN_F16] = {"f16", 16}, [MMARN_BF16] = {"bf16", 16}, [MMARN_F32] = {"f32", 32}, [MMARN_I8] = {"i8", 8},
    [MMARN_I4] = {"i4", 4},    [MMARN_I32] = {"i32", 32},   [MMARN_I64] = {"i64", 64}, [MMARN_U64] = {"u64", 64},
};

bool dtype_is_float(int32_t dtype)
{
    return dtype == MMARN_F16 || dtype == MMARN_BF16 || dtype == MMARN_F32;
}

int dtype_bits(int32_t dtype)
{
    return dtypes[dtype].bits;
}

size_t dtype_size(int32_t dtype)
{
    return (size_t)dtypes[dtype].bits / 8;
}

const char *dtype_name(int64_t dtype)
{
    return dtype > 0 && dtype < DTYPE_COUNT ? dtypes[dtype].name : "?";
}
