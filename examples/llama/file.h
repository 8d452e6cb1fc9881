/* SPDX-License-Identifier: MIT */
/* file.h - a whole small file in memory. */
#ifndef LLAMA_FILE_H
#define LLAMA_FILE_H

#include <stdint.h>

/* NULL, with a sentence on stderr, when it cannot be read. To be freed by the caller. */
char *file_read(const char *path, int64_t *size);

#endif
