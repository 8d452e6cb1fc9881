/* SPDX-License-Identifier: MIT */
/* machine.c - model, caches and memory, as Linux reports them, and what the library reports about itself. */
#include "machine.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cpu.h"
#include "mmarn/mmarn.h"

/* More caches than one processor has. */
enum { MAX_CACHES = 8 };

void machine_model(char *buffer, size_t size)
{
    FILE *file = fopen("/proc/cpuinfo", "r");
    struct utsname name;
    char line[256];
    bool found = false;

    while (file != NULL && !found && fgets(line, sizeof(line), file) != NULL) {
        const char *value = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && value != NULL) {
            snprintf(buffer, size, "%s", value + 1 + strspn(value + 1, " \t"));
            buffer[strcspn(buffer, "\n")] = '\0';
            found = true;
        }
    }
    if (file != NULL)
        fclose(file);
    if (!found)
        snprintf(buffer, size, "%s", uname(&name) == 0 ? name.machine : "unknown processor");
}

/* Reads one line of a file that describes a cache of a processor. */
static bool cache_text(int cpu, int cache, const char *what, char *text, int size)
{
    char path[128];
    FILE *file;
    bool ok;
    snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/cache/index%d/%s", cpu, cache, what);
    file = fopen(path, "r");
    if (file == NULL)
        return false;
    ok = fgets(text, size, file) != NULL;
    text[ok ? strcspn(text, "\n") : 0] = '\0';
    fclose(file);
    return ok;
}

/* The bytes of "32K" or "32M". */
static int64_t cache_bytes(const char *text)
{
    char *unit;
    const int64_t value = strtoll(text, &unit, 10);
    return *unit == 'K' ? value << 10 : *unit == 'M' ? value << 20 : *unit == 'G' ? value << 30 : value;
}

void machine_caches(char *buffer, size_t size)
{
    size_t used = 0;
    snprintf(buffer, size, "unknown");
    for (int cache = 0; cache < MAX_CACHES && used < size; cache++) {
        char level[16], type[32], text[32];
        int64_t bytes;
        if (!cache_text(0, cache, "level", level, sizeof(level)) || !cache_text(0, cache, "type", type, sizeof(type)) ||
            !cache_text(0, cache, "size", text, sizeof(text)))
            continue;
        bytes = cache_bytes(text);
        used += (size_t)snprintf(buffer + used, size - used, "%sL%s%s %lld %s", used > 0 ? ", " : "", level,
                                 type[0] == 'D'   ? "d"
                                 : type[0] == 'I' ? "i"
                                                  : "",
                                 (long long)(bytes >= 1 << 20 ? bytes >> 20 : bytes >> 10),
                                 bytes >= 1 << 20 ? "MiB" : "KiB");
    }
}

/* The number at the beginning of a text from the system. */
static int number_of(const char *text)
{
    return (int)strtol(text, NULL, 10);
}

/* The index of a processor's highest cache, or -1. */
static int highest_cache(int cpu)
{
    int highest = -1, best = 0;
    for (int cache = 0; cache < MAX_CACHES; cache++) {
        char level[16];
        if (cache_text(cpu, cache, "level", level, sizeof(level)) && number_of(level) >= best) {
            best = number_of(level);
            highest = cache;
        }
    }
    return highest;
}

int64_t machine_last_level_cache(void)
{
    const long cpus = sysconf(_SC_NPROCESSORS_CONF);
    int64_t total = 0;
    for (int cpu = 0; cpu < cpus; cpu++) {
        const int cache = highest_cache(cpu);
        char shared[256], size[32];
        /* A cache is counted once, for the first of the processors that share it. */
        if (cache >= 0 && cache_text(cpu, cache, "shared_cpu_list", shared, sizeof(shared)) &&
            number_of(shared) == cpu && cache_text(cpu, cache, "size", size, sizeof(size)))
            total += cache_bytes(size);
    }
    return total;
}

int64_t machine_memory(void)
{
    return (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
}

void machine_line(char *buffer, size_t size)
{
    char model[128];
    machine_model(model, sizeof(model));
    snprintf(buffer, size, "%s, %d processor%s", model, cpu_count(), cpu_count() == 1 ? "" : "s");
}

char *machine_library_text(void)
{
    const size_t length = mmarn_describe(NULL, 0);
    char *text = malloc(length + 1);
    if (text != NULL)
        mmarn_describe(text, length + 1);
    return text;
}

void machine_library_value(const char *key, char *buffer, size_t size)
{
    char *text = machine_library_text();
    const size_t length = strlen(key);
    const char *value = "?";

    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, length) == 0 && line[length] == ':')
            value = line + length + 1 + strspn(line + length + 1, " ");
    }
    snprintf(buffer, size, "%.*s", (int)strcspn(value, "\n"), value);
    free(text);
}
