/* SPDX-License-Identifier: MIT */
/* tokenizer_find.h - what tokenizer.c offers tokenizer_text.c. */
#ifndef LLAMA_TOKENIZER_FIND_H
#define LLAMA_TOKENIZER_FIND_H

#include "tokenizer.h"

/* The number of the token with these bytes, the lowest of several; -1 when there is none. */
int32_t tokenizer_find(const struct tokenizer *tokenizer, const char *bytes, int32_t length);

#endif
