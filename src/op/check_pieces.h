/* SPDX-License-Identifier: MIT */
/*
 * check_pieces.h - what the rules of check_rules.h are made of: one question each about a pointer, a tensor or two, or
 * an option. A failed one fills in *error with one sentence, in which `name` is the argument's, and returns false.
 */
#ifndef MMARN_OP_CHECK_PIECES_H
#define MMARN_OP_CHECK_PIECES_H

#include "base/error.h"
#include "mmarn/mmarn.h"

/* A pointer that must not be NULL. */
static inline bool check_given(const char *name, const void *pointer, struct error *error)
{
    return pointer || error_fail(error, MMARN_ERR_NULL, "%s is NULL but it is required", name);
}

/* One that must be NULL; why: "there is no x2". */
static inline bool check_absent(const char *name, const void *pointer, const char *why, struct error *error)
{
    return !pointer || error_fail(error, MMARN_ERR_UNSUPPORTED, "%s is given but %s", name, why);
}

/* Axes between least and most, no negative size, an element count that memory could hold. */
bool check_axes(const char *name, const mmarn_tensor *tensor, int least, int most, struct error *error);
/* One axis, of n elements as the last axis of `of` has. */
bool check_vector(const char *name, const mmarn_tensor *vector, const char *of, int64_t n, struct error *error);
/* like has passed check_axes. */
bool check_same_shape(const char *name, const mmarn_tensor *tensor, const char *like_name, const mmarn_tensor *like,
                      struct error *error);

/* `like` is what says that it must be this dtype. */
bool check_dtype(const char *name, const mmarn_tensor *tensor, const char *like, int32_t dtype, struct error *error);
bool check_dtype_or_f32(const char *name, const mmarn_tensor *tensor, const char *like, int32_t dtype,
                        struct error *error);
bool check_float_dtype(const char *name, int32_t dtype, struct error *error);
bool check_contiguous(const char *name, const mmarn_tensor *tensor, struct error *error);

bool check_epsilon(double epsilon, struct error *error);
bool check_numerics(int32_t numerics, struct error *error);
bool check_flags(uint64_t flags, uint64_t known, struct error *error);
/* A rank of a group that there can be; and a number of rows to be dealt out to it. */
bool check_rank(int32_t rank, int32_t world_size, struct error *error);
bool check_shard(int64_t rows, int32_t rank, int32_t world_size, struct error *error);

#endif
