/* SPDX-License-Identifier: MIT */
/*
 * test_toy.c - a kernel that has one entry and leaves the others NULL. Its own entry serves, multiplies, and is named
 * where callers ask which kernel multiplies; all other entries are those of the lines before it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gemm/gemm.h"
#include "gemm/kernel/kernels.h"

extern const struct float_kernel float_toy;

static void its_entry_serves_and_no_other(void **state)
{
    (void)state;
    const struct gemm_kernels *best = gemm_kernels_best();
    assert_ptr_equal(best->block[MMARN_F32], float_toy.block[MMARN_F32]);
    assert_string_equal(best->block_name[MMARN_F32], "toy");
    for (int32_t dtype = MMARN_F16; dtype <= MMARN_BF16; dtype++) {
        assert_non_null(best->block[dtype]);
        assert_string_not_equal(best->block_name[dtype], "toy");
    }
    assert_non_null(best->tiling);
    for (int32_t dtype = MMARN_F16; dtype <= MMARN_I8; dtype++) {
        assert_non_null(best->pack_kn[dtype]);
        assert_non_null(best->pack_nk[dtype]);
    }
    assert_non_null(best->i8.block);
    assert_non_null(best->bf16.min_exponent);
    assert_non_null(best->bf16.pair);
    for (int32_t x_dtype = MMARN_F16; x_dtype <= MMARN_F32; x_dtype++)
        assert_non_null(best->expand[MMARN_I4][x_dtype]);
    assert_non_null(best->few[MMARN_I8]);
    assert_non_null(best->widen[MMARN_I4]);
}

static void it_is_named_for_its_type(void **state)
{
    (void)state;
    struct gemm_weights weights = {.dtype = MMARN_F32, .x_dtype = MMARN_F32, .layout = GEMM_PACKED, .k = 64, .n = 32};
    assert_string_equal(gemm_choice_of(&weights, 4).kernel, "toy");
    weights.dtype = weights.x_dtype = MMARN_F16;
    assert_string_not_equal(gemm_choice_of(&weights, 4).kernel, "toy");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(its_entry_serves_and_no_other),
                                       cmocka_unit_test(it_is_named_for_its_type)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
