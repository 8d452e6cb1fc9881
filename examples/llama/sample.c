/* SPDX-License-Identifier: MIT */
/* sample.c - greedy and nucleus sampling, with a generator of its own (splitmix64), so that a seed means the same
 * everywhere. */
#include "sample.h"

#include <math.h>
#include <stdlib.h>

#include "fail.h"

/* 0 <= result < 1, 53 bits. */
static double uniform(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return ldexp((double)((z ^ z >> 31) >> 11), -53);
}

static int likelier_first(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->weight != y->weight)
        return x->weight > y->weight ? -1 : 1;
    return (x->token > y->token) - (x->token < y->token);
}

static int32_t draw(struct sampler *sampler, const float *logits, float largest, int64_t vocab)
{
    struct candidate *candidates = sampler->candidates;
    double total = 0, kept = 0, sum = 0;
    for (int64_t i = 0; i < vocab; i++) {
        const double weight = exp(((double)logits[i] - (double)largest) / sampler->temperature);
        candidates[i] = (struct candidate){weight, (int32_t)i};
        total += weight;
    }
    qsort(candidates, (size_t)vocab, sizeof(*candidates), likelier_first);
    int64_t count = 0;
    while (count < vocab && (count == 0 || kept < sampler->top_p * total))
        kept += candidates[count++].weight;
    const double point = uniform(&sampler->state) * kept;
    for (int64_t i = 0; i < count; i++) {
        sum += candidates[i].weight;
        if (point < sum)
            return candidates[i].token;
    }
    return candidates[0].token;
}

bool sample(struct sampler *sampler, const float *logits, int64_t vocab, int32_t *token)
{
    int32_t best = 0;
    for (int64_t i = 0; i < vocab; i++) {
        if (!isfinite(logits[i]))
            return fail("the logit of token %lld is %g: the weights are too large for this type", (long long)i,
                        (double)logits[i]);
        if (logits[i] > logits[best])
            best = (int32_t)i;
    }
    *token = sampler->temperature > 0 ? draw(sampler, logits, logits[best], vocab) : best;
    return true;
}

double log_likelihood(const float *logits, int64_t vocab, int32_t token)
{
    double largest = -INFINITY, total = 0;
    for (int64_t i = 0; i < vocab; i++)
        largest = fmax(largest, (double)logits[i]);
    for (int64_t i = 0; i < vocab; i++)
        total += exp((double)logits[i] - largest);
    return (double)logits[token] - largest - log(total);
}
