/* SPDX-License-Identifier: MIT */
/* tasks.h - what the example does with a model that is loaded: continue a prompt, or score a text. */
#ifndef LLAMA_TASKS_H
#define LLAMA_TASKS_H

#include "model.h"
#include "options.h"
#include "tokenizer.h"

/* The tokens of the prompt, or of the text to score; checked against the model's length. To be freed by the caller. */
bool task_tokens(const struct options *options, const struct tokenizer *tokenizer, int64_t seq_len, int32_t **tokens,
                 int64_t *count);

/* Both are collective; rank 0 writes. tokens has room for the model's positions and one more. */
bool task_generate(const struct options *options, const struct tokenizer *tokenizer, struct model *model,
                   int32_t *tokens, int64_t count);
bool task_score(struct model *model, const int32_t *tokens, int64_t count);

#endif
