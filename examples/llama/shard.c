/* SPDX-License-Identifier: MIT */
/* shard.c - the division of a model among ranks. */
#include "shard.h"

static struct range share(int64_t total, int rank, int world_size)
{
    const int64_t first = total * rank / world_size;
    return (struct range){first, total * (rank + 1) / world_size - first};
}

struct shard shard_of(const struct llama_shape *shape, int rank, int world_size)
{
    struct shard shard = {
        .rank = rank,
        .world_size = world_size,
        .heads = share(shape->heads, rank, world_size),
        .hidden = share(shape->hidden, rank, world_size),
        .vocab = share(shape->vocab, rank, world_size),
    };
    if (shard.heads.count > 0) {
        const int64_t heads_each = shape->heads / shape->kv_heads;
        const int64_t last = (shard.heads.first + shard.heads.count - 1) / heads_each;
        shard.kv_heads.first = shard.heads.first / heads_each;
        shard.kv_heads.count = last - shard.kv_heads.first + 1;
    }
    return shard;
}
