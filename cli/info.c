/* SPDX-License-Identifier: MIT */
/* info.c - mmarn info: the machine, and the kernels that the library chose for it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "command.h"
#include "measure/json.h"
#include "measure/machine.h"
#include "measure/options.h"
#include "measure/table.h"

struct facts {
    char model[128], caches[160];
    char *library; /* "key: value" lines */
    double quota;  /* of processors; 0: none */
};

static void show(const struct facts *facts)
{
    table_pair("processor:", "%s", facts->model);
    if (facts->quota > 0)
        table_pair("processors:", "%d that this process may use, by a quota of %.2f (of %d)", cpu_count(), facts->quota,
                   cpu_allowed());
    else
        table_pair("processors:", "%d that this process may use", cpu_count());
    table_pair("caches:", "%s", facts->caches);
    table_pair("memory:", "%.1f GiB", (double)machine_memory() * 0x1p-30);
    fputs(facts->library, stdout);
}

static void show_json(const struct facts *facts)
{
    struct json json = {stdout, false};
    char *rest = NULL;

    json_begin_object(&json, NULL);
    json_string(&json, "processor", facts->model);
    json_whole(&json, "processors", cpu_count());
    json_number(&json, "processor_quota", facts->quota > 0 ? facts->quota : (double)INFINITY);
    json_string(&json, "caches", facts->caches);
    json_whole(&json, "memory_bytes", machine_memory());
    json_begin_object(&json, "library");
    for (char *line = strtok_r(facts->library, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        char *colon = strchr(line, ':');
        if (colon == NULL)
            continue;
        *colon = '\0';
        json_string(&json, line, colon + 1 + strspn(colon + 1, " "));
    }
    json_end_object(&json);
    json_end_object(&json);
    putchar('\n');
}

int command_info(int argc, char **argv)
{
    bool as_json = false;
    const struct option_spec options[] = {
        {"json", 0, OPTION_FLAG, &as_json, 0, 0, NULL, NULL, "one JSON object on one line"},
        {0},
    };
    const struct option_command command = {"info", NULL, "Shows the machine and what the library chose for it.",
                                           options};
    struct facts facts;
    int first, status = options_parse(&command, argc, argv, &first);

    if (status != OPTIONS_PROCEED)
        return status;
    machine_model(facts.model, sizeof(facts.model));
    machine_caches(facts.caches, sizeof(facts.caches));
    facts.quota = cpu_quota();
    facts.library = machine_library_text();
    if (facts.library == NULL) {
        fputs("mmarn info: there is no memory\n", stderr);
        return EXIT_RUNTIME;
    }
    if (as_json)
        show_json(&facts);
    else
        show(&facts);
    free(facts.library);
    return EXIT_OK;
}
