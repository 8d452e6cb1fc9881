/* SPDX-License-Identifier: MIT */
/* described.c - see described.h. */
#include "described.h"

#include <stdio.h>

#include "data.h"
#include "operator.h"

void described_set(struct described *described, const mmarn_op_description *description)
{
    snprintf(described->kernel, sizeof(described->kernel), "%s", description->kernel);
    snprintf(described->multiply, sizeof(described->multiply), "%s", description->multiply);
    snprintf(described->layout, sizeof(described->layout), "%s", description->layout);
    snprintf(described->algorithm, sizeof(described->algorithm), "%s", description->algorithm);
    snprintf(described->why, sizeof(described->why), "%s", description->why);
    described->block_rows = description->block_rows;
    described->tile_columns = description->tile_columns;
    described->tiles = description->tiles;
}

/* The kind of multiply-add depends only on types and rows, so an operator of one rank with few weights shows it. */
enum peak_kind workload_peak_kind(const struct workload *workload)
{
    struct workload small = *workload;
    struct data data;
    struct described described = {.multiply = ""};
    mmarn_op_description description = MMARN_OP_DESCRIPTION_INIT;
    mmarn_comm_config config = MMARN_COMM_CONFIG_INIT;
    mmarn_comm *comm = NULL;
    mmarn_op *op = NULL;

    small.b = small.s = small.ranks = small.threads = small.operators = 1;
    small.k = 64;
    small.n = 16;
    if (small.group_size != 0)
        small.group_size = 32;
    config.threads = 1;
    if (data_make(&small, 0, &data) && mmarn_comm_create(NULL, &config, &comm) == MMARN_OK &&
        operator_create(&small, &data, comm, &op) == MMARN_OK &&
        mmarn_op_describe(op, workload->b * workload->s, &description) == MMARN_OK)
        described_set(&described, &description);
    mmarn_op_destroy(op);
    mmarn_comm_destroy(comm);
    data_free(&data);
    return peak_kind_of(described.multiply);
}
