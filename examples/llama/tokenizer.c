/* SPDX-License-Identifier: MIT */
/*
 * tokenizer.c - reading the vocabulary and finding a token by its bytes. Everything that the file says of itself is
 * checked before it is used. tokenizer_text.c turns text into tokens and back.
 */
#include "tokenizer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "file.h"
#include "tokenizer_find.h"

enum { LONGEST = 1 << 16, ENTRY = sizeof(float) + sizeof(int32_t) };

static int compare_bytes(const char *a, int32_t a_length, const char *b, int32_t b_length)
{
    const int order = memcmp(a, b, (size_t)(a_length < b_length ? a_length : b_length));
    return order ? order : (a_length > b_length) - (a_length < b_length);
}

static int compare_tokens(const void *a, const void *b, void *tokens)
{
    const int32_t i = *(const int32_t *)a, j = *(const int32_t *)b;
    const struct token *x = (const struct token *)tokens + i, *y = (const struct token *)tokens + j;
    const int order = compare_bytes(x->bytes, x->length, y->bytes, y->length);
    return order ? order : (i > j) - (i < j);
}

int32_t tokenizer_find(const struct tokenizer *tokenizer, const char *bytes, int32_t length)
{
    int32_t low = 0, high = tokenizer->vocab;
    while (low < high) { /* the first that is not below */
        const int32_t middle = low + (high - low) / 2;
        const struct token *token = &tokenizer->tokens[tokenizer->sorted[middle]];
        if (compare_bytes(token->bytes, token->length, bytes, length) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == tokenizer->vocab)
        return -1;
    const struct token *token = &tokenizer->tokens[tokenizer->sorted[low]];
    return compare_bytes(token->bytes, token->length, bytes, length) == 0 ? tokenizer->sorted[low] : -1;
}

/* Reads one entry at *at and moves on. */
static bool read_token(struct tokenizer *tokenizer, const char *path, int64_t size, int32_t index, int64_t *at)
{
    struct token *token = &tokenizer->tokens[index];
    if (size - *at < ENTRY)
        return fail("\"%s\" ends in token %d, but the model has %d", path, index, tokenizer->vocab);
    memcpy(&token->score, tokenizer->file + *at, sizeof(token->score));
    memcpy(&token->length, tokenizer->file + *at + sizeof(token->score), sizeof(token->length));
    *at += ENTRY;
    if (token->length < 0 || token->length > tokenizer->longest || token->length > size - *at)
        return fail("\"%s\": token %d has %d bytes, but the longest has %d and %lld are left", path, index,
                    token->length, tokenizer->longest, (long long)(size - *at));
    if (!isfinite(token->score))
        return fail("\"%s\": the score of token %d is not finite", path, index);
    token->bytes = tokenizer->file + *at;
    *at += token->length;
    return true;
}

static bool read_tokens(struct tokenizer *tokenizer, const char *path, int64_t size)
{
    int64_t at = sizeof(tokenizer->longest);
    if (size < at)
        return fail("\"%s\" is no vocabulary: it has %lld bytes", path, (long long)size);
    memcpy(&tokenizer->longest, tokenizer->file, sizeof(tokenizer->longest));
    if (tokenizer->longest < 1 || tokenizer->longest > LONGEST)
        return fail("\"%s\" is no vocabulary: its longest token has %d bytes, which is not 1 to %d", path,
                    tokenizer->longest, LONGEST);
    for (int32_t i = 0; i < tokenizer->vocab; i++)
        if (!read_token(tokenizer, path, size, i, &at))
            return false;
    return at == size ||
           fail("\"%s\" goes on after token %d, but the model has %d", path, tokenizer->vocab - 1, tokenizer->vocab);
}

bool tokenizer_open(struct tokenizer *tokenizer, const char *path, int64_t vocab)
{
    int64_t size = 0;
    *tokenizer = (struct tokenizer){.vocab = (int32_t)vocab};
    tokenizer->file = file_read(path, &size);
    if (!tokenizer->file)
        return false;
    tokenizer->tokens = malloc((size_t)vocab * sizeof(*tokenizer->tokens));
    tokenizer->sorted = malloc((size_t)vocab * sizeof(*tokenizer->sorted));
    if (!tokenizer->tokens || !tokenizer->sorted)
        fail("there is no memory for %lld tokens", (long long)vocab);
    else if (read_tokens(tokenizer, path, size)) {
        for (int32_t i = 0; i < tokenizer->vocab; i++)
            tokenizer->sorted[i] = i;
        qsort_r(tokenizer->sorted, (size_t)vocab, sizeof(int32_t), compare_tokens, tokenizer->tokens);
        return true;
    }
    tokenizer_close(tokenizer);
    return false;
}

void tokenizer_close(struct tokenizer *tokenizer)
{
    free(tokenizer->file);
    free(tokenizer->tokens);
    free(tokenizer->sorted);
    *tokenizer = (struct tokenizer){0};
}
