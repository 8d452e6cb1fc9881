/* SPDX-License-Identifier: MIT */
/*
 * quant_word.h - the 64-bit word that carries a dequantisation scale (mmarn.h, mmarn_trans_quant_param).
 */
#ifndef MMARN_OP_QUANT_WORD_H
#define MMARN_OP_QUANT_WORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* The scale in a word. Bits 0 to 12, which some encoders leave set, and 32 to 63 do not belong to it. */
float quant_word_scale(uint64_t word);

/* mmarn_trans_quant_param, after its scale and words have been checked not to be NULL. */
bool quant_words_make(const float *scale, int64_t scale_count, const float *offset, int64_t offset_count,
                      int32_t round_mode, uint64_t *words, struct error *error);

#endif
