/* SPDX-License-Identifier: MIT */
/*
 * kernels.c - the lists of matmul kernels, and the choice of one, entry by entry. The lines that count are laid over
 * each other in the order of kernels.inc, so that each entry comes from the last line that has it.
 */
#include "gemm/kernel/kernels.h"

#include <assert.h>
#include <pthread.h>

#include "base/cpu.h"

#define FLOAT(name)  extern const struct float_kernel float_##name;
#define PACK(name)   extern const struct pack_kernel pack_##name;
#define BF16(name)   extern const struct bf16_kernel bf16_##name;
#define I8(name)     extern const struct i8_kernel i8_##name;
#define EXPAND(name) extern const struct expand_kernel expand_##name;
#define QUANT(name)  extern const struct quant_kernel quant_##name;
#include "gemm/kernel/kernels.inc"

#define FLOAT(name) &float_##name,
const struct float_kernel *const float_kernels[] = {
#include "gemm/kernel/kernels.inc"
    NULL};

#define PACK(name) &pack_##name,
const struct pack_kernel *const pack_kernels[] = {
#include "gemm/kernel/kernels.inc"
    NULL};

#define BF16(name) &bf16_##name,
const struct bf16_kernel *const bf16_kernels[] = {
#include "gemm/kernel/kernels.inc"
    NULL};

#define I8(name) &i8_##name,
const struct i8_kernel *const i8_kernels[] = {
#include "gemm/kernel/kernels.inc"
    NULL};

#define EXPAND(name) &expand_##name,
const struct expand_kernel *const expand_kernels[] = {
#include "gemm/kernel/kernels.inc"
    NULL};

#define QUANT(name) &quant_##name,
const struct quant_kernel *const quant_kernels[] = {
#include "gemm/kernel/kernels.inc"
    NULL};

static struct gemm_kernels best;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static bool counts(unsigned needs)
{
    return (needs & ~cpu_features()) == 0;
}

static void lay_float(const struct float_kernel *kernel)
{
    for (int dtype = 0; dtype < DTYPE_COUNT; dtype++)
        if (kernel->block[dtype]) {
            best.block[dtype] = kernel->block[dtype];
            best.block_name[dtype] = kernel->name;
        }
    if (kernel->tiling)
        best.tiling = kernel->tiling;
}

static void lay_pack(const struct pack_kernel *kernel)
{
    for (int dtype = 0; dtype < DTYPE_COUNT; dtype++) {
        if (kernel->kn[dtype])
            best.pack_kn[dtype] = kernel->kn[dtype];
        if (kernel->nk[dtype])
            best.pack_nk[dtype] = kernel->nk[dtype];
    }
}

/* Blocks of pairs have the bits of fp32, so they serve only where they are faster. */
static bool pairs_serve(void)
{
    return !(cpu_features() & CPU_SLOW_PAIRS);
}

static void lay_bf16(const struct bf16_kernel *kernel)
{
    if (kernel->block && pairs_serve()) {
        best.bf16.name = kernel->name;
        best.bf16.block = kernel->block;
    }
    if (kernel->min_exponent)
        best.bf16.min_exponent = kernel->min_exponent;
    if (kernel->pair)
        best.bf16.pair = kernel->pair;
}

static void lay_expand(const struct expand_kernel *kernel)
{
    for (int dtype = 0; dtype < DTYPE_COUNT; dtype++)
        for (int x_dtype = 0; x_dtype < DTYPE_COUNT; x_dtype++)
            if (kernel->expand[dtype][x_dtype])
                best.expand[dtype][x_dtype] = kernel->expand[dtype][x_dtype];
}

static void lay_quant(const struct quant_kernel *kernel)
{
    for (int dtype = 0; dtype < DTYPE_COUNT; dtype++) {
        if (kernel->few[dtype]) {
            best.few[dtype] = kernel->few[dtype];
            best.few_name[dtype] = kernel->name;
        }
        if (kernel->few_pairs[dtype] && pairs_serve()) {
            best.few_pairs[dtype] = kernel->few_pairs[dtype];
            best.few_pairs_name[dtype] = kernel->name;
        }
        if (kernel->widen[dtype])
            best.widen[dtype] = kernel->widen[dtype];
    }
}

/* The tiling must fit into the scratch memory of tile.h, and must not split chains or pairs of rows. */
static inline bool fits_scratch(const struct gemm_tiling *t)
{
    return t->block_k <= GEMM_MOST_BLOCK && t->block_k % GEMM_CHAIN == 0 && t->block_few_k <= GEMM_MOST_BLOCK_FEW &&
           t->block_few_k % GEMM_CHAIN == 0 && t->pack_above_rows * t->block_few_k <= GEMM_MOST_FEW_ELEMENTS &&
           t->piece_n <= GEMM_MOST_PIECE_N && t->piece_n % GEMM_NR == 0 && t->in_place_k > 0 &&
           t->transpose_k % GEMM_CHAIN == 0 && t->transpose_k * t->transpose_n <= GEMM_PIECE_ELEMENTS &&
           t->transpose_n % GEMM_NR == 0 && t->quant_few_n % GEMM_NR == 0 && t->quant_few_n <= GEMM_MOST_PIECE_N &&
           t->quant_few_kn_n % GEMM_NR == 0 && t->quant_few_kn_k % GEMM_CHAIN == 0 &&
           t->quant_few_kn_n * t->quant_few_kn_k <= GEMM_PIECE_ELEMENTS;
}

/* Plain C has every entry, except the block of bf16. */
static inline bool is_complete(const struct gemm_kernels *kernels)
{
    static const int32_t floats[] = {MMARN_F16, MMARN_BF16, MMARN_F32}, integers[] = {MMARN_I8, MMARN_I4};
    bool complete = kernels->i8.block && kernels->bf16.min_exponent && kernels->bf16.pair;
    for (int i = 0; i < 3; i++) {
        complete = complete && kernels->block[floats[i]] && kernels->pack_kn[floats[i]] && kernels->pack_nk[floats[i]];
        for (int j = 0; j < 2; j++)
            complete = complete && kernels->expand[integers[j]][floats[i]];
    }
    for (int j = 0; j < 2; j++)
        complete = complete && kernels->pack_kn[integers[j]] && kernels->pack_nk[integers[j]] &&
                   kernels->few[integers[j]] && kernels->widen[integers[j]];
    return complete;
}

static void choose(void)
{
    for (int i = 0; float_kernels[i]; i++)
        if (counts(float_kernels[i]->needs))
            lay_float(float_kernels[i]);
    for (int i = 0; pack_kernels[i]; i++)
        if (counts(pack_kernels[i]->needs))
            lay_pack(pack_kernels[i]);
    for (int i = 0; bf16_kernels[i]; i++)
        if (counts(bf16_kernels[i]->needs))
            lay_bf16(bf16_kernels[i]);
    for (int i = 0; i8_kernels[i]; i++)
        if (counts(i8_kernels[i]->needs) && i8_kernels[i]->block)
            best.i8 = *i8_kernels[i];
    for (int i = 0; expand_kernels[i]; i++)
        if (counts(expand_kernels[i]->needs))
            lay_expand(expand_kernels[i]);
    for (int i = 0; quant_kernels[i]; i++)
        if (counts(quant_kernels[i]->needs))
            lay_quant(quant_kernels[i]);
    assert(fits_scratch(best.tiling) && is_complete(&best));
}

const struct gemm_kernels *gemm_kernels_best(void)
{
    pthread_once(&once, choose);
    return &best;
}
