/* SPDX-License-Identifier: MIT */
/*
 * weights.c - copies x2 into panels. A panel is contiguous, so any run of k rows of one panel can be packed by itself.
 * The work is cut into groups of panels, which threads share, and into runs of k that are short enough for the cache to
 * keep the lines of x2 that neighbouring panels have in common.
 */
#include <assert.h>
#include <limits.h>
#include <stdatomic.h>

#include "base/memory.h"
#include "base/threads.h"
#include "gemm/tile.h"

/* int8 x int8 interleaves rows of k in groups of I8_GROUP, and int4 and bf16 have rows that belong together. */
enum { GROUP = 8 /* panels */, RUN_KN = 64, RUN_NK = 1024 /* rows of k */ };
_Static_assert(RUN_KN % I8_GROUP == 0 && RUN_NK % I8_GROUP == 0 && RUN_KN % GEMM_I4_ROWS == 0 &&
                   RUN_NK % GEMM_I4_ROWS == 0,
               "a run of k must not split rows that belong together");

const void *gemm_weights_at(const struct gemm_weights *from, int64_t row, int64_t col)
{
    assert(from->layout != GEMM_PACKED && row >= 0 && row < from->k && col >= 0 && col < from->n);
    const int64_t at = from->layout == GEMM_KN ? row * from->ld + col : col * from->ld + row;
    assert(from->dtype != MMARN_I4 || at % 2 == 0);
    return (const char *)from->data + gemm_bytes(from->dtype, at);
}

void gemm_weights_pack_piece(const struct gemm_weights *from, int64_t row, int k, int64_t col, int n, void *dst)
{
    assert(k > 0 && row + k <= from->k && n > 0 && col + n <= from->n);
    const struct gemm_kernels *kernels = gemm_kernels_best();
    pack_fn *pack = (from->layout == GEMM_KN ? kernels->pack_kn : kernels->pack_nk)[from->dtype];
    pack(gemm_weights_at(from, row, col), from->ld, k, n, dst);
    i8_interleave_fn *interleave = from->x_dtype == MMARN_I8 ? kernels->i8.interleave : NULL;
    for (int at = 0; interleave && at < n; at += GEMM_NR)
        interleave((int8_t *)dst + (ptrdiff_t)at * k, k);
}

const void *gemm_weights_panel(const struct gemm_weights *packed, int64_t row, int64_t col)
{
    assert(packed->layout == GEMM_PACKED && col >= 0 && col < packed->n && col % GEMM_NR == 0);
    assert(row >= 0 && row < packed->k && row % gemm_rows_together(packed->dtype) == 0);
    const int64_t at = col / GEMM_NR * gemm_panel(packed->dtype, packed->k) + row * GEMM_NR;
    return (const char *)packed->data + gemm_bytes(packed->dtype, at);
}

int64_t gemm_weights_bytes(const struct gemm_weights *weights)
{
    if (weights->layout != GEMM_PACKED)
        return gemm_bytes(weights->dtype, weights->k * weights->n);
    return gemm_panels(weights->n) * gemm_bytes(weights->dtype, gemm_panel(weights->dtype, weights->k));
}

static unsigned smaller(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* The smallest exponent field of what was packed, or 0. */
static unsigned pack_group(const struct gemm_weights *from, int64_t first_panel, int64_t panels, char *packed)
{
    const struct bf16_kernel *bf16 = &gemm_kernels_best()->bf16;
    const bool looks = from->dtype == MMARN_BF16 && bf16->block;
    unsigned least = looks ? UINT_MAX : 0;
    const int64_t run = from->layout == GEMM_KN ? RUN_KN : RUN_NK;
    for (int64_t k0 = 0; k0 < from->k; k0 += run) {
        int k = (int)(from->k - k0 < run ? from->k - k0 : run);
        for (int64_t panel = first_panel; panel < first_panel + panels; panel++) {
            int64_t col = panel * GEMM_NR;
            int n = (int)(from->n - col < GEMM_NR ? from->n - col : GEMM_NR);
            int64_t place = panel * gemm_panel(from->dtype, from->k) + k0 * GEMM_NR;
            char *dst = packed + gemm_bytes(from->dtype, place);
            gemm_weights_pack_piece(from, k0, k, col, n, dst);
            if (looks)
                least = smaller(least, bf16->min_exponent((const uint32_t *)(const void *)dst, (k + 1) / 2 * GEMM_NR));
        }
    }
    return least;
}

struct packing {
    const struct gemm_weights *from;
    int64_t panels;
    char *data;
    atomic_llong next; /* the next panel to be claimed */
    atomic_uint min_exponent;
};

static void pack_some(void *ctx, int thread)
{
    struct packing *packing = ctx;
    (void)thread;
    unsigned min_exponent = UINT_MAX;
    int64_t first;
    while ((first = atomic_fetch_add_explicit(&packing->next, GROUP, memory_order_relaxed)) < packing->panels) {
        const int64_t rest = packing->panels - first;
        min_exponent =
            smaller(min_exponent, pack_group(packing->from, first, rest < GROUP ? rest : GROUP, packing->data));
    }
    unsigned known = atomic_load(&packing->min_exponent);
    while (min_exponent < known && !atomic_compare_exchange_weak(&packing->min_exponent, &known, min_exponent))
        ;
}

bool gemm_weights_pack(const struct gemm_weights *borrowed, int threads, struct gemm_weights *packed)
{
    assert(borrowed->layout != GEMM_PACKED && borrowed->k >= 0 && borrowed->n >= 0);
    const int64_t panels = gemm_panels(borrowed->n);
    const ptrdiff_t panel_bytes = gemm_bytes(borrowed->dtype, gemm_panel(borrowed->dtype, borrowed->k));
    char *data = memory_alloc((size_t)panels, (size_t)panel_bytes);
    if (!data)
        return false;
    struct packing packing = {.from = borrowed, .panels = panels, .data = data, .min_exponent = UINT_MAX};
    threads_run(threads, pack_some, &packing);
    *packed = *borrowed;
    packed->min_exponent = atomic_load(&packing.min_exponent);
    packed->layout = GEMM_PACKED;
    packed->data = data;
    packed->ld = GEMM_NR;
    packed->owned = data;
    return true;
}

void gemm_weights_free(struct gemm_weights *weights)
{
    memory_free(weights->owned);
    weights->owned = NULL;
}
