/* SPDX-License-Identifier: MIT */
/*
 * quota.c - reads /proc/self/mountinfo for where control groups are mounted, /proc/self/cgroup for the ones that this
 * process is in, and the files of limits from there up to the mount. It reads them again on every request, which is
 * when a group is created: quotas change while processes run.
 */
#include "base/quota.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Longer names are not found, and do not set a quota. */
enum { NAME_SIZE = 1024, PATH_SIZE = 3 * NAME_SIZE };

/* A hierarchy of control groups that can limit processors. */
struct mount {
    bool unified;          /* version 2 */
    char root[NAME_SIZE];  /* the group that is mounted */
    char point[NAME_SIZE]; /* and where */
};

/* All memory for reading; it is not on the stack, because callers may have little. */
struct reader {
    const char *root; /* before every path */
    struct mount mount;
    char group[NAME_SIZE];
    char folder[PATH_SIZE], file[PATH_SIZE];
    struct quota least;
};

/* Is word one of those in text, which are separated by commas? */
static bool lists(const char *text, const char *word)
{
    const size_t length = strlen(word);
    for (const char *at = text; at; at = strchr(at, ','), at = at ? at + 1 : NULL)
        if (strncmp(at, word, length) == 0 && strchr(",\n", at[length]))
            return true;
    return false;
}

/* mountinfo writes spaces and similar characters as \040. */
static void unescape(char *text)
{
    char *to = text;
    for (const char *from = text; *from; to++) {
        const bool escaped = from[0] == '\\' && from[1] && from[2] && from[3];
        *to = escaped ? (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0')) : *from;
        from += escaped ? 4 : 1;
    }
    *to = '\0';
}

/* One line of mountinfo: "36 35 98:0 /root /point options ... - type source super-options". */
static bool read_mount(const char *line, struct mount *mount)
{
    char type[16], options[256] = "";
    const char *rest = strstr(line, " - ");
    if (!rest || sscanf(rest, " - %15s %*s %255s", type, options) < 1 ||
        sscanf(line, "%*s %*s %*s %1023s %1023s", mount->root, mount->point) != 2)
        return false;
    unescape(mount->root);
    unescape(mount->point);
    mount->unified = strcmp(type, "cgroup2") == 0;
    return mount->unified || (strcmp(type, "cgroup") == 0 && lists(options, "cpu"));
}

/* Calls take for every line of a file, until take has had enough. */
static void read_lines(struct reader *reader, const char *name, bool (*take)(struct reader *reader, char *line))
{
    char *line = NULL;
    size_t size = 0;
    snprintf(reader->file, sizeof reader->file, "%s%s", reader->root, name);
    FILE *file = fopen(reader->file, "re");
    while (file && getline(&line, &size, file) > 0 && !take(reader, line))
        ;
    free(line);
    if (file)
        fclose(file);
}

/* The process's control group in the mount's hierarchy: "0::/path" or "4:cpu,cpuacct:/path". */
static bool take_group(struct reader *reader, char *line)
{
    char *controllers = strchr(line, ':');
    char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group)
        return false;
    *group++ = '\0';
    group[strcspn(group, "\n")] = '\0';
    const bool found = reader->mount.unified ? controllers[1] == '\0' : lists(controllers + 1, "cpu");
    if (found)
        snprintf(reader->group, sizeof reader->group, "%s", group);
    return found;
}

/*
 * Reads up to two numbers of a small file in the folder; "max" is -1, as version 1 writes it. Returns how many there
 * were.
 */
static int read_numbers(struct reader *reader, const char *name, double numbers[2])
{
    char text[64] = "";
    if (snprintf(reader->file, sizeof reader->file, "%s/%s", reader->folder, name) >= (int)sizeof reader->file)
        return 0;
    FILE *file = fopen(reader->file, "re");
    if (!file)
        return 0;
    const bool any = fgets(text, sizeof text, file) != NULL;
    fclose(file);
    if (any && strncmp(text, "max", 3) == 0) {
        numbers[0] = -1;
        return 1;
    }
    int count = 0;
    char *end = text, *from = text;
    for (; any && count < 2; count++, from = end) {
        numbers[count] = strtod(from, &end);
        if (end == from)
            break;
    }
    return count;
}

/* The limit in the files of the group in the folder; 0: no quota. */
static double limit_of(struct reader *reader)
{
    double numbers[2] = {-1, 0}, period[2] = {0, 0};
    if (reader->mount.unified)
        return read_numbers(reader, "cpu.max", numbers) == 2 && numbers[0] > 0 && numbers[1] > 0
                   ? numbers[0] / numbers[1]
                   : 0;
    return read_numbers(reader, "cpu.cfs_quota_us", numbers) >= 1 &&
                   read_numbers(reader, "cpu.cfs_period_us", period) >= 1 && numbers[0] > 0 && period[0] > 0
               ? numbers[0] / period[0]
               : 0;
}

/* Goes from the process's group up to the mounted one. */
static void climb(struct reader *reader, size_t point)
{
    for (char *last = reader->folder; last; last = strrchr(reader->folder + point, '/')) {
        struct stat status;
        if (last != reader->folder)
            *last = '\0';
        const double limit = limit_of(reader);
        if (limit > 0 && (reader->least.processors == 0 || limit < reader->least.processors) &&
            stat(reader->folder, &status) == 0)
            reader->least = (struct quota){limit, (uint64_t)status.st_dev << 48 ^ (uint64_t)status.st_ino};
    }
}

static bool take_mount(struct reader *reader, char *line)
{
    const struct mount *mount = &reader->mount;
    const char *group = reader->group;
    if (!read_mount(line, &reader->mount))
        return false;
    reader->group[0] = '\0';
    read_lines(reader, "/proc/self/cgroup", take_group);
    /* If the group lies outside of what is mounted here, only the limits of the mounted group can be seen. */
    const size_t above = strcmp(mount->root, "/") == 0 ? 0 : strlen(mount->root);
    const bool inside = strncmp(group, mount->root, above) == 0 && strchr("/", group[above]) && !strstr(group, "/..");
    const int point = snprintf(reader->folder, sizeof reader->folder, "%s%s", reader->root, mount->point);
    if (point + NAME_SIZE < (int)sizeof reader->folder) {
        snprintf(reader->folder + point, NAME_SIZE, "%s", inside ? group + above : "");
        climb(reader, (size_t)point);
    }
    return false;
}

struct quota quota_read(const char *root)
{
    struct quota least = {0, 0};
    struct reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return least;
    reader->root = root;
    read_lines(reader, "/proc/self/mountinfo", take_mount);
    least = reader->least;
    free(reader);
    return least;
}
