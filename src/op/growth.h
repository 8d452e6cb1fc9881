/* SPDX-License-Identifier: MIT */
/*
 * growth.h - the one rule of structs that grow. Each begins with struct_size, the size of the caller's struct. An older
 * caller's is shorter than this library's: what it lacks is as in _INIT. A newer caller's is longer: what this library
 * does not know must be zero, or the caller has asked for something that would not happen.
 */
#ifndef MMARN_OP_GROWTH_H
#define MMARN_OP_GROWTH_H

#include <stddef.h>

#include "base/error.h"

/* A struct's name in sentences, its size in this library and in its first form, and its _INIT. */
struct growth {
    const char *argument, *type;
    size_t size, first;
    const void *defaults;
};

extern const struct growth growth_comm_config, growth_op_config, growth_step, growth_ascend_options,
    growth_op_description;

/*
 * Copies the caller's struct into one of this library's size. Reads struct_size bytes and no more, and only struct_size
 * itself where that is no size that the struct can have.
 * Errors: NULL, ARGUMENT (struct_size), UNSUPPORTED (a byte that is unknown here is set).
 */
bool growth_take(const struct growth *growth, const void *given, void *known, struct error *error);

/* The other way, into a struct that growth_take has read: as much as the caller's has room for. */
void growth_give(const struct growth *growth, const void *known, void *given);

/* Fills the caller's struct of this size with its defaults. Errors: NULL, ARGUMENT. */
bool growth_init(const struct growth *growth, void *given, size_t struct_size, struct error *error);

#endif
