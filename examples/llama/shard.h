/* SPDX-License-Identifier: MIT */
/*
 * shard.h - which part of a model a rank holds: whole heads of attention with the key-value heads they look at, columns
 * of the hidden layer, rows of the classifier. Parts are as even as whole numbers allow, and may be empty.
 */
#ifndef LLAMA_SHARD_H
#define LLAMA_SHARD_H

#include "checkpoint.h"

struct range {
    int64_t first, count;
};

struct shard {
    int rank, world_size;
    struct range heads;
    struct range kv_heads; /* of those heads; a key-value head is on every rank that has a head for it */
    struct range hidden;
    struct range vocab;
};

struct shard shard_of(const struct llama_shape *shape, int rank, int world_size);

#endif
