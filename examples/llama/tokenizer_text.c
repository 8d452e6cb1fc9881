/* SPDX-License-Identifier: MIT */
/*
 * tokenizer_text.c - encoding: characters first, then merges by score; and decoding one token at a time. A byte that is
 * in no token is written as the token "<0xHH>".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "tokenizer_find.h"

/* Bytes of the UTF-8 character at text; a byte that begins none stands for itself. */
static int32_t character_length(const char *text, int64_t left)
{
    const unsigned char first = (unsigned char)text[0];
    const int32_t wanted = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
    int32_t length = 1;
    while (length < wanted && length < left && ((unsigned char)text[length] & 0xc0) == 0x80)
        length++;
    return length;
}

static int32_t byte_token(const struct tokenizer *tokenizer, unsigned char byte)
{
    char name[8];
    const int32_t token = tokenizer_find(tokenizer, name, snprintf(name, sizeof(name), "<0x%02X>", byte));
    return token >= 0 ? token : TOKEN_UNKNOWN;
}

/* One token for each character, or for each of its bytes; at most length tokens. */
static int64_t split(const struct tokenizer *tokenizer, const char *text, int64_t length, int32_t *tokens)
{
    int64_t count = 0;
    for (int64_t at = 0; at < length;) {
        const int32_t bytes = character_length(text + at, length - at);
        const int32_t token = tokenizer_find(tokenizer, text + at, bytes);
        if (token >= 0)
            tokens[count++] = token;
        for (int32_t i = 0; token < 0 && i < bytes; i++)
            tokens[count++] = byte_token(tokenizer, (unsigned char)text[at + i]);
        at += bytes;
    }
    return count;
}

/* The token whose bytes are a's and then b's, or -1. joined has room for the longest token. */
static int32_t join(const struct tokenizer *tokenizer, int32_t a, int32_t b, char *joined)
{
    const struct token *x = &tokenizer->tokens[a], *y = &tokenizer->tokens[b];
    if (x->length + y->length > tokenizer->longest)
        return -1;
    memcpy(joined, x->bytes, (size_t)x->length);
    memcpy(joined + x->length, y->bytes, (size_t)y->length);
    return tokenizer_find(tokenizer, joined, x->length + y->length);
}

/* Merges the best pair. False when there is none. */
static bool merge(const struct tokenizer *tokenizer, int32_t *tokens, int64_t *count, char *joined)
{
    int64_t best = -1;
    int32_t best_token = -1;
    for (int64_t i = 0; i + 1 < *count; i++) {
        const int32_t token = join(tokenizer, tokens[i], tokens[i + 1], joined);
        if (token >= 0 && (best < 0 || tokenizer->tokens[token].score > tokenizer->tokens[best_token].score)) {
            best = i;
            best_token = token;
        }
    }
    if (best < 0)
        return false;
    tokens[best] = best_token;
    memmove(tokens + best + 1, tokens + best + 2, (size_t)(*count - best - 2) * sizeof(*tokens));
    --*count;
    return true;
}

bool tokenizer_encode(const struct tokenizer *tokenizer, const char *text, int64_t length, int32_t *tokens,
                      int64_t most, int64_t *count)
{
    /* Whatever is merged, a token stands for no more bytes than the longest has. This also bounds the merging. */
    if (most < 1 || length > (most - 1) * tokenizer->longest)
        return fail("the text has %lld bytes, which do not fit %lld tokens", (long long)length, (long long)most);
    tokens[0] = TOKEN_BEGIN;
    *count = 1;
    if (length == 0)
        return true;
    char *spaced = malloc((size_t)length + 1), *joined = malloc((size_t)tokenizer->longest);
    int32_t *parts = malloc(((size_t)length + 1) * sizeof(*parts));
    int64_t found = 0;
    const bool enough = spaced && joined && parts;
    if (enough) {
        spaced[0] = ' ';
        memcpy(spaced + 1, text, (size_t)length);
        found = split(tokenizer, spaced, length + 1, parts);
        while (merge(tokenizer, parts, &found, joined))
            ;
        *count = found + 1;
        if (*count <= most)
            memcpy(tokens + 1, parts, (size_t)found * sizeof(*tokens));
    }
    free(spaced);
    free(joined);
    free(parts);
    if (!enough)
        return fail("there is no memory for a text of %lld bytes", (long long)length);
    return *count <= most ||
           fail("the text has %lld tokens, of which only %lld fit", (long long)*count, (long long)most);
}

/* The value of a token "<0xHH>", or -1. */
static int byte_of(const struct token *token)
{
    static const char digits[] = "0123456789ABCDEF";
    if (token->length != 6 || memcmp(token->bytes, "<0x", 3) != 0 || token->bytes[5] != '>')
        return -1;
    const char *high = memchr(digits, token->bytes[3], 16), *low = memchr(digits, token->bytes[4], 16);
    return high && low ? (int)((high - digits) * 16 + (low - digits)) : -1;
}

static bool is_control(const char *bytes, int32_t length)
{
    const unsigned char first = length == 1 ? (unsigned char)bytes[0] : ' ';
    return (first < ' ' && first != '\n' && first != '\t') || first == 0x7f;
}

const char *tokenizer_decode(const struct tokenizer *tokenizer, int32_t previous, int32_t token, char *byte,
                             int32_t *length)
{
    const struct token *found = &tokenizer->tokens[token];
    const int value = byte_of(found);
    const char *bytes = value >= 0 ? byte : found->bytes;
    *length = value >= 0 ? 1 : found->length;
    if (value >= 0)
        *byte = (char)value;
    if (is_control(bytes, *length))
        *length = 0;
    if (previous == TOKEN_BEGIN && *length > 0 && bytes[0] == ' ') { /* the space that encoding puts in front */
        bytes++;
        --*length;
    }
    return bytes;
}
