/*
 * quant_word.h - the 64-bit word that carries a dequantisation scale (mmarn.h, mmarn_trans_quant_param).
 */
#ifndef MMARN_OP_QUANT_WORD_H
#define MMARN_OP_QUANT_WORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arithmetic.h"

/* The scale in a word. Bits 0 to 12, which some makers leave set, and 32 to 63 do not belong to it. */
float quant_word_scale(uint64_t word);

/* A word; offset is used when has_offset. nearest: the scale is rounded to nearest even instead of truncated. */
uint64_t quant_word_make(float scale, bool has_offset, float offset, bool nearest);

#endif
