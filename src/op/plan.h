/* SPDX-License-Identifier: MIT */
/*
 * plan.h - how a call's rows x n outputs are cut: into row-blocks of block_rows, and each of them into tiles of
 * tile_columns. Tile i lies in row-block i / column_tiles. Where each rank has a shard of the rows, blocks are cut
 * within the shards and the shards take turns, so that ranks store their rows at the same time; then a block may be
 * empty. Every rank must get the same plan, so it depends only on numbers that the ranks agree on: rows, n, and what
 * transport.h says is the same on all of them.
 */
#ifndef MMARN_OP_PLAN_H
#define MMARN_OP_PLAN_H

#include <stdint.h>

#include "coll/transport.h"
#include "op/types.h"

struct op_plan {
    int64_t rows, n;
    int shards;       /* 1: rows are not cut into shards */
    int block_rows;   /* of every row-block, at most */
    int tile_columns; /* of every tile but a row-block's last; a multiple of 16 */
    int64_t column_tiles, blocks, tiles;
    enum coll_algorithm algorithm;
};

struct op_tile {
    int64_t row, column;
    int rows, columns;
};

/*
 * What makes the partials. A matmul wants tall tiles, so that a piece of x2 serves many rows; a copy wants long rows.
 */
enum op_source_kind { OP_SOURCE_MATMUL, OP_SOURCE_COPY };

/*
 * rows and n are at least 1. With more than one shard every rank stores only its own rows, straight from the ranks that
 * have them: an owner between them would only add a hop.
 */
struct op_plan op_plan_make(const struct coll *coll, enum op_source_kind kind, int64_t rows, int64_t n, int shards);
/* The rows of a block: [first, first + count), which may be empty. */
struct op_rows op_plan_block(const struct op_plan *plan, int64_t block);
/* Elements that a rank may read from its peers in one shot. */
int64_t op_plan_one_shot_most(const struct coll *coll);
struct op_tile op_plan_tile(const struct op_plan *plan, int64_t tile);

#endif
