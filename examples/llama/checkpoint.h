/* SPDX-License-Identifier: MIT */
/*
 * checkpoint.h - a model's file in the format of llama2.c: seven int32 (dim, hidden_dim, n_layers, n_heads, n_kv_heads,
 * vocab_size, seq_len), then its tensors in fp32, little-endian, one after another. A vocab_size below zero says that
 * the classifier has weights of its own; otherwise it is the embedding. Every size is checked against the file's before
 * anything is read, and tensors are read by parts, so that a rank only reads what it needs.
 */
#ifndef LLAMA_CHECKPOINT_H
#define LLAMA_CHECKPOINT_H

#include <stdbool.h>
#include <stdint.h>

struct llama_shape {
    int64_t dim, hidden, layers, heads, kv_heads, vocab, seq_len;
    int64_t head_dim; /* dim / heads, even */
    bool own_classifier;
};

/* In the file's order. Matrices are (out, in), row-major. */
enum llama_tensor {
    LLAMA_EMBEDDING,  /* (vocab, dim) */
    LLAMA_NORM_ATT,   /* (1, dim) for each layer */
    LLAMA_WQ,         /* (dim, dim) for each layer */
    LLAMA_WK,         /* (kv_heads * head_dim, dim) for each layer */
    LLAMA_WV,         /* the same */
    LLAMA_WO,         /* (dim, dim) for each layer */
    LLAMA_NORM_FFN,   /* (1, dim) for each layer */
    LLAMA_W1,         /* gate: (hidden, dim) for each layer */
    LLAMA_W2,         /* down: (dim, hidden) for each layer */
    LLAMA_W3,         /* up: (hidden, dim) for each layer */
    LLAMA_NORM_LAST,  /* (1, dim) */
    LLAMA_FREQUENCY,  /* (2 * seq_len, head_dim / 2): a table of rotations that older programs read; not used here */
    LLAMA_CLASSIFIER, /* (vocab, dim): the embedding again when the model has no other */
    LLAMA_TENSORS
};

struct llama_place {
    int64_t offset; /* bytes */
    int64_t rows, columns;
};

struct checkpoint {
    const char *path;
    int file;
    struct llama_shape shape;
    struct llama_place places[LLAMA_TENSORS];
};

/* A part of a tensor: whole when rows and columns are all. */
struct llama_part {
    enum llama_tensor tensor;
    int64_t layer, row, rows, column, columns;
};

/* False, with a sentence on stderr, for a file that is not there or not what its header says. */
bool checkpoint_open(struct checkpoint *checkpoint, const char *path);
void checkpoint_close(struct checkpoint *checkpoint);

/* Copies a part, row by row, to values. False when the file cannot be read or holds a number that is not finite. */
bool checkpoint_read(const struct checkpoint *checkpoint, const struct llama_part *part, float *values);

#endif
