/* SPDX-License-Identifier: MIT */
/*
 * control.h - how the coordinator (run.py) controls the ranks of one worker program. The ranks are processes that share
 * one block of memory. Rank 0 reads commands, one per line, from its standard input and answers each with one line of
 * JSON. Meanwhile the others sleep on a futex, so that workers that are not being measured use no processor.
 */
#ifndef MMARN_BENCH_CONTROL_H
#define MMARN_BENCH_CONTROL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { CONTROL_RANKS = 64, CONTROL_SAMPLES = 64, CONTROL_LINE = 512, CONTROL_WHY = 240 };

/* The parts of a step's time. The rest of the step belongs to none of them. */
enum part { PART_MATMUL, PART_WAIT, PART_REDUCE, PART_NORM, PARTS };

/* The shared block; initially all zeros. */
struct control {
    atomic_uint sequence;            /* commands given; a futex */
    atomic_uint arrived, generation; /* of the barrier */
    char line[CONTROL_LINE];
    uint8_t id[64];                                 /* of the library's group */
    double seconds[CONTROL_RANKS][CONTROL_SAMPLES]; /* of one step */
    double parts[CONTROL_RANKS][PARTS];             /* of all steps of the command together */
    double stamps[2][CONTROL_RANKS];                /* when a rank's matmul ended, by the step's parity */
    char why[CONTROL_RANKS][CONTROL_WHY];           /* the failure; empty: none */
};

struct member {
    struct control *control;
    int rank, world, threads;
};

/* Reads the environment that the coordinator, or mpirun, made. False after a message on standard error. */
bool control_join(struct member *member);

/* The next command, or false at the end of the input. Every rank must call it. */
bool control_next(struct member *member, char line[CONTROL_LINE]);

/* Makes all ranks continue at the same moment. */
void control_barrier(struct member *member);

/* Notes why this rank has failed. Returns false, for its caller to return. */
bool control_fail(struct member *member, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Collective: the first rank that failed, or -1. */
int control_failed(struct member *member);

#endif
