/* SPDX-License-Identifier: MIT */
/*
 * scenario.c - see scenario.h. If the operator takes several types of scales, one is chosen: words for f16, bf16 for
 * bf16.
 */
#include "scenario.h"

#include "mmarn/mmarn.h"
#include "reference/halffloat.h"
#include "reference/quantised.h"

const struct option_choice scenario_names[] = {
    {"f16", SCENARIO_F16},           {"bf16", SCENARIO_BF16},           {"f32", SCENARIO_F32},
    {"int8-f16", SCENARIO_INT8_F16}, {"int8-bf16", SCENARIO_INT8_BF16}, {"int8-f32", SCENARIO_INT8_F32},
    {"f16-int8", SCENARIO_F16_INT8}, {"bf16-int8", SCENARIO_BF16_INT8}, {"f32-int8", SCENARIO_F32_INT8},
    {"f16-int4", SCENARIO_F16_INT4}, {"bf16-int4", SCENARIO_BF16_INT4}, {NULL, 0},
};

const struct option_choice scale_names[] = {
    {"per-tensor", SCALE_PER_TENSOR},
    {"per-channel", SCALE_PER_CHANNEL},
    {"per-group", SCALE_PER_GROUP},
    {NULL, 0},
};

static const struct scenario scenarios[] = {
    [SCENARIO_F16] = {MMARN_F16, MMARN_F16, MMARN_F16, MMARN_F16, 0},
    [SCENARIO_BF16] = {MMARN_BF16, MMARN_BF16, MMARN_BF16, MMARN_BF16, 0},
    [SCENARIO_F32] = {MMARN_F32, MMARN_F32, MMARN_F32, MMARN_F32, 0},
    [SCENARIO_INT8_F16] = {MMARN_I8, MMARN_I8, MMARN_I32, MMARN_F16, MMARN_U64},
    [SCENARIO_INT8_BF16] = {MMARN_I8, MMARN_I8, MMARN_I32, MMARN_BF16, MMARN_BF16},
    [SCENARIO_INT8_F32] = {MMARN_I8, MMARN_I8, MMARN_I32, MMARN_F32, MMARN_F32},
    [SCENARIO_F16_INT8] = {MMARN_F16, MMARN_I8, MMARN_F16, MMARN_F16, MMARN_F16},
    [SCENARIO_BF16_INT8] = {MMARN_BF16, MMARN_I8, MMARN_BF16, MMARN_BF16, MMARN_BF16},
    [SCENARIO_F32_INT8] = {MMARN_F32, MMARN_I8, MMARN_F32, MMARN_F32, MMARN_F32},
    [SCENARIO_F16_INT4] = {MMARN_F16, MMARN_I4, MMARN_F16, MMARN_F16, MMARN_F16},
    [SCENARIO_BF16_INT4] = {MMARN_BF16, MMARN_I4, MMARN_BF16, MMARN_BF16, MMARN_BF16},
};

const struct scenario *scenario_of(int id)
{
    return &scenarios[id];
}

bool scenario_is_int8(const struct scenario *scenario)
{
    return scenario->x1 == MMARN_I8;
}

bool scenario_has_integer_weights(const struct scenario *scenario)
{
    return scenario->x1 != scenario->x2;
}

size_t scenario_bytes(int32_t dtype, size_t count)
{
    switch (dtype) {
    case MMARN_I8:
    case MMARN_I4:
        return quantised_bytes(dtype, count);
    case MMARN_I32:
        return count * sizeof(int32_t);
    case MMARN_U64:
        return count * sizeof(uint64_t);
    default:
        return count * halffloat_size(dtype);
    }
}
