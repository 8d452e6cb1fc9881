/* SPDX-License-Identifier: MIT */
/*
 * test_quantised.c - tests reference/quantised.h: storage, words against listed vectors, expansion and partials against
 * double, and int8 sums against a wider type.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "reference/halffloat.h"
#include "reference/quantised.h"
#include "reference/random.h"
#include "support/seed.h"

static uint64_t seed;

/* --------------------------------------------------------------------------------------------------- storage */

static void int4_shares_bytes_low_first(void **state)
{
    uint8_t bytes[8], known[2] = {0x8f, 0x70};
    (void)state;
    assert_int_equal(quantised_load(MMARN_I4, known, 0), -1);
    assert_int_equal(quantised_load(MMARN_I4, known, 1), -8);
    assert_int_equal(quantised_load(MMARN_I4, known, 2), 0);
    assert_int_equal(quantised_load(MMARN_I4, known, 3), 7);
    memset(bytes, 0xa5, sizeof(bytes));
    for (size_t i = 16; i-- > 0;) {
        quantised_store(MMARN_I4, bytes, i, (int)i - 8);
        for (size_t j = i; j < 16; j++)
            assert_int_equal(quantised_load(MMARN_I4, bytes, j), (int)j - 8);
    }
    assert_int_equal(bytes[0], 0x98);
    assert_int_equal(quantised_bytes(MMARN_I4, 15), 8);
    assert_int_equal(quantised_bytes(MMARN_I8, 15), 15);
}

/* ----------------------------------------------------------------------------------------------------- words */

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static void words_of_listed_scales(void **state)
{
    static const struct {
        uint32_t scale;
        uint64_t word[2]; /* by round_mode */
    } vectors[] = {
        {0x3f800000, {0x000040003f800000, 0x000040003f800000}}, /* 1 */
        {0x3dcccccd, {0x000040003dccc000, 0x000040003dccc000}}, /* 0.1 */
        {0x3e99999a, {0x000040003e998000, 0x000040003e99a000}}, /* 0.3 */
        {0xbca3d70a, {0x00004000bca3c000, 0x00004000bca3e000}}, /* -0.02 */
        {0x3f801000, {0x000040003f800000, 0x000040003f800000}}, /* a tie that goes down to even */
        {0x3f801001, {0x000040003f800000, 0x000040003f802000}}, /* above it */
        {0x3f803000, {0x000040003f802000, 0x000040003f804000}}, /* a tie that goes up to even */
        {0x3ffff000, {0x000040003fffe000, 0x0000400040000000}}, /* a carry into the exponent */
        {0x7f7fffff, {0x000040007f7fe000, 0x000040007f800000}}, /* the largest becomes infinity */
        {0x000116c2, {0x0000400000010000, 0x0000400000000000}}, /* a subnormal number becomes zero */
        {0x800116c2, {0x0000400080010000, 0x0000400080000000}},
        {0xff800000, {0x00004000ff800000, 0x00004000ff800000}}, /* infinity */
        {0x7fc01234, {0x000040007fc00000, 0x000040007fc00000}}, /* NaN */
    };
    (void)state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
        for (int mode = 0; mode < 2; mode++)
            assert_int_equal(quantised_word(float_of(vectors[i].scale), 0.0f, mode), vectors[i].word[mode]);
}

