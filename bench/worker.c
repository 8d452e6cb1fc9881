/* SPDX-License-Identifier: MIT */
/*
 * worker.c - the main program of every worker: it takes commands from run.py, times steps, and answers with the times.
 * Commands:
 *
 *     prepare TYPE ROWS K N COPIES        reduce COUNT                  describe
 *     run operator|matmul|reduce INNER SAMPLES                          dump FILE          drop
 *
 * A sample is INNER steps in a row, which all ranks begin together. Its time is that of the slowest rank, per step.
 */
#include "worker.h"

#include <stdio.h>
#include <string.h>

#include "measure/clock.h"
#include "measure/json.h"

static const char *const step_names[STEPS] = {"operator", "matmul", "reduce"};
static const char *const part_names[PARTS] = {"matmul", "wait", "reduce", "norm"};

/* Rows of the outputs in a dump, at equal distances. */
enum { DUMP_ROWS = 64 };

struct worker {
    struct member member;
    struct problem problem;
    bool reducing; /* an all-reduce is prepared, instead of a problem */
    int64_t index; /* steps taken */
};

static int find(const char *const names[], int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -1;
}

static bool prepare(struct worker *worker, const char *line)
{
    char type[32];
    long long rows, k, n, count;
    int copies;

    peer_drop(&worker->member);
    worker->index = 0;
    worker->reducing = sscanf(line, "reduce %lld", &count) == 1;
    if (worker->reducing)
        return peer_prepare_reduce(&worker->member, count);
    if (sscanf(line, "prepare %31s %lld %lld %lld %d", type, &rows, &k, &n, &copies) != 5 ||
        find(type_names, TYPES, type) < 0)
        return control_fail(&worker->member, "not understood: %s", line);
    worker->problem = (struct problem){(enum type)find(type_names, TYPES, type), rows, k, n, copies};
    return peer_prepare(&worker->member, &worker->problem);
}

static bool run(struct worker *worker, const char *line, int *samples)
{
    struct member *member = &worker->member;
    char name[32];
    int inner, step;

    if (sscanf(line, "run %31s %d %d", name, &inner, samples) != 3 || *samples > CONTROL_SAMPLES || inner < 1)
        return control_fail(member, "not understood: %s", line);
    step = find(step_names, STEPS, name);
    for (int sample = 0; sample < *samples; sample++) {
        double start;
        control_barrier(member);
        start = clock_seconds();
        for (int i = 0; i < inner; i++)
            if (!peer_step(member, (enum step)step, worker->index++))
                return false;
        member->control->seconds[member->rank][sample] = (clock_seconds() - start) / inner;
    }
    for (int part = 0; part < PARTS; part++)
        member->control->parts[member->rank][part] /= (double)inner * *samples;
    return true;
}

static void write_rows(FILE *file, const char *matrix, int64_t rows, int64_t bytes)
{
    const int64_t shown = rows < DUMP_ROWS ? rows : DUMP_ROWS;
    for (int64_t i = 0; i < shown; i++)
        fwrite(matrix + i * (rows / shown) * bytes, 1, (size_t)bytes, file);
}

/* Each rank writes its own file: FILE.RANK. */
static bool dump(struct worker *worker, const char *line)
{
    const struct problem *problem = &worker->problem;
    char path[CONTROL_LINE + 16];
    FILE *file;

    snprintf(path, sizeof(path), "%s.%d", line + strlen("dump "), worker->member.rank);
    file = fopen(path, "wb");
    if (file == NULL)
        return control_fail(&worker->member, "cannot write the outputs");
    if (worker->reducing) {
        int64_t count;
        const float *reduced = peer_reduced(&count);
        fwrite(reduced, sizeof(*reduced), (size_t)count, file);
    } else {
        const int64_t bytes = inputs_bytes(inputs_out_type(problem->type), problem->n);
        write_rows(file, peer_outputs()->y, problem->rows, bytes);
        write_rows(file, peer_outputs()->norm_out, problem->rows, bytes);
    }
    if (fclose(file) != 0)
        return control_fail(&worker->member, "cannot write the outputs");
    return true;
}

static void answer_times(struct json *json, const struct worker *worker, int samples)
{
    const struct control *control = worker->member.control;

    json_begin_array(json, "seconds");
    for (int sample = 0; sample < samples; sample++) {
        double slowest = 0.0;
        for (int rank = 0; rank < worker->member.world; rank++)
            if (control->seconds[rank][sample] > slowest)
                slowest = control->seconds[rank][sample];
        json_number(json, NULL, slowest);
    }
    json_end_array(json);
    json_begin_object(json, "parts");
    for (int part = 0; part < PARTS; part++) {
        double sum = 0.0;
        for (int rank = 0; rank < worker->member.world; rank++)
            sum += control->parts[rank][part];
        json_number(json, part_names[part], sum / worker->member.world);
    }
    json_end_object(json);
}

static bool obey(struct worker *worker, const char *line, int *samples)
{
    if (strncmp(line, "run ", 4) == 0)
        return run(worker, line, samples);
    if (strncmp(line, "dump ", 5) == 0)
        return dump(worker, line);
    if (strcmp(line, "drop") == 0)
        peer_drop(&worker->member);
    else if (strcmp(line, "describe") != 0)
        return prepare(worker, line);
    return true;
}

static void answer(const struct worker *worker, const char *line, int failed, int samples)
{
    struct json json = {stdout, false};
    char text[256] = "";

    json_begin_object(&json, NULL);
    json_bool(&json, "ok", failed < 0);
    if (failed >= 0) {
        json_string(&json, "why", worker->member.control->why[failed]);
    } else if (samples > 0) {
        answer_times(&json, worker, samples);
    } else {
        if (strcmp(line, "describe") == 0)
            peer_describe(text, sizeof(text));
        json_string(&json, "text", text);
    }
    json_end_object(&json);
    putchar('\n');
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct worker worker = {0};
    char line[CONTROL_LINE];
    bool started;

    if (!control_join(&worker.member))
        return 1;
    started = peer_start(&worker.member, argc > 1 ? argv[1] : "");
    while (control_next(&worker.member, line)) {
        int samples = 0, failed;
        if (!started)
            control_fail(&worker.member, "the worker could not start");
        else
            obey(&worker, line, &samples);
        failed = control_failed(&worker.member);
        if (worker.member.rank == 0)
            answer(&worker, line, failed, samples);
    }
    peer_drop(&worker.member);
    peer_stop(&worker.member);
    return 0;
}
