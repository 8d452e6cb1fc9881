/* SPDX-License-Identifier: MIT */
/*
 * plan.c - what the library would do, for the model of docs/scaling.md: how it cuts a call, and how many buffers a
 * rank's rings have. Neither the group nor the machine need exist. Questions come on standard input, one per line, and
 * each is answered with one line of JSON:
 *
 *     matmul|copy RANKS THREADS SHARED ROWS N     SHARED: 1 when the ranks' threads outnumber the processors, else 0
 *     rings THREADS
 *
 * (mmarn_op_describe says the same of operators that exist; tests/bench/test_model.py compares the two.)
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "coll/shm/shm.h"
#include "measure/json.h"
#include "op/plan.h"

static void answer_plan(struct json *json, const struct coll *coll, bool copies, long long rows, long long n)
{
    const struct op_plan plan = op_plan_make(coll, copies ? OP_SOURCE_COPY : OP_SOURCE_MATMUL, rows, n, 1);

    json_whole(json, "block_rows", plan.block_rows);
    json_whole(json, "row_blocks", plan.blocks);
    json_whole(json, "tiles", plan.tiles);
    json_bool(json, "one_shot", plan.algorithm == COLL_ONE_SHOT);
}

/* The rings of a segment, as a rank makes it. */
static void answer_rings(struct json *json, int threads)
{
    mmarn_id id;
    struct shm_segment segment;
    const struct coll_options options = {.id = &id, .world_size = 2, .threads = threads};
    struct error error;
    int memfd;

    if (!coll_id_create(&id, &error) || !shm_segment_create(&options, &memfd, &segment, &error)) {
        json_string(json, "error", error.sentence);
        return;
    }
    json_whole(json, "parts", segment.rings[COLL_PARTIALS].count);
    json_whole(json, "sums", segment.rings[COLL_SUMS].count);
    shm_segment_close(&segment);
    close(memfd);
}

static void answer(struct json *json, const char *line)
{
    char source[8];
    int ranks, threads, shared;
    long long rows, n;

    if (sscanf(line, "rings %d", &threads) == 1 && threads > 0) {
        answer_rings(json, threads);
    } else if (sscanf(line, "%7s %d %d %d %lld %lld", source, &ranks, &threads, &shared, &rows, &n) == 6 && ranks > 0 &&
               threads > 0 && rows > 0 && n > 0) {
        const struct coll coll = {.world_size = ranks, .max_threads = threads, .oversubscribed = shared != 0};
        answer_plan(json, &coll, strcmp(source, "copy") == 0, rows, n);
    } else {
        json_string(json, "error", "not understood");
    }
}

int main(void)
{
    char line[256];

    while (fgets(line, sizeof(line), stdin) != NULL) {
        struct json json = {stdout, false};
        json_begin_object(&json, NULL);
        answer(&json, line);
        json_end_object(&json);
        putchar('\n');
        fflush(stdout);
    }
    return 0;
}
