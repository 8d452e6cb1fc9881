/* SPDX-License-Identifier: MIT */
/* rounds.c - see rounds.h. */
#include "rounds.h"

#include "exit_status.h"
#include "median.h"

int rounds_run(struct figures *figures, int count)
{
    double seconds[ROUNDS_WORKLOADS][ROUNDS], matmul[ROUNDS_WORKLOADS][ROUNDS];

    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < count; i++) {
            const struct workload_result before = figures[i].result;
            struct workload_result *result = &figures[i].result;
            const int status = workload_run(&figures[i].workload, result);
            if (status != EXIT_OK)
                return status;
            seconds[i][round] = result->seconds;
            matmul[i][round] = result->matmul_seconds;
            result->repeat += round > 0 ? before.repeat : 0;
            result->bits_equal = result->bits_equal && (round == 0 || before.bits_equal);
        }
    for (int i = 0; i < count; i++) {
        figures[i].result.seconds = median_of(seconds[i], ROUNDS);
        figures[i].result.least_seconds = seconds[i][0];
        figures[i].result.most_seconds = seconds[i][ROUNDS - 1];
        figures[i].result.matmul_seconds = median_of(matmul[i], ROUNDS);
    }
    return EXIT_OK;
}
