/* SPDX-License-Identifier: MIT */
/*
 * plan.c - tile sizes and the choice of algorithm. The figures are measured (docs/design.md, "Tiles"): 96 rows reuse a
 * piece of x2 often enough to hide the time of reading it, and 96 x 256 fp32 still fit a second-level cache beside it.
 * Results do not depend on any choice made here.
 */
#include "op/plan.h"

#include <assert.h>

#include "gemm/gemm.h"

enum {
    MATMUL_ROWS = 96,
    FEW_ROWS = 24,
    COPY_ROWS = 16,
    COPY_ELEMENTS = 16384,
    LEAST_COLUMNS = 64,
    /* Tiles of a row-block for each thread; for each owner half as many. */
    MATMUL_TILES = 4,
    COPY_TILES = 2,
    /* The largest number of elements that a rank reads from its peers in one shot. Up to it, saving a hop is worth more
       than reading all of them costs. With fewer processors than threads a hop is a context switch, and saving it is
       worth far more. */
    ONE_SHOT_ELEMENTS = 16 << 10,
    ONE_SHOT_ELEMENTS_OVERSUBSCRIBED = 512 << 10
};

static int64_t divide_up(int64_t a, int64_t b)
{
    return (a - 1) / b + 1;
}

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* The smallest multiple of `unit` that is not below value. */
static int64_t round_up(int64_t value, int64_t unit)
{
    return divide_up(value, unit) * unit;
}

static int block_rows(enum op_source_kind kind, int64_t rows)
{
    int64_t most = kind == OP_SOURCE_MATMUL ? MATMUL_ROWS : COPY_ROWS;
    if (rows <= most)
        return (int)rows;
    /* Even blocks, rounded up to a multiple of the six rows that kernels take at a time. */
    return (int)clamp(round_up(divide_up(rows, divide_up(rows, most)), 6), 1, most);
}

int64_t op_plan_one_shot_most(const struct coll *coll)
{
    return coll->oversubscribed ? ONE_SHOT_ELEMENTS_OVERSUBSCRIBED : ONE_SHOT_ELEMENTS;
}

static enum coll_algorithm algorithm(const struct coll *coll, int64_t rows, int64_t n)
{
    int64_t peers = coll->world_size - 1;
    return peers == 0 || n <= op_plan_one_shot_most(coll) / rows / peers ? COLL_ONE_SHOT : COLL_OWNER;
}

/* The most columns of a tile. Tiles of few rows may have more columns, because each tile costs some hand-overs. */
static int64_t most_columns(const struct coll *coll, enum op_source_kind kind, int rows)
{
    if (kind == OP_SOURCE_COPY)
        return COPY_ELEMENTS / rows;
    if (coll->oversubscribed || rows >= FEW_ROWS)
        return COLL_TILE_ELEMENTS / (rows < FEW_ROWS ? rows : MATMUL_ROWS);
    return COLL_TILE_ELEMENTS / FEW_ROWS;
}

/*
 * How many tiles a row-block should have. Several for each thread: with fewer, threads would be idle at the end; more
 * would only add hand-overs. The same holds for owners. Without owners a few, so that one is summed while the next is
 * made; but ranks that share processors do nothing at the same time, so there every hand-over only costs time.
 */
static int64_t wanted_tiles(const struct coll *coll, enum op_source_kind kind, enum coll_algorithm algorithm)
{
    const int64_t several = kind == OP_SOURCE_COPY ? COPY_TILES : MATMUL_TILES;
    const int64_t shared = algorithm == COLL_OWNER ? coll->world_size * several / 2
                           : coll->oversubscribed  ? 1
                                                   : several;
    const int64_t threads = coll->max_threads > 1 ? coll->max_threads * several : 1;
    return shared > threads ? shared : threads;
}

static int tile_columns(const struct coll *coll, enum op_source_kind kind, enum coll_algorithm algorithm, int rows,
                        int64_t n)
{
    const int64_t fair = divide_up(n, wanted_tiles(coll, kind, algorithm));
    const int64_t most = most_columns(coll, kind, rows) / LEAST_COLUMNS * LEAST_COLUMNS;
    return (int)clamp(clamp(round_up(fair, LEAST_COLUMNS), LEAST_COLUMNS, most), GEMM_NR, round_up(n, GEMM_NR));
}

struct op_plan op_plan_make(const struct coll *coll, enum op_source_kind kind, int64_t rows, int64_t n, int shards)
{
    assert(rows > 0 && n > 0 && shards > 0);
    const int64_t most_rows = divide_up(rows, shards); /* of a shard */
    struct op_plan plan = {.rows = rows, .n = n, .shards = shards, .block_rows = block_rows(kind, most_rows)};
    plan.algorithm = shards > 1 ? COLL_ONE_SHOT : algorithm(coll, rows, n);
    plan.tile_columns = tile_columns(coll, kind, plan.algorithm, plan.block_rows, n);
    plan.column_tiles = divide_up(n, plan.tile_columns);
    plan.blocks = shards * divide_up(most_rows, plan.block_rows);
    plan.tiles = plan.column_tiles * plan.blocks;
    return plan;
}

struct op_rows op_plan_block(const struct op_plan *plan, int64_t block)
{
    assert(block >= 0 && block < plan->blocks);
    const struct op_rows shard = op_rows_shard(plan->rows, (int)(block % plan->shards), plan->shards);
    const int64_t before = block / plan->shards * plan->block_rows;
    return (struct op_rows){shard.first + before, clamp(shard.count - before, 0, plan->block_rows)};
}

struct op_tile op_plan_tile(const struct op_plan *plan, int64_t tile)
{
    assert(tile >= 0 && tile < plan->tiles);
    const struct op_rows rows = op_plan_block(plan, tile / plan->column_tiles);
    int64_t column = tile % plan->column_tiles * plan->tile_columns;
    return (struct op_tile){
        .row = rows.first,
        .column = column,
        .rows = (int)rows.count,
        .columns = (int)clamp(plan->n - column, 1, plan->tile_columns),
    };
}
