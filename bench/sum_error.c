/* SPDX-License-Identifier: MIT */
/*
 * sum_error.c - the error of sums of k products, by the length of the chains of multiply-adds that make them
 * (docs/numerics.md, "How long a chain"). The products are of uniform numbers in (0, 1) and in (-1, 1). Errors are in
 * units in the last place of fp32, at the exact sum or at the root of the sum of squares. Each is the largest of 400
 * sums, or of 40 long ones. One line for each form; all of them take a minute.
 */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "mmarn/mmarn.h"
#include "reference/random.h"

enum { LONGEST = 1 << 20, SIGNS = 2 };

static const int depths[] = {4096, 65536, LONGEST};
enum { DEPTHS = sizeof depths / sizeof *depths };

/* chain: rows in one chain, and whether its even and odd rows are two chains that are added first. */
static const struct form {
    const char *name;
    int chain;
    bool halves;
} forms[] = {
    {"one chain", LONGEST, false}, {"chains of 1024", 1024, false}, {"chains of 512", 512, false},
    {"chains of 128", 128, false}, {"chains of 32", 32, false},     {"even and odd rows of 32", 32, true},
};
enum { FORMS = sizeof forms / sizeof *forms };

static float sum_by(const struct form *form, int k, const float *a, const float *b)
{
    float sum = 0;
    for (int first = 0; first < k; first += form->chain) {
        float even = 0, odd = 0;
        for (int i = first; i < k && i < first + form->chain; i++) {
            float *chain = form->halves && i % 2 ? &odd : &even;
            *chain = fmaf(a[i], b[i], *chain);
        }
        if (form->halves)
            even = even + odd;
        sum = sum + even;
    }
    return sum;
}

/* Computes one sum in all forms, and updates the largest errors. */
static void measure(int k, bool one_sign, const float *a, const float *b, double worst[FORMS])
{
    double exact = 0, squares = 0;
    for (int i = 0; i < k; i++) {
        const double product = (double)a[i] * b[i];
        exact += product;
        squares += product * product;
    }
    const double unit = ldexp(1, ilogb(one_sign ? exact : sqrt(squares)) - 23);
    for (int f = 0; f < FORMS; f++)
        worst[f] = fmax(worst[f], fabs((double)sum_by(&forms[f], k, a, b) - exact) / unit);
}

int main(void)
{
    static float a[LONGEST], b[LONGEST];
    double worst[SIGNS][DEPTHS][FORMS] = {{{0}}};
    uint64_t stream = 0;
    for (int d = 0; d < DEPTHS; d++)
        for (int round = 0; round < (depths[d] < LONGEST ? 400 : 40); round++)
            for (int sign = 0; sign < SIGNS; sign++) {
                const float low = sign == 0 ? 0.0F : -1.0F;
                random_uniform(random_key(2026, stream++), MMARN_F32, low, 1, a, (size_t)depths[d]);
                random_uniform(random_key(2026, stream++), MMARN_F32, low, 1, b, (size_t)depths[d]);
                measure(depths[d], sign == 0, a, b, worst[sign][d]);
            }
    printf("%-26s", "k, and numbers in");
    for (int d = 0; d < DEPTHS; d++)
        printf("%9d (0, 1)   (-1, 1)", depths[d]);
    putchar('\n');
    for (int f = 0; f < FORMS; f++) {
        printf("%-26s", forms[f].name);
        for (int d = 0; d < DEPTHS; d++)
            printf("%16.1f %9.1f", worst[0][d][f], worst[1][d][f]);
        putchar('\n');
    }
    return 0;
}
