/* SPDX-License-Identifier: MIT */
/*
 * cases.c - see cases.h. On top of measure/workload.h, which defines how a case is measured, and measure/data.h, which
 * gives its sizes.
 */
#include "cases.h"

#include <math.h>
#include <stdlib.h>

#include "base/cpu.h"
#include "measure/data.h"
#include "measure/machine.h"

struct model {
    const char *name;
    int64_t hidden, heads, intermediate; /* heads: query heads times their size */
};

static const struct model models[] = {
    [LLAMA_3_8B] = {"Llama-3-8B", 4096, 4096, 14336},
    [LLAMA_2_70B] = {"Llama-2-70B", 8192, 8192, 28672},
    [QWEN_2_5_7B] = {"Qwen2.5-7B", 3584, 3584, 18944},
    [QWEN_3_32B] = {"Qwen3-32B", 5120, 8192, 25600},
};

/* The repeats of a case take about this many seconds, and are at least this many. */
static const double SECONDS = 0.3, QUICK_SECONDS = 0.2;
enum { LEAST = 5, QUICK_LEAST = 3 };

/* With more rows, multiply-adds take so much longer than reading that the place of the weights does not matter. */
enum { FEW_ROWS = 16 };

/*
 * For the estimate: seconds to make and pack a weight, seconds to start a group of processes, and the share of the
 * ceilings that cases reach.
 */
static const double SETUP_PER_WEIGHT = 15e-9, START = 0.1, EFFICIENCY = 0.6;

static struct workload make_workload(bool quick, int ranks, int rows, int dtype, int64_t k, int64_t n)
{
    struct workload workload = {.command = "layers",
                                .ranks = ranks,
                                .threads = workload_default_threads(ranks),
                                .b = 1,
                                .s = rows,
                                .k = k,
                                .n = n,
                                .dtype = dtype,
                                .least = quick ? QUICK_LEAST : LEAST,
                                .seconds = quick ? QUICK_SECONDS : SECONDS,
                                .seed = 1};
    workload_usual_scales(&workload);
    workload.operators = rows <= FEW_ROWS ? workload_rotating_operators(&workload) : 1;
    return workload;
}

/* Makes the cases of one block: rows by rows, with the types of a shape next to each other. Returns their number. */
static int make_block(const struct selection *selection, const struct model *model, int ranks, bool down,
                      struct layer_case *cases)
{
    const int64_t k = (down ? model->intermediate : model->heads) / ranks;
    int count = 0;

    for (int r = 0; r < selection->count[AXIS_ROWS]; r++)
        for (int d = 0; d < selection->count[AXIS_DTYPE]; d++) {
            const int rows = selection->value[AXIS_ROWS][r], dtype = selection->value[AXIS_DTYPE][d];
            cases[count] = (struct layer_case){
                .model = model->name,
                .call = down ? "down_proj" : "o_proj",
                .workload = make_workload(selection->quick, ranks, rows, dtype, k, model->hidden),
                .first = count == 0,
            };
            count++;
        }
    return count;
}

struct layer_case *cases_make(const struct selection *selection, int *count)
{
    const int *counts = selection->count;
    const int all = 2 * counts[AXIS_MODEL] * counts[AXIS_TP] * counts[AXIS_ROWS] * counts[AXIS_DTYPE];
    struct layer_case *cases = calloc((size_t)all, sizeof(*cases));

    *count = 0;
    for (int m = 0; m < counts[AXIS_MODEL] && cases != NULL; m++)
        for (int t = 0; t < counts[AXIS_TP]; t++)
            for (int down = 0; down < 2; down++)
                *count += make_block(selection, &models[selection->value[AXIS_MODEL][m]], selection->value[AXIS_TP][t],
                                     down != 0, cases + *count);
    return cases;
}

double case_moved_bytes(const struct workload *workload)
{
    const struct scenario *scenario = scenario_of(workload->dtype);
    const size_t rows = (size_t)(workload->b * workload->s), k = (size_t)workload->k, n = (size_t)workload->n;
    return workload->ranks * (data_weight_bytes(workload) + (double)scenario_bytes(scenario->x1, rows * k) +
                              3 * (double)scenario_bytes(scenario->out, rows * n));
}

double case_lacking_bytes(const struct workload *workload)
{
    return data_total_bytes(workload) - (double)machine_memory();
}

double case_expected_seconds(const struct workload *workload, const struct peak *peak)
{
    const struct peak_rate *rate = &peak->rate[workload_peak_kind(workload)];
    const double multiplying = workload_operations(workload) / (rate->best_gflops * 1e9);
    const double moving = case_moved_bytes(workload) / (peak->memory.best_gigabytes * 1e9);
    const double pass = workload->operators * fmax(multiplying, moving) / EFFICIENCY;
    const double weights = (double)workload->k * (double)workload->n * workload->ranks;
    const double at_once = fmin(workload->ranks, cpu_count());

    /* The operator and the matmul alone are timed equally often, after a warm-up. */
    return START + SETUP_PER_WEIGHT * weights / at_once + pass +
           2 * fmax((double)workload->least * pass, workload->seconds);
}
