/* SPDX-License-Identifier: MIT */
/*
 * llama_reference.c - the command behind tests/models/llama_case.py. For each token but the first, and finally for
 * their mean, it prints the log-likelihood in fp64 with the weights as they are in the file; the same with the weights
 * as the type holds them; and how far roundings move either: the root of the mean square over SAMPLES passes, each with
 * its own nudges.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reference_model.h"

enum { MOST = 4096 };

static uint64_t seed; /* of the next pass's nudges */
static double exact[MOST], typed[MOST], sample[MOST], moved_exact[MOST], moved_typed[MOST];

/* values[count] becomes the mean of the values before it. */
static void score(struct reference *reference, const int32_t *tokens, int count, double *values)
{
    reference_score(reference, tokens, count + 1, values);
    values[count] = 0;
    for (int i = 0; i < count; i++)
        values[count] += values[i] / count;
}

static void add_squares(int samples, int count, const double *base, double *moved)
{
    for (int i = 0; i <= count; i++)
        moved[i] += (sample[i] - base[i]) * (sample[i] - base[i]) / samples;
}

static void run(struct reference *reference, enum number number, int samples, const int32_t *tokens, int count)
{
    reference_choose(reference, number, WEIGHTS_EXACT, false, 0);
    score(reference, tokens, count, exact);
    reference_choose(reference, number, WEIGHTS_TYPED, false, 0);
    score(reference, tokens, count, typed);
    for (int i = 0; i < samples; i++) {
        reference_choose(reference, number, WEIGHTS_NUDGED, true, ++seed);
        score(reference, tokens, count, sample);
        add_squares(samples, count, exact, moved_exact);
        reference_choose(reference, number, WEIGHTS_TYPED, true, ++seed);
        score(reference, tokens, count, sample);
        add_squares(samples, count, typed, moved_typed);
    }
    for (int i = 0; i <= count; i++)
        printf("%.12g %.12g %.6g %.6g\n", exact[i], typed[i], sqrt(moved_exact[i]), sqrt(moved_typed[i]));
}

int main(int argc, char **argv)
{
    static const char *const names[] = {[NUMBER_F32] = "f32", [NUMBER_F16] = "f16", [NUMBER_BF16] = "bf16",
                                        [NUMBER_I8] = "int8", [NUMBER_I4] = "int4", [NUMBER_W8A8] = "w8a8"};
    static int32_t tokens[MOST];
    struct reference reference;
    int number = 0;
    if (argc < 8 || argc - 6 > MOST - 1 || !reference_open(&reference, argv[1])) {
        fputs("usage: llama_reference MODEL DTYPE RANKS SAMPLES SEED TOKEN TOKEN...\n", stderr);
        return 2;
    }
    while (number < NUMBER_W8A8 && strcmp(argv[2], names[number]) != 0)
        number++;
    seed = strtoull(argv[5], NULL, 10) << 16;
    reference.ranks = (int)strtol(argv[3], NULL, 10);
    for (int i = 6; i < argc; i++)
        tokens[i - 6] = (int32_t)strtol(argv[i], NULL, 10);
    run(&reference, (enum number)number, (int)strtol(argv[4], NULL, 10), tokens, argc - 7);
    reference_close(&reference);
    return 0;
}
