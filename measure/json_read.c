/* SPDX-License-Identifier: MIT */
/* json_read.c - see json_read.h. The skip functions return the end of what they read, or NULL if it is not JSON. */
#include "json_read.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_DEPTH = 32 };

static const char *skip_value(const char *at, int depth);

static const char *skip_space(const char *at)
{
    return at + strspn(at, " \t\r\n");
}

static const char *skip_digits(const char *at)
{
    const size_t count = strspn(at, "0123456789");
    return count > 0 ? at + count : NULL;
}

static const char *skip_number(const char *at)
{
    at += *at == '-';
    at = *at == '0' ? at + 1 : skip_digits(at);
    if (at && *at == '.')
        at = skip_digits(at + 1);
    if (at && (*at == 'e' || *at == 'E')) {
        at++;
        at = skip_digits(at + (*at == '+' || *at == '-'));
    }
    return at;
}

static const char *skip_string(const char *at)
{
    if (*at++ != '"')
        return NULL;
    for (; *at != '"'; at++) {
        if ((unsigned char)*at < ' ')
            return NULL;
        if (*at != '\\')
            continue;
        at++;
        if (*at == '\0' || !strchr("\"\\/bfnrtu", *at))
            return NULL;
        for (int digit = 0; *at == 'u' && digit < 4; digit++)
            if (!isxdigit((unsigned char)at[1 + digit]))
                return NULL;
    }
    return at + 1;
}

/* The members of an object, or the elements of an array, from the bracket that opens it. */
static const char *skip_list(const char *at, char close, int depth)
{
    at = skip_space(at + 1);
    if (*at == close)
        return at + 1;
    for (;;) {
        if (close == '}') {
            at = skip_string(at);
            at = at ? skip_space(at) : NULL;
            if (!at || *at != ':')
                return NULL;
            at = skip_space(at + 1);
        }
        at = skip_value(at, depth + 1);
        at = at ? skip_space(at) : NULL;
        if (!at || (*at != ',' && *at != close))
            return NULL;
        if (*at == close)
            return at + 1;
        at = skip_space(at + 1);
    }
}

static const char *skip_word(const char *at, const char *word)
{
    return strncmp(at, word, strlen(word)) == 0 ? at + strlen(word) : NULL;
}

static const char *skip_value(const char *at, int depth)
{
    if (depth > MOST_DEPTH)
        return NULL;
    switch (*at) {
    case '{':
        return skip_list(at, '}', depth);
    case '[':
        return skip_list(at, ']', depth);
    case '"':
        return skip_string(at);
    case 't':
        return skip_word(at, "true");
    case 'f':
        return skip_word(at, "false");
    case 'n':
        return skip_word(at, "null");
    default:
        return skip_number(at);
    }
}

const char *json_root(const char *text)
{
    const char *root = skip_space(text), *end = skip_value(root, 1);
    return end && *skip_space(end) == '\0' ? root : NULL;
}

bool json_is_string(const char *value, const char *text)
{
    const size_t length = strlen(text);
    return value && *value == '"' && strncmp(value + 1, text, length) == 0 && value[1 + length] == '"';
}

/* What follows a comma, or NULL after the last member or element. */
static const char *after_comma(const char *at)
{
    at = skip_space(at);
    return *at == ',' ? skip_space(at + 1) : NULL;
}

const char *json_member(const char *object, const char *key)
{
    if (!object || *object != '{')
        return NULL;
    const char *at = skip_space(object + 1);
    while (at && *at == '"') {
        const char *value = skip_space(skip_space(skip_string(at)) + 1);
        if (json_is_string(at, key))
            return value;
        at = after_comma(skip_value(value, 1));
    }
    return NULL;
}

const char *json_first(const char *array)
{
    if (!array || *array != '[')
        return NULL;
    const char *at = skip_space(array + 1);
    return *at == ']' ? NULL : at;
}

const char *json_next(const char *element)
{
    return after_comma(skip_value(element, 1));
}

bool json_get_number(const char *value, double *number)
{
    if (!value || (*value != '-' && !isdigit((unsigned char)*value)))
        return false;
    *number = strtod(value, NULL);
    return true;
}
