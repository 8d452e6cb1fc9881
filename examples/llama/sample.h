/* SPDX-License-Identifier: MIT */
/*
 * sample.h - the next token from logits. A function of the logits, the options and the generator's state alone: ranks
 * that hold the same bits of all three choose the same token without asking one another.
 */
#ifndef LLAMA_SAMPLE_H
#define LLAMA_SAMPLE_H

#include <stdbool.h>
#include <stdint.h>

struct candidate {
    double weight;
    int32_t token;
};

struct sampler {
    double temperature; /* 0: the token with the largest logit, the first of several */
    double top_p;       /* only the likeliest tokens that have this much probability together; 1: all */
    uint64_t state;
    struct candidate *candidates; /* room for vocab */
};

/* False, with a sentence on stderr, when a logit is not a number or infinite. */
bool sample(struct sampler *sampler, const float *logits, int64_t vocab, int32_t *token);

/* log(softmax(logits)[token]), in fp64. */
double log_likelihood(const float *logits, int64_t vocab, int32_t token);

#endif
