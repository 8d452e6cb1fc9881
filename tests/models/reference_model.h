/* SPDX-License-Identifier: MIT */
/*
 * reference_model.h - a Llama-type model in fp64, written plainly and in one place: examples/llama is compared with it.
 * It shares no code with the example. Every place where the example rounds can be told to add a random error of that
 * size, which shows how far roundings move the result; docs/llama.md says how the tests use that.
 */
#ifndef MMARN_TESTS_REFERENCE_MODEL_H
#define MMARN_TESTS_REFERENCE_MODEL_H

#include <stdbool.h>
#include <stdint.h>

enum number { NUMBER_F32, NUMBER_F16, NUMBER_BF16, NUMBER_I8, NUMBER_I4, NUMBER_W8A8 };

enum weights_mode {
    WEIGHTS_EXACT, /* as they are in the file */
    WEIGHTS_TYPED, /* as the type holds them */
    WEIGHTS_NUDGED /* as they are in the file, moved by up to half a step of the type */
};

struct reference {
    int32_t dim, hidden, layers, heads, kv_heads, vocab, seq_len;
    bool own_classifier;
    int ranks;   /* among which groups of quantised weights are cut; set by the caller */
    float *file; /* the tensors of the checkpoint, in its order */

    enum number number;
    bool nudges;     /* applied to all computed values */
    uint64_t random; /* the nudges' state */
    double *weights; /* those of the file, in the chosen mode */
};

/* Reads a checkpoint that is known to be valid. False if it cannot. */
bool reference_open(struct reference *reference, const char *path);
void reference_close(struct reference *reference);

/* Chooses the weights, and whether computed values are nudged. seed chooses the nudges. */
void reference_choose(struct reference *reference, enum number number, enum weights_mode mode, bool nudges,
                      uint64_t seed);

/* likelihoods[i] = log-likelihood of tokens[i + 1] after tokens[0 .. i], for i < count - 1. */
void reference_score(struct reference *reference, const int32_t *tokens, int count, double *likelihoods);

/* Shared by reference_weights.c and reference_model.c. */

/* Half the distance between neighbours of the type (f32, f16 or bf16) around value. */
double reference_half_step(enum number number, double value);
/* A random number, uniform from -most to most. */
double reference_nudge(struct reference *reference, double most);

#endif