static void words_of_listed_offsets(void **state)
{
    static const struct {
        float offset;
        uint64_t word;
    } vectors[] = {
        {-3.0f, 0x00007fa03f800000},   {2.5f, 0x000040403f800000},      {3.5f, 0x000040803f800000},
        {300.0f, 0x00005fe03f800000},  {-300.0f, 0x000060003f800000},   {255.4f, 0x00005fe03f800000},
        {-255.5f, 0x000060003f800000}, {-INFINITY, 0x000060003f800000}, {-0.4f, 0x000040003f800000},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
        for (int mode = 0; mode < 2; mode++)
            assert_int_equal(quantised_word(1.0f, vectors[i].offset, mode), vectors[i].word);
}

/*
 * Back from a word: only bits 13 to 31 count, and the scale is the nearest (or next towards zero) of those that exist.
 */
static void words_go_back_and_forth(void **state)
{
    const uint64_t key = random_key(seed, 1);
    (void)state;
    for (uint64_t i = 0; i < 200000; i++) {
        const uint64_t random = random_word(key, i);
        const uint32_t bits = (uint32_t)random & 0x7fffffffu;
        const float scale = float_of(bits), low = quantised_word_scale(quantised_word(scale, 0.0f, 0));
        const float high = float_of(bits_of(low) + 0x2000), near = quantised_word_scale(quantised_word(scale, 7.0f, 1));
        if (bits >= 0x7f800000u)
            continue;
        assert_true(low <= scale && bits_of(low) % 0x2000 == 0 && bits - bits_of(low) < 0x2000);
        assert_true(quantised_word_scale(quantised_word(low, 0.0f, 1)) == (isnormal(low) ? low : 0.0f));
        assert_true(quantised_word_scale(quantised_word(low, 0.0f, 0) ^ (random << 32 | 0x1fff)) == low);
        assert_true(quantised_word_scale(quantised_word(-scale, 0.0f, 1)) == -near);
        if (isnormal(scale) && isfinite(high))
            assert_true(near == ((double)scale - low < (double)high - scale   ? low
                                 : (double)scale - low > (double)high - scale ? high
                                 : bits_of(low) / 0x2000 % 2 == 0             ? low
                                                                              : high));
    }
}

/* ------------------------------------------------------------------------------------------------- expansion */

enum { K = 100, N = 6 };

struct fixture {
    struct quantised_weights weights;
    uint8_t x2[K * N];
    float scale[K * N], offset[K * N]; /* the most that is needed; read as the weights' dtype */
};

/*
 * Per tensor, per column or per group of 32. Values of groups are stored as (groups, n), or as (n, groups) if turned.
 */
static void make(struct fixture *fixture, int32_t dtype, int32_t x2_dtype, int shape, bool turned, bool with_offset)
{
    const int64_t groups = (K + 31) / 32;
    const struct quantised_values values[3] = {{NULL, 0, 0}, {NULL, 0, 1}, {NULL, turned ? 1 : N, turned ? groups : 1}};
    fixture->weights = (struct quantised_weights){.dtype = dtype,
                                                  .x2_dtype = x2_dtype,
                                                  .k = K,
                                                  .n = N,
                                                  .x2 = fixture->x2,
                                                  .trans_x2 = turned,
                                                  .group_size = shape == 2 ? 32 : 0,
                                                  .scale = values[shape],
                                                  .offset = values[shape]};
    fixture->weights.scale.data = fixture->scale;
    fixture->weights.offset.data = with_offset ? fixture->offset : NULL;
    random_quanta_uniform(random_key(seed, 2), x2_dtype, fixture->x2, K * N);
    random_scales(random_key(seed, 3), dtype, 0.01f, 2, fixture->scale, (size_t)groups * N);
    random_uniform(random_key(seed, 4), dtype, -8.0f, 8.0f, fixture->offset, (size_t)groups * N);
}

/* The element's value, computed from the documented places of its parts. */
static double plain_weight(const struct fixture *fixture, int shape, bool turned, int64_t p, int64_t j, int *q,
                           double *offset, double *scale)
{
    const int32_t dtype = fixture->weights.dtype;
    const int64_t groups = (K + 31) / 32;
    const int64_t at = shape == 0 ? 0 : shape == 1 ? j : turned ? j * groups + p / 32 : p / 32 * N + j;
    *q = quantised_load(fixture->weights.x2_dtype, fixture->x2, (size_t)(turned ? j * K + p : p * N + j));
    *scale = halffloat_load(dtype, fixture->scale, (size_t)at);
    *offset = fixture->weights.offset.data != NULL ? halffloat_load(dtype, fixture->offset, (size_t)at) : 0.0;
    return (*q + *offset) * *scale;
}

/*
 * The largest error of an expanded weight against sum * scale, where sum is q + offset: half a last place per rounding.
 */
static double largest_error(int32_t dtype, double sum, double scale)
{
    const int32_t inner = dtype == MMARN_F16 ? MMARN_F16 : MMARN_F32;
    const double of_sum = 0.5 * halffloat_ulp(inner, sum) * fabs(scale), size = fabs(sum * scale) + of_sum;
    const double of_product = dtype == MMARN_BF16 ? 0.5 * halffloat_ulp(MMARN_F32, size) : 0.0;
    return of_sum + of_product + 0.5 * halffloat_ulp(dtype, size + of_product);
}

static void check_expansion(const struct fixture *fixture, int shape, bool turned)
{
    const int32_t dtype = fixture->weights.dtype;
    float expanded[K * N];
    quantised_expand(&fixture->weights, expanded);
    for (int64_t p = 0; p < K; p++)
        for (int64_t j = 0; j < N; j++) {
            int q;
            double offset, scale, expected;
            const double plain = plain_weight(fixture, shape, turned, p, j, &q, &offset, &scale);
            const float value = halffloat_load(dtype, expanded, (size_t)(p * N + j));
            /* All products and sums here are exact in double, so each cast and each rounding is the only one. */
            if (dtype == MMARN_F16)
                expected = halffloat_round(dtype, halffloat_round(dtype, q + offset) * scale);
            else
                expected = halffloat_round(dtype, (float)((double)(float)(q + offset) * scale));
            assert_true(quantised_expanded_weight(&fixture->weights, p, j) == value);
            assert_true(value == expected);
            assert_true(fabs(value - plain) <= largest_error(dtype, q + offset, scale));
        }
}

static void weights_expand_as_documented(void **state)
{
    static const int32_t quantised[] = {MMARN_I8, MMARN_I4};
    struct fixture fixture;
    (void)state;
    for (int32_t dtype = MMARN_F16; dtype <= MMARN_F32; dtype++)
        for (int i = 0; i < 2; i++)
            for (int options = 0; options < 12; options++) {
                const int shape = options / 4;
                const bool turned = options & 1, with_offset = options & 2;
                make(&fixture, dtype, quantised[i], shape, turned, with_offset);
                check_expansion(&fixture, shape, turned);
            }
}

/* Numbers for which a missing or an additional rounding gives another value. */
static void rounds_where_documented(void **state)
{
    const int8_t q = 3;
    uint16_t scale, offset;
    struct quantised_weights weights = {.dtype = MMARN_F16,
                                        .x2_dtype = MMARN_I8,
                                        .k = 1,
                                        .n = 1,
                                        .x2 = &q,
                                        .scale = {&scale, 0, 0},
                                        .offset = {&offset, 0, 0}};
    (void)state;
    /* f16: 3 + 2^-10 is a tie and goes to 3; so is 3081, and goes to 3080. In one rounding it would be 3082. */
    halffloat_store(MMARN_F16, &scale, 0, 1027.0);
    halffloat_store(MMARN_F16, &offset, 0, 0x1p-10);
    assert_true(quantised_expanded_weight(&weights, 0, 0) == 3080.0f);
    /* bf16: 3 + 2^-7 is a tie too, but stays; in two roundings it would be 196 / 64. */
    weights.dtype = MMARN_BF16;
    halffloat_store(MMARN_BF16, &scale, 0, 131.0 / 128);
    halffloat_store(MMARN_BF16, &offset, 0, 0x1p-7);
    assert_true(quantised_expanded_weight(&weights, 0, 0) == 197.0f / 64);
}

/* Small integers and scales that are powers of two: nothing is rounded, so partials equal sums in double. */
static void partials_without_roundings(void **state)
{
    enum { ROWS = 2, DEPTH = 600, COLUMNS = 5, GROUP = 96, GROUPS = 7, VALUES = GROUPS * COLUMNS };
    float x1[ROWS * DEPTH], scale[VALUES], offset[VALUES], bias[COLUMNS], partial[ROWS * COLUMNS];
    int8_t x2[DEPTH * COLUMNS];
    struct quantised_weights weights = {
        MMARN_F32, MMARN_I8, DEPTH, COLUMNS, x2, false, GROUP, {scale, COLUMNS, 1}, {offset, COLUMNS, 1}};
    (void)state;
    random_quanta_uniform(random_key(seed, 15), MMARN_I8, x2, sizeof(x2));
    for (int i = 0; i < ROWS * DEPTH; i++)
        x1[i] = (float)(random_word(random_key(seed, 16), (uint64_t)i) % 9) - 4;
    for (int i = 0; i < VALUES; i++) {
        scale[i] = ldexpf(1, -(int)(random_word(random_key(seed, 17), (uint64_t)i) % 4));
        offset[i] = (float)(random_word(random_key(seed, 18), (uint64_t)i) % 17) - 8;
    }
    for (int j = 0; j < COLUMNS; j++)
        bias[j] = (float)j / 4;
    assert_true(quantised_partial(&weights, MMARN_NUMERICS_DEFAULT, ROWS, x1, bias, partial));
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < COLUMNS; j++) {
            double sum = bias[j];
            for (int p = 0; p < DEPTH; p++) {
                const int value = p / GROUP * COLUMNS + j;
                sum += x1[i * DEPTH + p] * ((double)x2[p * COLUMNS + j] + offset[value]) * scale[value];
            }
            assert_true(partial[i * COLUMNS + j] == (float)sum);
        }
}

