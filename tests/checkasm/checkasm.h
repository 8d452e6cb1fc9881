/* SPDX-License-Identifier: MIT */
/*
 * checkasm.h - one program that checks every kernel of every table against an independent model in plain C, bit for
 * bit, on ordinary and hostile numbers, between guard pages; with --bench it also times them. If a result is a NaN,
 * only that is compared, unless a test says otherwise: C does not define which operand's payload survives an addition.
 */
#ifndef CHECKASM_H
#define CHECKASM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * checkasm.c: is this kernel to be tested now? Its features must be there, and --function may name another. Restarts
 * the random numbers. A test does everything after this has returned true.
 */
bool check_kernel(const char *kind, const char *name, unsigned needs);

/* Counts one check, and prints the sentence if it failed. Returns ok. */
bool check(bool ok, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * The same in two steps: first the description of the next check, which is also reported if the kernel faults; then its
 * result.
 */
void check_next(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool check_this(bool ok);

/* The tests, one file each. */
void test_convert(void);
void test_norm(void);
void test_float(void);
void test_quant(void);
void test_factored(void);
void test_bf16(void);
void test_tile(void);
void bench(void);

/* ---------------------------------------------------------------------- data.c, data_int.c: numbers and their bits */

void random_seed(uint64_t seed);
uint64_t random_bits(void);
/* low .. high, both included. */
int random_int(int low, int high);

enum data {
    DATA_ORDINARY, /* around one */
    DATA_EXTREME,  /* finite: zeros of both signs, denormals, smallest, largest, and ordinary numbers between */
    DATA_HOSTILE,  /* also infinities and NaN */
    DATA_KINDS
};

/* Fills count elements of dtype. */
void data_fill(enum data kind, int32_t dtype, void *dst, size_t count);

/* Element `at` of an array of dtype as fp32, and the reverse; computed here, not by the library. */
float data_get(int32_t dtype, const void *src, size_t at);
void data_set(int32_t dtype, void *dst, size_t at, float value);

/* Integers, i8 or i4 (count must be even): any for DATA_ORDINARY; only extremes for the other kinds. */
void data_fill_int(enum data kind, int32_t dtype, void *dst, size_t count);
int data_get_int(int32_t dtype, const void *src, size_t at);

/* The index of row p, column j in a packed panel of int8 or int4, read by data_get_int. */
size_t data_place_in_panel(int32_t dtype, int p, int j);

/*
 * Scales and offsets of quantised weights: fp32 values of dtype. DATA_ORDINARY stays within the range in which every
 * kernel must use its fast method: no negative scales (except for f16), whole offsets.
 */
void data_fill_scales(enum data kind, int32_t dtype, float *dst, size_t count);
void data_fill_offsets(enum data kind, int32_t dtype, float *dst, size_t count);

/* The weight that q stands for if x1 is of x_dtype, as fp32: the definition of expand_kernel.h. */
float data_expand(int32_t x_dtype, int q, const float *offset, float scale);

/* Do two elements have the same bits, or are both NaN? */
bool data_same(int32_t dtype, const void *a, size_t at_a, const void *b, size_t at_b);

/* --------------------------------------------------------------------------------- guard.c: memory with hard edges */

enum { GUARD_SLOTS = 5, GUARD_FILL = 0xA5 };

/*
 * A place of exactly `bytes` bytes, which ends at an unreadable page (at_end) or begins after one. Everything in and
 * around it is filled with GUARD_FILL. Each slot is one place, until it is requested again.
 */
void *guard_place(int slot, size_t bytes, bool at_end);

/* Are the bytes on the open side of the slot's place unchanged? */
bool guard_intact(int slot);

/* Are these bytes still GUARD_FILL? */
bool guard_filled(const void *bytes, size_t count);

#endif
