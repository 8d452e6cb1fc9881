/* SPDX-License-Identifier: MIT */
/*
 * tokenizer.h - text to tokens and back, with a vocabulary in the format of llama2.c: an int32, the longest token's
 * length; then for each token an fp32 score, an int32 length and its bytes. Token 1 begins a text, token 2 ends one.
 */
#ifndef LLAMA_TOKENIZER_H
#define LLAMA_TOKENIZER_H

#include <stdbool.h>
#include <stdint.h>

enum { TOKEN_UNKNOWN = 0, TOKEN_BEGIN = 1, TOKEN_END = 2 };

struct token {
    const char *bytes;
    int32_t length;
    float score;
};

struct tokenizer {
    char *file; /* the whole file, which tokens point into */
    int32_t vocab, longest;
    struct token *tokens;
    int32_t *sorted; /* tokens by their bytes, then by number */
};

/* False, with a sentence on stderr, unless the file holds exactly vocab tokens. */
bool tokenizer_open(struct tokenizer *tokenizer, const char *path, int64_t vocab);
void tokenizer_close(struct tokenizer *tokenizer);

/*
 * The tokens of a text, TOKEN_BEGIN first. tokens has room for most. False, with a sentence, when they do not fit.
 * A text that is not empty is taken to begin with a space. The pair of neighbours whose union has the highest score is
 * merged, the first of several, until no union is a token; what is in no token goes in as bytes.
 */
bool tokenizer_encode(const struct tokenizer *tokenizer, const char *text, int64_t length, int32_t *tokens,
                      int64_t most, int64_t *count);

/* The bytes that token stands for after previous; *length may be 0. Control characters but tab and newline are left
 * out when they are a token of their own, for the sake of a terminal. byte is room for one. */
const char *tokenizer_decode(const struct tokenizer *tokenizer, int32_t previous, int32_t token, char *byte,
                             int32_t *length);

#endif