/* 2^24 swallows ones that are added one by one, but not their sum: so it shows where a run ends. */
static void runs_end_where_documented(void **state)
{
    enum { MOST = 514 };
    float x1[MOST] = {0x1p24F}, scale[MOST], partial;
    int8_t x2[MOST];
    struct quantised_weights weights = {
        .dtype = MMARN_F32, .x2_dtype = MMARN_I8, .n = 1, .x2 = x2, .scale = {scale, 1, 0}};
    (void)state;
    memset(x2, 1, sizeof(x2));
    for (int i = 0; i < MOST; i++)
        scale[i] = 1;
    for (int end = 32; end <= 512; end *= 16) {
        weights.k = end + 2;
        memset(x1 + 1, 0, sizeof(x1) - sizeof(*x1));
        x1[end] = x1[end + 1] = 1;
        weights.group_size = end < 512 ? end : 0;
        assert_true(quantised_partial(&weights, MMARN_NUMERICS_DEFAULT, 1, x1, NULL, &partial));
        assert_true(partial == 0x1p24F + 2);
        assert_true(quantised_partial(&weights, MMARN_NUMERICS_ASCEND, 1, x1, NULL, &partial));
        assert_true(partial == 0x1p24F);
        x1[end + 1] = 0;
        x1[end - 1] = 1; /* now one of the two is in the run of 2^24 */
        assert_true(quantised_partial(&weights, MMARN_NUMERICS_FP32, 1, x1, NULL, &partial));
        assert_true(partial == 0x1p24F);
    }
}

