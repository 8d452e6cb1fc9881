/* SPDX-License-Identifier: MIT */
/*
 * model.h - one rank's part of a model: the library's operators over its weights, the keys and values of the positions
 * that were seen, and room for the rows that go through a layer together. model.c loads it, forward.c runs it.
 */
#ifndef LLAMA_MODEL_H
#define LLAMA_MODEL_H

#include "checkpoint.h"
#include "linear.h"
#include "options.h"
#include "shard.h"

/* Positions that go through the layers together: of a prompt, or of a text to be scored. */
enum { LLAMA_ROWS = 32 };

struct layer {
    mmarn_op *qkv;     /* this rank's queries, keys and values, one beside another; NULL when it has no head */
    mmarn_op *out;     /* attention's output projection + all-reduce + residual + the norm before gate and up */
    mmarn_op *gate_up; /* this rank's hidden columns: gates, then ups; NULL when it has none */
    mmarn_op *down;    /* + all-reduce + residual + the next layer's first norm, or the last norm */
};

struct model {
    struct llama_shape shape;
    struct shard shard;
    struct linear_types types;
    int64_t positions; /* room for so many */
    mmarn_comm *group; /* all ranks */
    mmarn_comm *self;  /* this rank alone, for its own matmuls */

    void *embedding;  /* (vocab, dim), in the activations' type, like everything that is void here */
    void *first_norm; /* (dim): layer 0's, which no operator precedes */
    struct layer *layers;
    mmarn_op *classifier; /* this rank's rows of it; NULL when it has none */

    float *rotations;     /* (positions, head_dim / 2, 2): cosine and sine */
    float *keys, *values; /* (layers, positions, key-value heads * head_dim) */

    /* LLAMA_ROWS rows each. */
    void *x, *norm;                   /* (dim); norm in int8 where types.int8_rows, but for the last one */
    void *narrow;                     /* what goes into out or down, in the activations' type, or int8 */
    float *norm_scale, *narrow_scale; /* of rows in int8 */
    float *wide;                      /* what comes out of qkv or gate_up, and what attention or the gates make of it */
    float *logits;                    /* (vocab) */
};

/*
 * Columns of out's and down's weights. The library refuses none at all, as there would be nothing to sum, so a rank
 * without heads, or without hidden columns, has a single one of zeros and multiplies it by zero.
 */
int64_t model_out_k(const struct model *model);
int64_t model_down_k(const struct model *model);

/* Loads this rank's part. False, with a sentence on stderr; model_free either way. */
bool model_load(struct model *model, const struct checkpoint *checkpoint, const struct options *options,
                int64_t positions, mmarn_comm *group, mmarn_comm *self);
void model_free(struct model *model);

/*
 * Runs count tokens at positions first .. first + count - 1; count is at most LLAMA_ROWS, and every earlier position
 * has been run. Collective. *logits is (1, vocab), the last token's; or (count, vocab) with all. It has the same bits
 * on every rank, and is the model's until the next call.
 */
bool model_forward(struct model *model, const int32_t *tokens, int64_t count, int64_t first, bool all,
                   const float **logits);

#endif
