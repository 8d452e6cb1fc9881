/* SPDX-License-Identifier: MIT */
/*
 * workload.h - runs the operator on random data, on ranks that it forks itself: timed, and checked if wanted. mmarn
 * run, mmarn bench and build/bench/layers share it.
 */
#ifndef MMARN_MEASURE_WORKLOAD_H
#define MMARN_MEASURE_WORKLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "options.h"
#include "peak.h"
#include "reference/bound.h"
#include "scenario.h"

/* Names for options and reports. */
extern const struct option_choice workload_numerics[];

struct workload {
    const char *command; /* for messages */
    int ranks, threads;
    int64_t b, s, k, n; /* k of each rank */
    int dtype;          /* enum scenario_id */
    int numerics;
    int form;              /* enum form_id */
    const char *transport; /* NULL: the library's choice */
    bool bias, trans_x2;
    int scale;          /* enum scale_shape */
    int64_t group_size; /* of SCALE_PER_GROUP; else 0 */
    bool offset, per_token;
    int operators;  /* operators with copies of the weights, used in turn, so that no cache holds all of them */
    int64_t repeat; /* 0: the timing takes about `seconds`, but at least `least` repeats */
    int64_t least;
    double seconds;
    uint64_t seed;
    bool check; /* against reference/bound.h; for one operator */
};

/* What the library says about a workload's operators (described.h). */
struct described {
    char kernel[24], multiply[8], layout[8], algorithm[12], why[192];
    int64_t block_rows, tile_columns, tiles;
};

struct workload_result {
    int64_t repeat;
    double seconds, matmul_seconds;     /* of one step: median over repeats of the slowest rank */
    double least_seconds, most_seconds; /* the ends of `seconds` over the rounds (rounds.h) */
    bool ok, bits_equal;                /* within the bound on every rank; the same bits on every rank */
    int64_t rows_checked;
    struct bound_result bound; /* the worst of all ranks */
    struct described described;
};

/* The option that chose the scales, or "none". */
const char *workload_scale_name(const struct workload *workload);

/* Threads of a rank if the ranks share this machine's processors evenly. */
int workload_default_threads(int ranks);

/* 2 * rows * k * n * ranks: the multiplications and additions of one step. */
double workload_operations(const struct workload *workload);

/* The scales that quantised models have: per column, and for int4 per group; none if the type has none. */
void workload_usual_scales(struct workload *workload);

/*
 * The number of operators with which weights come from memory: twice the last-level cache in all ranks together, at
 * least 128 MiB.
 */
int workload_rotating_operators(const struct workload *workload);

/* Processes times threads, for peak_measure. */
int workload_workers(const struct workload *workload);

/* The kind of multiply-add that the library uses for it on this processor, as far as MMARN_CPU allows. */
enum peak_kind workload_peak_kind(const struct workload *workload);

/* Returns EXIT_OK, or the status to exit with after a failure that has been reported. */
int workload_run(const struct workload *workload, struct workload_result *result);

#endif
