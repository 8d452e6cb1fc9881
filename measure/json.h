/* SPDX-License-Identifier: MIT */
/* json.h - writes one JSON object to a stream, on one line. The writer sets the commas. */
#ifndef MMARN_MEASURE_JSON_H
#define MMARN_MEASURE_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
    FILE *out;
    bool comma; /* the next member needs one before it */
};

/* key is NULL for the outermost object and for elements of an array. */
void json_begin_object(struct json *json, const char *key);
void json_end_object(struct json *json);
void json_begin_array(struct json *json, const char *key);
void json_end_array(struct json *json);

void json_string(struct json *json, const char *key, const char *value);
void json_whole(struct json *json, const char *key, int64_t value);
void json_unsigned(struct json *json, const char *key, uint64_t value);
void json_bool(struct json *json, const char *key, bool value);
/* Six significant digits; null when it is not finite. */
void json_number(struct json *json, const char *key, double value);

#endif
