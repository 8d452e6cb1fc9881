/* SPDX-License-Identifier: MIT */
/* file.c - reading a whole file, of at most MOST bytes, whatever kind of file it is. */
#include "file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"

enum { FIRST = 1 << 16, MOST = 1 << 28 };

static char *read_all(FILE *file, const char *path, int64_t *size)
{
    size_t room = FIRST, used = 0;
    char *bytes = malloc(room);
    while (bytes) {
        used += fread(bytes + used, 1, room - used, file);
        if (used < room)
            break;
        char *more = room < MOST ? realloc(bytes, room *= 2) : NULL;
        if (!more)
            free(bytes);
        bytes = more;
    }
    if (bytes && !ferror(file)) {
        *size = (int64_t)used;
        return bytes;
    }
    fail("\"%s\" cannot be read: %s", path, bytes ? strerror(errno) : "it is too long");
    free(bytes);
    return NULL;
}

char *file_read(const char *path, int64_t *size)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        fail("\"%s\" cannot be opened: %s", path, strerror(errno));
        return NULL;
    }
    char *bytes = read_all(file, path, size);
    fclose(file);
    return bytes;
}
