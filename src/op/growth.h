/* SPDX-License-Identifier: MIT */
/*
 * growth.h - the one rule for structs that grow. Each begins with struct_size, the size of the caller's struct. An
 * older caller's struct is shorter than this library's: the missing fields have their values of _INIT. A newer caller's
 * is longer: the fields that this library does not know must be zero, because otherwise the caller has asked for
 * something that would not happen.
 */
#ifndef MMARN_OP_GROWTH_H
#define MMARN_OP_GROWTH_H

#include <stddef.h>

#include "base/error.h"

/* The name of a struct in sentences, its size in this library and in its first form, and its _INIT. */
struct growth {
    const char *argument, *type;
    size_t size, first;
    const void *defaults;
};

extern const struct growth growth_comm_config, growth_op_config, growth_step, growth_ascend_options,
    growth_op_description;

/*
 * Copies the caller's struct into one of this library's size. Reads struct_size bytes and no more; reads only
 * struct_size itself if the struct cannot have that size.
 *
 * Errors: NULL, ARGUMENT (struct_size), UNSUPPORTED (a byte that is unknown here is set).
 */
bool growth_take(const struct growth *growth, const void *given, void *known, struct error *error);

/* Copies back into a struct that growth_take has read, as far as the caller's struct reaches. */
void growth_give(const struct growth *growth, const void *known, void *given);

/* Fills the caller's struct of this size with its defaults. Errors: NULL, ARGUMENT. */
bool growth_init(const struct growth *growth, void *given, size_t struct_size, struct error *error);

#endif
