/* SPDX-License-Identifier: MIT */
/* scenario.h - the operator's combinations of element types, as --dtype names them, and the shapes of scales. */
#ifndef MMARN_MEASURE_SCENARIO_H
#define MMARN_MEASURE_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "options.h"

/* Values of --dtype. */
enum scenario_id {
    SCENARIO_F16 = 1,
    SCENARIO_BF16,
    SCENARIO_F32,
    SCENARIO_INT8_F16,
    SCENARIO_INT8_BF16,
    SCENARIO_INT8_F32,
    SCENARIO_F16_INT8,
    SCENARIO_BF16_INT8,
    SCENARIO_F32_INT8,
    SCENARIO_F16_INT4,
    SCENARIO_BF16_INT4
};

/* The types are values of mmarn_dtype. */
struct scenario {
    int32_t x1, x2, bias;
    int32_t out;   /* residual, gamma, y and norm_out */
    int32_t scale; /* 0: no scales */
};

/* Values of --scale. */
enum scale_shape { SCALE_NONE, SCALE_PER_TENSOR, SCALE_PER_CHANNEL, SCALE_PER_GROUP };

extern const struct option_choice scenario_names[], scale_names[];

const struct scenario *scenario_of(int id);

/* int8 x1 and x2. */
bool scenario_is_int8(const struct scenario *scenario);

/* Quantised weights, which meet x1 in floats. */
bool scenario_has_integer_weights(const struct scenario *scenario);

/* Bytes of this many elements of a mmarn_dtype. */
size_t scenario_bytes(int32_t dtype, size_t count);

#endif
