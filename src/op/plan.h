/*
 * plan.h - how a call's rows x n outputs are cut: row-blocks of block_rows, and in each of them tiles of tile_columns.
 * Tile i lies in row-block i / column_tiles. Every rank must get the same plan, so it depends on nothing but numbers
 * that the ranks agree on: rows, n, and what coll.h says is the same on all of them.
 */
#ifndef MMARN_OP_PLAN_H
#define MMARN_OP_PLAN_H

#include <stdint.h>

#include "coll/coll.h"

struct op_plan {
    int64_t rows, n;
    int block_rows;   /* of every row-block but the last */
    int tile_columns; /* of every tile but a row-block's last; a multiple of 16 */
    int64_t column_tiles, tiles;
    enum coll_algorithm algorithm;
};

struct op_tile {
    int64_t row, column;
    int rows, columns;
};

/* What makes the parts: a matmul wants tall tiles, so that a piece of x2 serves many rows; a copy wants long rows. */
enum op_source_kind { OP_SOURCE_MATMUL, OP_SOURCE_COPY };

/*
 * rows and n are at least 1. direct: every rank reads what it needs from the ranks that have it, with no owner between
 * them: where each rank takes in rows of its own alone, an owner would only be one hop more.
 */
struct op_plan op_plan_make(const struct coll *coll, enum op_source_kind kind, int64_t rows, int64_t n, bool direct);
/* Elements that a rank may read from its peers in one shot. */
int64_t op_plan_one_shot_most(const struct coll *coll);
struct op_tile op_plan_tile(const struct op_plan *plan, int64_t tile);

#endif
