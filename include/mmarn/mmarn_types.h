/* SPDX-License-Identifier: MIT */
/*
 * mmarn_types.h - the types that all of mmarn.h uses: limits, statuses, element types, tensors. Also what a program can
 * ask about failures, versions and this machine. Include mmarn.h, which states the conventions.
 */
#ifndef MMARN_TYPES_H
#define MMARN_TYPES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(MMARN_STATIC)
#define MMARN_API
#else
#define MMARN_API __attribute__((visibility("default")))
#endif

/* Largest group: ranks 0 .. MMARN_MAX_RANKS - 1. */
#define MMARN_MAX_RANKS 64
/* Most threads of one rank. */
#define MMARN_MAX_THREADS 1024
/* Most axes a tensor may have. */
#define MMARN_MAX_NDIM 4
/* Longest group name, without its terminating zero. */
#define MMARN_MAX_NAME 127

/* What a call can return. Every status except MMARN_OK is an error, which mmarn_last_error() explains. */
typedef int32_t mmarn_status;
enum {
    MMARN_OK = 0,
    MMARN_ERR_NULL = -1,        /* a required pointer is NULL */
    MMARN_ERR_ARGUMENT = -2,    /* a shape, size, handle or struct is wrong */
    MMARN_ERR_UNSUPPORTED = -3, /* well formed, but outside what the operator does: dtype, option, stride */
    MMARN_ERR_MEMORY = -4,      /* memory could not be allocated */
    MMARN_ERR_SYSTEM = -5,      /* an operating-system call failed; the sentence names it */
    MMARN_ERR_MISMATCH = -6,    /* the ranks disagree about this call, or one of them refused it */
    MMARN_ERR_PEER = -7,        /* a rank died or left; the group can no longer be used */
    MMARN_ERR_TIMEOUT = -8,     /* a deadline passed; the group can no longer be used */
    MMARN_ERR_ABORTED = -9,     /* some rank called mmarn_comm_abort; the group can no longer be used */
    MMARN_ERR_FORKED = -10,     /* a parent process made the handle, and only the parent may use it */
    MMARN_ERR_BUSY = -11        /* another thread of this rank is in a call on the group (see MMARN_QUEUE_CALLS) */
};

/*
 * Element types. F16 is IEEE binary16; BF16 is the upper half of binary32. I4 has two elements in a byte, in two's
 * complement; the element with the lower index is in the lower four bits. Its shape and strides count elements, and the
 * size of the axis whose stride is 1 must be even.
 */
typedef int32_t mmarn_dtype;
enum {
    MMARN_F16 = 1,
    MMARN_BF16 = 2,
    MMARN_F32 = 3,
    MMARN_I8 = 4,
    MMARN_I4 = 5,
    MMARN_I32 = 6,
    MMARN_I64 = 7,
    MMARN_U64 = 8
};

/*
 * Where the operator rounds; docs/numerics.md has every step. All ranks must choose the same mode.
 *   DEFAULT  fp32 partials are summed in a fixed binary tree over ranks. mm_out is rounded once to the output type, y
 *            is rounded, the statistic is taken from the rounded y, and y * rstd is rounded before it meets gamma.
 *   ASCEND   like DEFAULT, but every rank's partial is rounded, and the sum runs in rank order with each addition
 *            rounded, as an all-reduce in the output type does.
 *   FP32     like DEFAULT, but mm_out stays in fp32 and norm_out is rounded once.
 */
typedef int32_t mmarn_numerics;
enum { MMARN_NUMERICS_DEFAULT = 0, MMARN_NUMERICS_ASCEND = 1, MMARN_NUMERICS_FP32 = 2 };

/*
 * A view of the caller's memory, modelled on DLPack: shape[0 .. ndim - 1], and strides in elements, not bytes.
 * data may be NULL only if the tensor has no elements.
 */
typedef struct mmarn_tensor {
    void *data;
    mmarn_dtype dtype;
    int32_t ndim; /* 1 .. MMARN_MAX_NDIM */
    int64_t shape[MMARN_MAX_NDIM];
    int64_t strides[MMARN_MAX_NDIM];
} mmarn_tensor;

/*
 * A contiguous (row-major) tensor over data. ndim is clamped to 0 .. MMARN_MAX_NDIM; shape holds ndim sizes. A NULL
 * shape gives a tensor without axes, which every call refuses.
 */
MMARN_API mmarn_tensor mmarn_tensor_make(void *data, mmarn_dtype dtype, int32_t ndim, const int64_t *shape);

/* The same over read-only memory, for inputs. A call that gets it as an output writes to that memory all the same. */
MMARN_API mmarn_tensor mmarn_tensor_make_const(const void *data, mmarn_dtype dtype, int32_t ndim, const int64_t *shape);

/*
 * The same memory with its last two axes swapped: an (n, k) array seen as (k, n). A tensor with fewer axes is returned
 * as it is; NULL gives a tensor without axes.
 */
MMARN_API mmarn_tensor mmarn_tensor_transpose(const mmarn_tensor *tensor);

/* ------------------------------------------------------------------------------------------- diagnostics */

/* "MMARN_OK", "MMARN_ERR_TIMEOUT", ... for a status; never NULL. */
MMARN_API const char *mmarn_status_string(mmarn_status status);

/* The sentence of the calling thread's last failure; "" before the first. Valid until the thread's next failure. */
MMARN_API const char *mmarn_last_error(void);

/* The library's version, "major.minor.patch". */
MMARN_API const char *mmarn_version(void);

/*
 * May a program that was compiled with a header of this version (MMARN_VERSION) use the library that is loaded? Yes if
 * the major versions are equal and, until 1.0, the minor ones too. Errors: UNSUPPORTED, with both versions in the
 * sentence.
 */
MMARN_API mmarn_status mmarn_version_check(int32_t version);

/*
 * Calls fn(ctx, status, sentence) for every failure, on the thread that fails. fn must not call the library.
 * NULL turns it off, which is the default. Process-wide. Also, with MMARN_OK, for what joining a group finds odd:
 *   - all ranks are bound to one processor, or by OpenMP's variables to fewer than there are ranks, though the system
 *     would let them use more: once for the group, on rank 0;
 *   - MMARN_CPU is set, but to no level: once in the process;
 *   - the system does not grant the rank all of its threads, and calls go on with those that there are: once in the
 *     process, where it is noticed, which may be in a later call.
 */
typedef void (*mmarn_log_fn)(void *ctx, mmarn_status status, const char *sentence);
MMARN_API void mmarn_set_logger(mmarn_log_fn fn, void *ctx);

/*
 * Describes what the library found on this processor and chose for it, in "key: value" lines: cpu features, MMARN_CPU
 * level, the kernel of each table, transports, and a note if MMARN_CPU is not understood. Writes at most size bytes,
 * with a terminating zero; returns the full length without it, as snprintf does. buffer may be NULL if size is 0.
 */
MMARN_API size_t mmarn_describe(char *buffer, size_t size);

#ifdef __cplusplus
}
#endif
#endif
