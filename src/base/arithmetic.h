/* SPDX-License-Identifier: MIT */
/*
 * arithmetic.h - refuses a compilation whose arithmetic is not that of docs/numerics.md: IEEE 754's, each operation in
 * its own type and rounded once, fused only where the source says fmaf. cmake/arithmetic.cmake gives the options that
 * ensure this, whatever options came before them; this file is for builds without it. base/dtype.h and others bring it
 * to every file that computes.
 */
#ifndef MMARN_BASE_ARITHMETIC_H
#define MMARN_BASE_ARITHMETIC_H

/* GCC's __GCC_IEC_559 covers all parts of -ffast-math, and -ffp-contract=fast; clang's macros name some of them. */
#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__) ||                               \
    defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__) || defined(__NO_SIGNED_ZEROS__) ||                   \
    (defined(__GCC_IEC_559) && !__GCC_IEC_559 && !__FLT_EVAL_METHOD__)
#error "mmarn's results are defined to the bit, which -ffast-math, each part of it and -ffp-contract=fast break"
#endif

#if defined(__FLT_EVAL_METHOD__) && __FLT_EVAL_METHOD__ != 0
#error "mmarn's results are defined to the bit, which excess precision breaks: for x86 add -msse2 -mfpmath=sse"
#endif

/*
 * GCC has no pragma against contraction, and no macro that shows it; but in a standard's own mode it fuses nothing
 * unless told to.
 */
#if defined(__GNUC__) && !defined(__clang__) && !defined(__STRICT_ANSI__)
#error "mmarn's results are defined to the bit, which fused multiply-adds of GNU C's break: compile with -std=c11"
#endif

/* clang has a pragma for it. */
#if defined(__clang__)
#pragma float_control(precise, on)
#pragma STDC FP_CONTRACT OFF
#endif

_Static_assert(sizeof(1.0) == sizeof(double) && sizeof(float) == 4,
               "mmarn's results are defined to the bit: float must be binary32, and no -fsingle-precision-constant");

#endif