/* ----------------------------------------------------------------------------------------------- int8 x int8 */

static void sums_wrap_around(void **state)
{
    enum { ROWS = 3, DEPTH = 77, COLUMNS = 11 };
    int8_t x1[ROWS * DEPTH], x2[DEPTH * COLUMNS], turned[DEPTH * COLUMNS];
    int32_t bias[COLUMNS], sums[ROWS * COLUMNS], same[ROWS * COLUMNS], bare[ROWS * COLUMNS];
    (void)state;
    random_quanta_uniform(random_key(seed, 5), MMARN_I8, x1, sizeof(x1));
    random_quanta_uniform(random_key(seed, 6), MMARN_I8, x2, sizeof(x2));
    for (int j = 0; j < COLUMNS; j++) {
        bias[j] = j % 2 == 0 ? INT32_MAX - j : INT32_MIN + j;
        for (int p = 0; p < DEPTH; p++)
            turned[j * DEPTH + p] = x2[p * COLUMNS + j];
    }
    quantised_sums(ROWS, DEPTH, COLUMNS, x1, x2, false, bias, sums);
    quantised_sums(ROWS, DEPTH, COLUMNS, x1, turned, true, bias, same);
    quantised_sums(ROWS, DEPTH, COLUMNS, x1, x2, false, NULL, bare);
    assert_memory_equal(sums, same, sizeof(sums));
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < COLUMNS; j++) {
            int64_t sum = 0;
            for (int p = 0; p < DEPTH; p++)
                sum += x1[i * DEPTH + p] * x2[p * COLUMNS + j];
            assert_true(bare[i * COLUMNS + j] == sum);
            assert_true((uint32_t)sums[i * COLUMNS + j] == (uint32_t)(sum + bias[j]));
        }
}

static void dequantises_in_three_roundings(void **state)
{
    /* 2^24 + 1 becomes 2^24; times 1 + 2^-23; times 3, which is a tie that goes to even. */
    const int32_t sums[2] = {(1 << 24) + 1, -5};
    const float scales[2] = {1.0f + 0x1p-23f, 0.5f}, row_scale = 3.0f;
    float partial[2];
    (void)state;
    quantised_dequantise(1, 2, sums, scales, NULL, partial);
    assert_true(partial[0] == 16777218.0f && partial[1] == -2.5f);
    quantised_dequantise(1, 2, sums, scales, &row_scale, partial);
    assert_true(partial[0] == 50331656.0f && partial[1] == -7.5f);
}

static void scales_of_every_type(void **state)
{
    const uint64_t words[2] = {quantised_word(0.25f, 9.0f, 0) | 0x1fff, quantised_word(3.0f, 0.0f, 1)};
    const uint64_t small = 100; /* not a valid word: bits 13 to 31 hold nothing of it */
    const uint16_t halves[2] = {0x3e80, 0x4040};
    const float floats[2] = {0.25f, 3.0f};
    float out[2];
    (void)state;
    quantised_scales(MMARN_U64, words, 2, 2, out);
    assert_memory_equal(out, floats, sizeof(out));
    quantised_scales(MMARN_BF16, halves, 2, 2, out);
    assert_memory_equal(out, floats, sizeof(out));
    quantised_scales(MMARN_F32, floats, 2, 2, out);
    assert_memory_equal(out, floats, sizeof(out));
    quantised_scales(MMARN_I64, words + 1, 1, 2, out);
    assert_true(out[0] == 3.0f && out[1] == 3.0f);
    quantised_scales(MMARN_I64, &small, 1, 1, out);
    assert_true(out[0] == 0.0f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(int4_shares_bytes_low_first),
        cmocka_unit_test(words_of_listed_scales),
        cmocka_unit_test(words_of_listed_offsets),
        cmocka_unit_test(words_go_back_and_forth),
        cmocka_unit_test(weights_expand_as_documented),
        cmocka_unit_test(rounds_where_documented),
        cmocka_unit_test(partials_without_roundings),
        cmocka_unit_test(runs_end_where_documented),
        cmocka_unit_test(sums_wrap_around),
        cmocka_unit_test(dequantises_in_three_roundings),
        cmocka_unit_test(scales_of_every_type),
    };
    seed = test_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
