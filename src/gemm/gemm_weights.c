/*
 * gemm_weights.c - x2 copied into panels. A panel is contiguous, so any run of k rows of one panel can be packed by
 * itself: the work is cut into groups of panels, which threads share, and into runs of k short enough that the lines of
 * x2 that neighbouring panels have in common are still cached.
 */
#include <limits.h>
#include <stdatomic.h>

#include "base/memory.h"
#include "base/threads.h"
#include "gemm/gemm_tile.h"

/* int8 x int8 interleaves rows of k in groups of QUANT_I8_ROWS, and two int4 of neighbouring k share a byte. */
enum { GROUP = 8 /* panels */, RUN_KN = 64, RUN_NK = 1024 /* rows of k */ };
_Static_assert(RUN_KN % QUANT_I8_ROWS == 0 && RUN_NK % QUANT_I8_ROWS == 0,
               "a run of k must not split rows that belong together");

const void *gemm_weights_at(const struct gemm_weights *from, int64_t row, int64_t col)
{
    const int64_t at = from->layout == GEMM_KN ? row * from->ld + col : col * from->ld + row;
    return (const char *)from->data + gemm_bytes(from->dtype, at);
}

void gemm_weights_pack_piece(const struct gemm_weights *from, int64_t row, int k, int64_t col, int n, void *dst)
{
    const struct gemm_kernel *kernel = gemm_kernel_best();
    gemm_pack_fn *pack = (from->layout == GEMM_KN ? kernel->pack_kn : kernel->pack_nk)[from->dtype];
    pack(gemm_weights_at(from, row, col), from->ld, k, n, dst);
    quant_i8_interleave_fn *interleave = from->x_dtype == MMARN_I8 ? quant_kernel_best()->i8_interleave : NULL;
    for (int at = 0; interleave && at < n; at += GEMM_NR)
        interleave((int8_t *)dst + (ptrdiff_t)at * k, k);
}

static unsigned smaller(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* The lowest exponent field of what was packed, or 0. */
static unsigned pack_group(const struct gemm_weights *from, int64_t first_panel, int64_t panels, char *packed)
{
    const struct dot_kernel *dot = from->dtype == MMARN_BF16 ? dot_kernel_best() : NULL;
    unsigned lowest = dot ? UINT_MAX : 0;
    const int64_t run = from->layout == GEMM_KN ? RUN_KN : RUN_NK;
    for (int64_t k0 = 0; k0 < from->k; k0 += run) {
        int k = (int)(from->k - k0 < run ? from->k - k0 : run);
        for (int64_t panel = first_panel; panel < first_panel + panels; panel++) {
            int64_t col = panel * GEMM_NR;
            int n = (int)(from->n - col < GEMM_NR ? from->n - col : GEMM_NR);
            int64_t place = panel * gemm_panel(from->dtype, from->k) + k0 * GEMM_NR;
            char *dst = packed + gemm_bytes(from->dtype, place);
            gemm_weights_pack_piece(from, k0, k, col, n, dst);
            if (dot)
                lowest = smaller(lowest, dot->lowest((const uint32_t *)(const void *)dst, (k + 1) / 2 * GEMM_NR));
        }
    }
    return lowest;
}

struct packing {
    const struct gemm_weights *from;
    int64_t panels;
    char *data;
    atomic_llong next; /* the next panel to be claimed */
    atomic_uint lowest;
};

static void pack_some(void *ctx, int thread)
{
    struct packing *packing = ctx;
    (void)thread;
    unsigned lowest = UINT_MAX;
    int64_t first;
    while ((first = atomic_fetch_add_explicit(&packing->next, GROUP, memory_order_relaxed)) < packing->panels) {
        const int64_t rest = packing->panels - first;
        lowest = smaller(lowest, pack_group(packing->from, first, rest < GROUP ? rest : GROUP, packing->data));
    }
    unsigned known = atomic_load(&packing->lowest);
    while (lowest < known && !atomic_compare_exchange_weak(&packing->lowest, &known, lowest))
        ;
}

bool gemm_weights_pack(const struct gemm_weights *borrowed, int threads, struct gemm_weights *packed)
{
    const int64_t panels = (borrowed->n + GEMM_NR - 1) / GEMM_NR;
    const ptrdiff_t panel_bytes = gemm_bytes(borrowed->dtype, gemm_panel(borrowed->dtype, borrowed->k));
    char *data = memory_alloc((size_t)panels, (size_t)panel_bytes);
    if (!data)
        return false;
    struct packing packing = {.from = borrowed, .panels = panels, .data = data, .lowest = UINT_MAX};
    threads_run(threads, pack_some, &packing);
    *packed = *borrowed;
    packed->lowest = atomic_load(&packing.lowest);
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
