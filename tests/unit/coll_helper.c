/* SPDX-License-Identifier: MIT */
/* coll_helper.c - see coll_helper.h. */
#include "coll_helper.h"

#include <dirent.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local struct error last;

const char *helper_sentence(void)
{
    return last.sentence;
}

bool helper_check(bool condition, const char *text, const char *file, int line)
{
    return condition || expect_fail("%s:%d: not so: %s (last error: %s)", file, line, text, last.sentence);
}

/* --------------------------------------------------------------------------------------------------- reference */

/* The contents of the ranks' partials: magnitudes that differ, so that the order of additions shows. */
static void fill(const struct helper_job *job, int rank, int64_t tile, float *part)
{
    uint64_t state = job->seed ^ (uint64_t)rank << 40 ^ (uint64_t)tile << 8;
    for (int64_t i = 0; i < job->count; i++) {
        uint64_t bits = test_random(&state);
        part[i] = ldexpf((float)(int32_t)(uint32_t)bits, (int)(bits >> 32 & 15) - 40);
    }
}

/* Rounds to a format with `digits` bits of significand and least exponent `least`, by arithmetic on values. */
static double round_value(double value, int digits, int least, double largest)
{
    int exponent;
    if (value == 0 || !isfinite(value))
        return value;
    frexp(value, &exponent);
    double unit = ldexp(1, (exponent - 1 > least ? exponent - 1 : least) - (digits - 1));
    double rounded = nearbyint(value / unit) * unit;
    return fabs(rounded) > largest ? copysign(INFINITY, value) : rounded;
}

static float rounded(float value, int32_t dtype)
{
    if (dtype == MMARN_F16)
        return (float)round_value(value, 11, -14, 65504);
    if (dtype == MMARN_BF16)
        return (float)round_value(value, 8, -126, 0x1.FEp127);
    return value;
}

/* Stores a value that the format can hold. */
static void store(float value, int32_t dtype, void *out, int64_t at)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (dtype == MMARN_F32)
        ((float *)out)[at] = value;
    else if (dtype == MMARN_BF16)
        ((uint16_t *)out)[at] = (uint16_t)(bits >> 16);
    else {
        int exponent;
        double size = fabs(value);
        frexp(size, &exponent);
        uint16_t half = isinf(size)      ? 0x7C00
                        : size < 0x1p-14 ? (uint16_t)ldexp(size, 24)
                                         : (uint16_t)((exponent + 13) * 1024 + (int)(ldexp(size, 11 - exponent)));
        ((uint16_t *)out)[at] = (uint16_t)(half | bits >> 31 << 15);
    }
}

static float tree(const float *const parts[], int first, int count, int64_t at)
{
    if (count == 1)
        return parts[first][at];
    int left = 1;
    while (2 * left < count)
        left *= 2;
    return tree(parts, first, left, at) + tree(parts, first + left, count - left, at);
}

void helper_sum(const float *const parts[], int world_size, int64_t count, int32_t dtype, bool in_rank_order, void *out)
{
    for (int64_t i = 0; i < count; i++) {
        float sum = in_rank_order ? rounded(parts[0][i], dtype) : rounded(tree(parts, 0, world_size, i), dtype);
        for (int rank = 1; in_rank_order && rank < world_size; rank++)
            sum = rounded(sum + rounded(parts[rank][i], dtype), dtype);
        store(sum, dtype, out, i);
    }
}

void helper_reference(const struct helper_job *job, int world_size, void *out)
{
    float *parts[MMARN_MAX_RANKS];
    for (int rank = 0; rank < world_size; rank++)
        parts[rank] = malloc((size_t)job->count * sizeof(float));
    for (int64_t tile = 0; tile < job->tiles; tile++) {
        for (int rank = 0; rank < world_size; rank++)
            fill(job, rank, tile, parts[rank]);
        helper_sum((const float *const *)parts, world_size, job->count, job->dtype, job->in_rank_order,
                   (char *)out + (size_t)(tile * job->count) * dtype_size(job->dtype));
    }
    for (int rank = 0; rank < world_size; rank++)
        free(parts[rank]);
}

/* -------------------------------------------------------------------------------------------------- all-reduce */

enum { MOST_THREADS = 16 };

/* One rank's call, which its threads share. */
struct rank_call {
    struct coll *coll;
    const struct helper_job *job;
    char *out;
    struct schedule schedule;
    atomic_bool agreed;
};

struct worker {
    struct rank_call *call;
    int thread;
};

static void at_point(const struct rank_call *call, enum helper_point point, int64_t tile)
{
    if (call->job->hook)
        call->job->hook(call->coll, point, tile, call->job->ctx);
}

static void *out_of(const struct rank_call *call, int64_t tile)
{
    return call->out + (size_t)(tile * call->job->count) * dtype_size(call->job->dtype);
}

static void reduce(const struct rank_call *call, const struct work *work, void *out)
{
    coll_reduce((const float *const *)work->arrived, call->coll->world_size, call->job->count, call->job->dtype,
                call->job->in_rank_order, out);
}

