/* SPDX-License-Identifier: MIT */
/*
 * selection.c - the options of build/bench/layers. A list for an axis replaces the values that --quick, or its absence,
 * would select. Values are measured in the order of the tables below, in whatever order they were listed.
 */
#include "selection.h"

#include <stdio.h>
#include <string.h>

#include "cases.h"
#include "measure/exit_status.h"
#include "measure/options.h"
#include "measure/scenario.h"

struct choice {
    const char *name; /* NULL ends the list */
    int value;
    bool quick; /* --quick selects it too */
};

static const struct choice choices[AXES][AXIS_VALUES + 1] = {
    [AXIS_MODEL] = {{"Llama-3-8B", LLAMA_3_8B, true},
                    {"Llama-2-70B", LLAMA_2_70B, false},
                    {"Qwen2.5-7B", QWEN_2_5_7B, false},
                    {"Qwen3-32B", QWEN_3_32B, false}},
    [AXIS_TP] = {{"2", 2, true}, {"4", 4, false}, {"8", 8, false}},
    [AXIS_ROWS] = {{"1", 1, true}, {"4", 4, false}, {"16", 16, true}, {"128", 128, false}, {"512", 512, true}},
    [AXIS_DTYPE] = {{"f16", SCENARIO_F16, true},
                    {"bf16", SCENARIO_BF16, false},
                    {"f32", SCENARIO_F32, false},
                    {"int8-f16", SCENARIO_INT8_F16, true},
                    {"int8-bf16", SCENARIO_INT8_BF16, false},
                    {"f16-int8", SCENARIO_F16_INT8, true},
                    {"bf16-int8", SCENARIO_BF16_INT8, false},
                    {"f16-int4", SCENARIO_F16_INT4, true},
                    {"bf16-int4", SCENARIO_BF16_INT4, false}},
};
static const char *const axis_names[AXES] = {"model", "tp", "rows", "dtype"};

static void add(struct selection *selection, int axis, int value)
{
    selection->value[axis][selection->count[axis]++] = value;
}

static void take_defaults(struct selection *selection, int axis)
{
    selection->count[axis] = 0;
    for (const struct choice *choice = choices[axis]; choice->name != NULL; choice++)
        if (choice->quick || !selection->quick)
            add(selection, axis, choice->value);
}

void selection_all(struct selection *selection)
{
    *selection = (struct selection){0};
    for (int axis = 0; axis < AXES; axis++)
        take_defaults(selection, axis);
}

static int refuse(int axis, const char *list)
{
    fprintf(stderr, "mmarn layers: --%s takes a list, with commas, of", axis_names[axis]);
    for (const struct choice *choice = choices[axis]; choice->name != NULL; choice++)
        fprintf(stderr, "%s%s", choice == choices[axis] ? " " : " and ", choice->name);
    fprintf(stderr, ", not \"%s\"\n", list);
    return EXIT_USAGE;
}

static int take_list(struct selection *selection, int axis, const char *list)
{
    bool wanted[AXIS_VALUES] = {false};
    const char *item = list;

    for (;;) {
        const size_t length = strcspn(item, ",");
        int i = 0;
        while (choices[axis][i].name != NULL &&
               (strlen(choices[axis][i].name) != length || strncmp(choices[axis][i].name, item, length) != 0))
            i++;
        if (choices[axis][i].name == NULL)
            return refuse(axis, list);
        wanted[i] = true;
        if (item[length] == '\0')
            break;
        item += length + 1;
    }
    for (int i = 0; choices[axis][i].name != NULL; i++)
        if (wanted[i])
            add(selection, axis, choices[axis][i].value);
    return OPTIONS_PROCEED;
}

int selection_parse(int argc, char **argv, struct selection *selection)
{
    const char *list[AXES] = {NULL};
    const struct option_spec options[] = {
        {"model", 'm', OPTION_TEXT, &list[AXIS_MODEL], 0, 0, NULL, "LIST", "models, as in Llama-3-8B,Qwen3-32B"},
        {"tp", 't', OPTION_TEXT, &list[AXIS_TP], 0, 0, NULL, "LIST", "ranks that share a layer, as in 2,8"},
        {"rows", 'r', OPTION_TEXT, &list[AXIS_ROWS], 0, 0, NULL, "LIST", "rows of x1, as in 1,512"},
        {"dtype", 'd', OPTION_TEXT, &list[AXIS_DTYPE], 0, 0, NULL, "LIST", "types, as in f16,f16-int4"},
        {"quick", 'q', OPTION_FLAG, &selection->quick, 0, 0, NULL, NULL, "one model on 2 ranks, in about a minute"},
        {"json", 0, OPTION_TEXT, &selection->json, 0, 0, NULL, "FILE", "write one JSON object to FILE as well"},
        {0},
    };
    const struct option_command command = {
        "layers", NULL, "Times both calls of a transformer layer in the shapes of real models.", options};
    int first, status;

    *selection = (struct selection){0};
    status = options_parse(&command, argc, argv, &first);
    for (int axis = 0; axis < AXES && status == OPTIONS_PROCEED; axis++) {
        if (list[axis] != NULL)
            status = take_list(selection, axis, list[axis]);
        else
            take_defaults(selection, axis);
    }
    return status;
}
