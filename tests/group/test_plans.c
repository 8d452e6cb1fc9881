/* SPDX-License-Identifier: MIT */
/*
 * test_plans.c - every way to cut the work gives the same bits: tile sizes, both algorithms, several threads. It runs
 * the pipeline on plans that op_plan_make would not choose.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "group.h"
#include "op/call.h"
#include "reference/random.h"

enum { ROWS = 37, N = 210, COUNT = ROWS * N };

static enum group_mode mode = GROUP_PROCESSES;

static void produce(void *ctx, int thread, const struct op_tile *tile, float *part)
{
    const float *x = ctx;
    (void)thread;
    for (int i = 0; i < tile->rows; i++)
        memcpy(part + (ptrdiff_t)i * tile->columns, x + (tile->row + i) * N + tile->column,
               (size_t)tile->columns * sizeof *x);
}

static mmarn_status run_plan(mmarn_comm *comm, const struct op_plan *plan, int numerics, const float *x, uint16_t *y,
                             uint16_t *norm_out)
{
    static _Thread_local uint16_t residual[COUNT], gamma[N];
    random_normal(random_key(test_seed(), 100), MMARN_F16, 0, 1, residual, COUNT);
    random_normal(random_key(test_seed(), 101), MMARN_F16, 0, 1, gamma, N);
    memset(y, 0xA5, COUNT * 2);
    memset(norm_out, 0xA5, COUNT * 2);
    struct call_terms terms = {
        .kind = CALL_ALL_REDUCE_NORM, .rows = ROWS, .n = N, .dtype = MMARN_F16, .numerics = numerics, .epsilon = 1e-6F};
    struct op_pipeline pipeline = {
        .coll = comm->coll,
        .plan = plan,
        .produce = produce,
        .ctx = (void *)x,
        .epilogue = {.dtype = MMARN_F16,
                     .count = ROWS,
                     .y_dtype = MMARN_F16,
                     .gamma_dtype = MMARN_F16,
                     .residual = residual,
                     .y = y,
                     .gamma = gamma,
                     .norm_out = norm_out},
    };
    call_terms_set(&pipeline, &terms);
    struct error error;
    return op_pipeline_run(&pipeline, comm->threads, &error) ? MMARN_OK : error.status;
}

static struct op_plan plan_of(int block_rows, int tile_columns, enum coll_algorithm algorithm)
{
    struct op_plan plan = {
        .rows = ROWS, .n = N, .block_rows = block_rows, .tile_columns = tile_columns, .algorithm = algorithm};
    plan.column_tiles = (N - 1) / tile_columns + 1;
    plan.shards = 1;
    plan.blocks = (ROWS - 1) / block_rows + 1;
    plan.tiles = plan.column_tiles * plan.blocks;
    return plan;
}

static bool plans_rank(struct group_rank *rank, void *ctx)
{
    const int *threads = ctx;
    static const struct {
        int rows, columns;
    } tiles[] = {{ROWS, 224}, {1, 16}, {6, 48}, {13, 112}, {36, 208}};
    static _Thread_local uint16_t y[2][COUNT], norm_out[2][COUNT];
    float *mine = malloc(COUNT * sizeof *mine);
    random_normal(random_key(test_seed(), (uint64_t)rank->rank), MMARN_F32, 0, 1, mine, COUNT);
    mmarn_comm *comm = group_join(rank, *threads);
    bool ok = comm;
    for (int numerics = 0; ok && numerics < 3; numerics++) {
        struct op_plan first = plan_of(ROWS, 224, COLL_OWNER);
        EXPECT_STATUS(run_plan(comm, &first, numerics, mine, y[0], norm_out[0]), MMARN_OK);
        for (size_t i = 0; i < 2 * sizeof tiles / sizeof *tiles; i++) {
            struct op_plan plan = plan_of(tiles[i / 2].rows, tiles[i / 2].columns, i % 2 ? COLL_OWNER : COLL_ONE_SHOT);
            EXPECT_STATUS(run_plan(comm, &plan, numerics, mine, y[1], norm_out[1]), MMARN_OK);
            EXPECT(memcmp(y[0], y[1], sizeof y[0]) == 0, "y differs: plan %zu, numerics %d", i, numerics);
            EXPECT(memcmp(norm_out[0], norm_out[1], sizeof y[0]) == 0, "norm_out differs: plan %zu", i);
        }
    }
    free(mine);
    mmarn_comm_destroy(comm);
    return ok;
}

static void plans(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 3; threads += 2)
        for (int world_size = 1; world_size <= 5; world_size++)
            assert_true(group_run(mode, world_size, plans_rank, &threads));
}

/* Every plan covers every element once, and its tiles fit their buffers. */
static void plans_cover(void **state)
{
    (void)state;
    static const int64_t rows[] = {1, 2, 5, 16, 95, 96, 97, 193, 512, 4096};
    static const int64_t columns[] = {1, 15, 16, 17, 64, 500, 4096, 8192, 100001};
    struct coll coll = {.max_threads = 1};
    for (int world_size = 1; world_size <= 64; world_size += 9)
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
            for (size_t j = 0; j < sizeof columns / sizeof *columns; j++)
                for (int way = 0; way < 4; way++) {
                    const int kind = way % 2 ? OP_SOURCE_COPY : OP_SOURCE_MATMUL;
                    const bool dealt = way / 2;
                    coll.world_size = world_size;
                    struct op_plan plan =
                        op_plan_make(&coll, (enum op_source_kind)kind, rows[i], columns[j], dealt ? world_size : 1);
                    int64_t covered = 0;
                    for (int64_t t = 0; t < plan.tiles; t++) {
                        struct op_tile tile = op_plan_tile(&plan, t);
                        assert_true(tile.rows >= !dealt && tile.columns > 0 && tile.column % 16 == 0);
                        assert_true(tile.row + tile.rows <= rows[i] && tile.column + tile.columns <= columns[j]);
                        assert_true(tile.rows * tile.columns <= COLL_TILE_ELEMENTS);
                        const struct op_rows shard =
                            op_rows_shard(rows[i], (int)(t / plan.column_tiles % plan.shards), plan.shards);
                        assert_true(tile.rows == 0 ||
                                    (tile.row >= shard.first && tile.row + tile.rows <= shard.first + shard.count));
                        covered += (int64_t)tile.rows * tile.columns;
                    }
                    assert_int_equal(covered, rows[i] * columns[j]);
                }
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "threads") == 0)
        mode = GROUP_THREADS;
    test_seed();
    const struct CMUnitTest tests[] = {cmocka_unit_test(plans), cmocka_unit_test(plans_cover)};
    return cmocka_run_group_tests_name("plans", tests, NULL, NULL);
}
