/* SPDX-License-Identifier: MIT */
/*
 * reference_weights.c - the checkpoint's weights as a type holds them, or up to half a step away from their values.
 * Rounding is done in fp64 by its definition: to the nearest multiple of the spacing.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "reference_model.h"

static enum number activations(enum number number)
{
    return number >= NUMBER_I8 ? NUMBER_F16 : number;
}

double reference_half_step(enum number number, double value)
{
    static const struct {
        int digits, lowest;
    } types[] = {[NUMBER_F32] = {24, -126}, [NUMBER_F16] = {11, -14}, [NUMBER_BF16] = {8, -126}};
    int exponent;
    frexp(value, &exponent); /* value = 0.5 .. 1 times 2^exponent */
    exponent = exponent - 1 > types[number].lowest && value != 0 ? exponent - 1 : types[number].lowest;
    return ldexp(1, exponent - types[number].digits);
}

double reference_nudge(struct reference *reference, double most)
{
    uint64_t *state = &reference->random; /* xorshift64*, of which the upper 53 bits are used */
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return most * ((double)((*state * UINT64_C(2685821657736338717)) >> 11) * 0x1p-52 - 1);
}

static double nearest(enum number number, double value)
{
    const double step = 2 * reference_half_step(number, value);
    return nearbyint(value / step) * step;
}

static double one(struct reference *reference, enum number number, enum weights_mode mode, double value)
{
    if (mode == WEIGHTS_EXACT)
        return value;
    if (mode == WEIGHTS_TYPED)
        return nearest(number, value);
    return number == NUMBER_F32 ? value : value + reference_nudge(reference, reference_half_step(number, value));
}

/*
 * Quantises the weights of one channel that one rank holds; groups of 32 have a scale each if there are more than that.
 */
static void quantise(struct reference *reference, enum weights_mode mode, const float *from, double *to, int k)
{
    const int most = reference->number == NUMBER_I4 ? 7 : 127;
    const int group = reference->number == NUMBER_I4 && k > 32 ? 32 : k;
    for (int first = 0; first < k; first += group) {
        const int end = first + group < k ? first + group : k;
        double largest = 0, scale;
        for (int i = first; i < end; i++)
            largest = fmax(largest, fabs(from[i]));
        const double step = 2 * reference_half_step(NUMBER_F16, largest / most);
        scale = ceil((double)((float)largest / (float)most) / step) * step;
        for (int i = first; i < end; i++) {
            const double whole = scale > 0 ? (double)lrint((double)from[i] / scale) * scale : 0;
            to[i] = mode == WEIGHTS_TYPED ? whole : from[i] + reference_nudge(reference, scale / 2);
        }
    }
}

/* The unit by which ranks divide a tensor's columns: the number of heads or of hidden columns; or one of these. */
enum { NOT_MULTIPLIED, WHOLE_ROWS };

static void quantise_row(struct reference *reference, enum weights_mode mode, const float *from, double *to, int k,
                         int units)
{
    const int ranks = units == WHOLE_ROWS ? 1 : reference->ranks;
    for (int rank = 0; rank < ranks; rank++) {
        const int first = units * rank / ranks * (k / units), end = units * (rank + 1) / ranks * (k / units);
        quantise(reference, mode, from + first, to + first, end - first);
    }
}

/* Converts rows x k weights from *at on, and moves *at past them. */
static void convert(struct reference *reference, enum weights_mode mode, long *at, long rows, int k, int units)
{
    const enum number number = activations(reference->number);
    const bool quantised = units != NOT_MULTIPLIED && number != reference->number && mode != WEIGHTS_EXACT;
    for (long row = 0; row < rows; row++, *at += k) {
        const float *from = reference->file + *at;
        double *to = reference->weights + *at;
        if (quantised)
            quantise_row(reference, mode, from, to, k, units);
        for (int i = 0; !quantised && i < k; i++)
            to[i] = one(reference, number, mode, from[i]);
    }
}

void reference_choose(struct reference *reference, enum number number, enum weights_mode mode, bool nudges,
                      uint64_t seed)
{
    const int dim = reference->dim, kv_dim = dim / reference->heads * reference->kv_heads;
    const long layers = reference->layers;
    long at = 0;
    reference->number = number;
    reference->nudges = nudges;
    reference->random = seed * 2 + 1;
    convert(reference, mode, &at, reference->vocab, dim, NOT_MULTIPLIED);
    convert(reference, mode, &at, layers, dim, NOT_MULTIPLIED);
    convert(reference, mode, &at, layers * (dim + 2 * kv_dim), dim, WHOLE_ROWS);
    convert(reference, mode, &at, layers * dim, dim, reference->heads);
    convert(reference, mode, &at, layers, dim, NOT_MULTIPLIED);
    convert(reference, mode, &at, layers * reference->hidden, dim, WHOLE_ROWS);
    convert(reference, mode, &at, layers * dim, reference->hidden, reference->hidden);
    convert(reference, mode, &at, layers * reference->hidden, dim, WHOLE_ROWS);
    convert(reference, mode, &at, 1, dim, NOT_MULTIPLIED);
    at += (long)reference->seq_len * (dim / reference->heads);
    if (reference->own_classifier)
        convert(reference, mode, &at, reference->vocab, dim, NOT_MULTIPLIED);
}

bool reference_open(struct reference *reference, const char *path)
{
    int32_t header[7];
    FILE *file = fopen(path, "rb");
    *reference = (struct reference){0};
    if (!file || fread(header, sizeof(header), 1, file) != 1)
        return false;
    *reference = (struct reference){.dim = header[0],
                                    .hidden = header[1],
                                    .layers = header[2],
                                    .heads = header[3],
                                    .kv_heads = header[4],
                                    .vocab = abs(header[5]),
                                    .seq_len = header[6],
                                    .own_classifier = header[5] < 0};
    fseek(file, 0, SEEK_END);
    const size_t count = ((size_t)ftell(file) - sizeof(header)) / sizeof(float);
    fseek(file, sizeof(header), SEEK_SET);
    reference->file = malloc(count * sizeof(float));
    reference->weights = calloc(count, sizeof(double));
    const bool read =
        reference->file && reference->weights && fread(reference->file, sizeof(float), count, file) == count;
    fclose(file);
    return read;
}

void reference_close(struct reference *reference)
{
    free(reference->file);
    free(reference->weights);
}
