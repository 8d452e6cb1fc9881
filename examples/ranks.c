/* SPDX-License-Identifier: MIT */
/*
 * ranks.c - one tensor-parallel layer: every rank holds its slice of k, packs its weights once, and runs a few steps.
 * Start it with: mmarn launch -n 4 -- ./ranks
 */
#include <mmarn/mmarn.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROWS = 4, K_TOTAL = 64, N = 32, STEPS = 3 };

static void must(mmarn_status status)
{
    if (status == MMARN_OK)
        return;
    fprintf(stderr, "%s: %s\n", mmarn_status_string(status), mmarn_last_error());
    exit(1);
}

/* Small whole numbers, so that sums are exact and every rank count prints the same. */
static float value(int seed, int i)
{
    return (float)((seed * 7 + i * 13) % 5 - 2);
}

int main(void)
{
    mmarn_id id;
    int32_t rank, world_size;
    must(mmarn_id_from_env(&id, &rank, &world_size));
    mmarn_comm_config group = MMARN_COMM_CONFIG_INIT;
    group.rank = rank;
    group.world_size = world_size;
    mmarn_comm *comm;
    must(mmarn_comm_create(&id, &group, &comm));

    /* This rank's slice of the inner axis: [begin, begin + k). */
    int64_t begin = K_TOTAL * rank / world_size;
    int64_t k = K_TOTAL * (rank + 1) / world_size - begin;
    static float x1[ROWS * K_TOTAL], x2[K_TOTAL * N], residual[ROWS * N], gamma[N], norm_out[ROWS * N];
    for (int i = 0; i < k * N; i++)
        x2[i] = value(1, (int)begin * N + i);
    for (int i = 0; i < ROWS * N; i++)
        residual[i] = value(2, i);
    for (int i = 0; i < N; i++)
        gamma[i] = 1;

    mmarn_tensor x1_t = mmarn_tensor_make(x1, MMARN_F32, 2, (int64_t[]){ROWS, k});
    mmarn_tensor x2_t = mmarn_tensor_make(x2, MMARN_F32, 2, (int64_t[]){k, N});
    mmarn_tensor residual_t = mmarn_tensor_make(residual, MMARN_F32, 2, (int64_t[]){ROWS, N});
    mmarn_tensor gamma_t = mmarn_tensor_make(gamma, MMARN_F32, 1, (int64_t[]){N});
    mmarn_tensor norm_out_t = mmarn_tensor_make(norm_out, MMARN_F32, 2, (int64_t[]){ROWS, N});

    mmarn_op_config config = MMARN_OP_CONFIG_INIT;
    config.x2 = &x2_t;
    config.gamma = &gamma_t;
    mmarn_op *op;
    must(mmarn_op_create(comm, &config, &op));

    mmarn_step step = MMARN_STEP_INIT;
    step.x1 = &x1_t;
    step.residual = step.y = &residual_t; /* in place: y is the next step's residual */
    step.norm_out = &norm_out_t;
    for (int turn = 0; turn < STEPS; turn++) {
        for (int row = 0; row < ROWS; row++)
            for (int i = 0; i < k; i++)
                x1[row * k + i] = value(3 + turn, row * K_TOTAL + (int)begin + i);
        must(mmarn_op_run(op, &step));
        if (rank == 0)
            printf("step %d: y[0] = %g, norm_out[0] = %.6f\n", turn, residual[0], norm_out[0]);
    }
    mmarn_op_destroy(op);
    mmarn_comm_destroy(comm);
    return 0;
}
