/* SPDX-License-Identifier: MIT */
/* tasks.c - counts threads by the name that the library gives its threads. */
#include "tasks.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { WAITS = 20000 };

static bool is_ours(const char *task)
{
    char path[320], name[32] = "";
    snprintf(path, sizeof path, "/proc/self/task/%s/comm", task);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    if (!fgets(name, sizeof name, file))
        name[0] = '\0';
    fclose(file);
    return strcmp(name, "mmarn\n") == 0;
}

int tasks_count(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/task");
    for (const struct dirent *entry; folder && (entry = readdir(folder));)
        count += is_ours(entry->d_name);
    if (folder)
        closedir(folder);
    return count;
}

bool tasks_become(int count)
{
    for (int i = 0; i < WAITS && tasks_count() != count; i++)
        usleep(1000);
    return tasks_count() == count;
}
