/* SPDX-License-Identifier: MIT */
/*
 * json_read.h - finds values in a JSON text, such as an earlier report. A value is a pointer into the text, at its
 * first character; the text must outlive it. json_root looks at the whole text once, so what follows can rely on its
 * form.
 */
#ifndef MMARN_MEASURE_JSON_READ_H
#define MMARN_MEASURE_JSON_READ_H

#include <stdbool.h>

/* The value that the text is (RFC 8259, at most 32 levels deep); NULL if it is not exactly one. */
const char *json_root(const char *text);

/* NULL where there is none: no object, no such key (compared without escapes), no array, no further element. */
const char *json_member(const char *object, const char *key);
const char *json_first(const char *array);
const char *json_next(const char *element);

/* False if the value is NULL or of another type. */
bool json_get_number(const char *value, double *number);
/* Is the value this string? Escapes are not decoded. */
bool json_is_string(const char *value, const char *text);

#endif
