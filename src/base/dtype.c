/* SPDX-License-Identifier: MIT */
/* dtype.c - sizes and names of the element types. */
#include "base/dtype.h"

static const char *const names[DTYPE_COUNT] = {
    [MMARN_F16] = "f16", [MMARN_BF16] = "bf16", [MMARN_F32] = "f32", [MMARN_I8] = "i8",
    [MMARN_I4] = "i4",   [MMARN_I32] = "i32",   [MMARN_I64] = "i64", [MMARN_U64] = "u64",
};

const uint8_t dtype_bits_of[DTYPE_COUNT] = {
    [MMARN_F16] = 16, [MMARN_BF16] = 16, [MMARN_F32] = 32, [MMARN_I8] = 8,
    [MMARN_I4] = 4,   [MMARN_I32] = 32,  [MMARN_I64] = 64, [MMARN_U64] = 64,
};

bool dtype_is_float(int32_t dtype)
{
    return dtype == MMARN_F16 || dtype == MMARN_BF16 || dtype == MMARN_F32;
}

const char *dtype_name(int64_t dtype)
{
    return dtype > 0 && dtype < DTYPE_COUNT ? names[dtype] : "?";
}