static void do_work(void *ctx, int thread, struct work *work)
{
    struct rank_call *call = ctx;
    const struct helper_job *job = call->job;
    (void)thread;
    if (work->step != STEP_PRODUCE && !atomic_exchange(&call->agreed, true))
        at_point(call, HELPER_AGREED, 0);
    if (work->step == STEP_PRODUCE) {
        fill(job, call->coll->rank, work->tile, work->buffer);
        at_point(call, HELPER_PRODUCED, work->tile);
    } else if (work->step == STEP_REDUCE) {
        reduce(call, work, work->buffer);
        at_point(call, HELPER_REDUCED, work->tile);
    } else {
        if (job->algorithm == COLL_ONE_SHOT)
            reduce(call, work, out_of(call, work->tile));
        else
            memcpy(out_of(call, work->tile), work->arrived[0], (size_t)job->count * dtype_size(job->dtype));
        at_point(call, HELPER_TAKEN, work->tile);
    }
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    worker_run(&worker->call->schedule, worker->thread, do_work, worker->call);
    return NULL;
}

static const struct coll_field fields[COLL_FIELDS] = {{"n", NULL}, {"dtype", dtype_name}, {NULL, NULL}};

struct coll_call helper_call(const struct helper_job *job)
{
    return (struct coll_call){
        .fields = fields, .values = {job->field, job->dtype}, .shape = {job->tiles, job->algorithm}};
}

mmarn_status helper_all_reduce(struct coll *coll, const struct helper_job *job, void *out)
{
    const struct coll_call call = helper_call(job);
    const struct coll_grid grid = {.column_tiles = 1, .blocks = 0, .block_rows = 1};
    if (!coll_begin(coll, &call, &last))
        return last.status;
    struct rank_call shared = {.coll = coll, .job = job, .out = out};
    struct worker workers[MOST_THREADS];
    pthread_t threads[MOST_THREADS];
    schedule_begin(&shared.schedule, coll, &call, &grid, job->threads, &last);
    at_point(&shared, HELPER_BEGUN, 0);
    for (int i = 0; i < job->threads; i++)
        workers[i] = (struct worker){&shared, i};
    for (int i = 1; i < job->threads; i++)
        pthread_create(&threads[i], NULL, work, &workers[i]);
    work(&workers[0]);
    for (int i = 1; i < job->threads; i++)
        pthread_join(threads[i], NULL);
    const mmarn_status status = schedule_end(&shared.schedule) ? MMARN_OK : last.status;
    coll_end(coll, status);
    at_point(&shared, HELPER_ENDED, 0);
    return status;
}

bool helper_good_call(struct coll *coll, const struct helper_job *job)
{
    size_t bytes = (size_t)(job->tiles * job->count) * dtype_size(job->dtype);
    char *out = malloc(bytes);
    char *expected = malloc(bytes);
    memset(out, 0xA5, bytes);
    bool good = CHECK(helper_all_reduce(coll, job, out) == MMARN_OK);
    helper_reference(job, coll->world_size, expected);
    good = good && CHECK(!memcmp(out, expected, bytes));
    free(out);
    free(expected);
    return good;
}

/* ------------------------------------------------------------------------------------------------------- ranks */

mmarn_id helper_id(void)
{
    mmarn_id id;
    CHECK(coll_id_create(&id, &last));
    return id;
}

mmarn_status helper_join(const struct helper_group *group, int rank, struct coll **coll)
{
    struct coll_options options = {&group->id,        rank,        group->world_size, group->threads,
                                   group->timeout_ms, {NULL, NULL}};
    const char *name = ranks_transport() ? ranks_transport() : "shm";
    const struct coll_transport *transport = coll_find(name, &options, &last);
    CHECK(transport && !strcmp(transport->name, name));
    return transport && transport->join(&options, coll, &last) ? MMARN_OK : last.status;
}

struct part {
    const struct helper_group *group;
    int first, count;
};

static bool run_rank(int rank, void *ctx)
{
    const struct helper_group *group = ((struct part *)ctx)->group;
    struct coll *coll = NULL;
    if (!CHECK(helper_join(group, rank, &coll) == MMARN_OK))
        return false;
    group->body(coll, group->ctx);
    coll->transport->leave(coll);
    return true;
}

static bool run_part(int rank, void *ctx)
{
    const struct part *part = ctx;
    return part->count == 1 ? run_rank(rank, ctx) : ranks_run_threads(part->first, part->count, run_rank, ctx);
}

void helper_run_threads(const struct helper_group *group)
{
    ranks_run_threads(0, group->world_size, run_rank, &(struct part){group, 0, group->world_size});
}

pid_t helper_fork(const struct helper_group *group, int first, int count)
{
    return ranks_fork(first, run_part, &(struct part){group, first, count});
}

int helper_descriptors(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

int helper_mappings(void)
{
    int count = 0;
    char line[1024];
    FILE *maps = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof line, maps))
        count += strstr(line, "memfd:mmarn") != NULL;
    fclose(maps);
    return count;
}
