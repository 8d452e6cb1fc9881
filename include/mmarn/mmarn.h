/* SPDX-License-Identifier: MIT */
/*
 * mmarn.h - the C interface of libmmarn: matmul, all-reduce, residual and RMSNorm in one step, and their parts. It
 * includes mmarn_types.h (statuses, dtypes, tensors, diagnostics) and mmarn_group.h (joining a group of ranks).
 *
 *     mm_out   = sum over ranks of (x1 @ x2 + bias + x3)
 *     y        = mm_out + residual
 *     norm_out = y / sqrt(mean(y * y) + epsilon) * gamma            (mean over the last axis, n)
 *
 * This is npu_mm_all_reduce_add_rms_norm of MindSpeed and CANN for CPUs; mmarn_ascend.h has what only that operator
 * has. x1 is (b, s, k) or (rows, k); x2 is (k, n); residual, y, norm_out, mm_out and x3 are (b, s, n) or (rows, n);
 * gamma and bias are (n). Every rank of a group passes its own x1 and x2 (its slice of k) and gets the whole outputs,
 * or its own rows of them. docs/glossary.md explains the words.
 *
 * Conventions
 *   - A function returns MMARN_OK (0) or a negative mmarn_status. After a failure mmarn_last_error() holds one sentence
 *     for the calling thread. The sentence names the argument and both values.
 *   - "Errors:" lists the statuses that a function may return, without their MMARN_ERR_.
 *   - Bad arguments are refused before anything is computed, and no output is touched. A call that fails after it has
 *     started (a peer died, the deadline passed, the group was aborted) leaves unspecified contents in its outputs.
 *   - Tensors are borrowed. The library keeps no pointer after a call returns, except the ones that mmarn_op_create
 *     documents.
 *   - "Collective" functions must be called by every rank of the group, in the same order. Each rank counts its calls,
 *     refused and empty ones included. Calls of the same number meet, and the sentence of a MISMATCH names the number.
 *     Calls without a usable handle (NULL, FORKED) and calls in the middle of another one (BUSY) are not counted.
 *   - Results do not depend on the calling thread's floating-point environment (rounding, flush-to-zero, traps). A call
 *     leaves that environment as it was, exception flags included. The caller's own functions are called in it.
 *   - Structs that grow begin with struct_size. Start from the _INIT macro or the _init function, and set what differs.
 *     A call takes the shorter struct of an older caller. It takes the longer struct of a newer caller if the further
 *     bytes are zero, and returns UNSUPPORTED otherwise. A struct_size below the size of the first version, above 4096
 *     or not a multiple of 8 is an ARGUMENT, and nothing behind struct_size is read (docs/compatibility.md).
 *   - NULL never crashes a function. The function returns MMARN_ERR_NULL, or does what its own comment says.
 *   - Statuses, dtypes and modes are int32_t, so their size is the same for every compiler and language.
 *   - A thread that calls the library must have 96 KiB of stack left.
 *   - No function aborts, exits or prints. None is inline, so any foreign-function interface can call it.
 */
#ifndef MMARN_H
#define MMARN_H

#define MMARN_VERSION_MAJOR 0
#define MMARN_VERSION_MINOR 1
#define MMARN_VERSION_PATCH 0
/* The same as one number, for mmarn_version_check. */
#define MMARN_VERSION (MMARN_VERSION_MAJOR * 10000 + MMARN_VERSION_MINOR * 100 + MMARN_VERSION_PATCH)

#include "mmarn_group.h"
#include "mmarn_types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---------------------------------------------------------------------------------------------- operator */

/* mmarn_op_config.flags. The last three must be the same on all ranks. */
enum {
    /* Read x2 where the caller has it instead of packing a copy. x2 must then outlive the operator, unchanged. */
    MMARN_BORROW_X2 = 1,
    /* The norm multiplies by 1 + gamma, added in fp32, as Gemma's and other models' norms do. */
    MMARN_GAMMA_PLUS_ONE = 2,
    /* Add the bias of rank 0 only, instead of the bias of every rank that passes one. */
    MMARN_BIAS_ONCE = 4,
    /* The norm comes before the residual: norm_out = norm(mm_out), y = norm_out + residual (OLMo 2, Gemma 2). */
    MMARN_NORM_FIRST = 8,
    /* Sequence parallelism: every rank passes and gets only its own rows of residual and outputs (mmarn_shard). */
    MMARN_SHARD_ROWS = 16
};

/* See mmarn_ascend.h. */
struct mmarn_ascend_options;

/*
 * The weights and options of one operator. The dtypes of x1 and x2 say which of three scenarios it is:
 *
 *   x1            x2        bias    scales                                         norm_out
 *   f16 bf16 f32  the same  same    none                                           x1's
 *   i8            i8        i32     dequant_scale                                  f16, bf16 or f32
 *   f16 bf16 f32  i8 or i4  x1's    antiquant_scale, optional antiquant_offset     x1's
 *
 * The dtype in the last column is the output dtype. gamma has the output dtype or is f32. residual and y both have the
 * output dtype, or both are f32 (a residual stream that is kept in fp32). mm_out is rounded to the output dtype before
 * the residual is added, except in MMARN_NUMERICS_FP32.
 *
 * int8 x int8: sums are int32. The bias is added to them modulo 2^32, and the result is multiplied by dequant_scale in
 * fp32:
 *   f16 output   dequant_scale is I64 or U64, words of mmarn_trans_quant_param (only bits 13 to 31 are used); or F32
 *   bf16 output  dequant_scale is BF16, or F32
 *   f32 output   dequant_scale is F32
 * If dequant_scale is f32, and gamma is f32 or NULL, each step chooses the output dtype: that of its norm_out; if
 * norm_out is NULL or i8, that of its mm_out; otherwise that of its y.
 * Quantised weights stand for (x2 + antiquant_offset) * antiquant_scale. They are not rounded: products of x1 and x2
 * itself are summed in fp32, and each sum is multiplied by its scale. Only in MMARN_NUMERICS_ASCEND is each weight
 * rounded to x1's type first, as CANN's operator does: f16 after each of the two operations, bf16 once at the end.
 *
 * BIAS IS PART OF EACH RANK'S MATMUL. It is summed over the ranks, so a bias that every rank passes is added world_size
 * times. Pass it on one rank only, or set MMARN_BIAS_ONCE.
 */
typedef struct mmarn_op_config {
    size_t struct_size;
    const mmarn_tensor *x2;    /* (k, n): contiguous, or the transposed view of a contiguous (n, k) array */
    const mmarn_tensor *gamma; /* (n), of the output dtype or f32; NULL: an operator without a norm */
    const mmarn_tensor *bias;  /* NULL, or (n) */
    double epsilon;            /* > 0 and finite; narrowed to fp32. MindSpeed's default is 1e-6 */
    mmarn_numerics numerics;
    uint32_t flags; /* MMARN_BORROW_X2 | ... */

    /* int8 x int8: (1), (n) or (1, n). */
    const mmarn_tensor *dequant_scale;
    /* Quantised weights, in x1's dtype: (1), (n), (1, n), or (ceil(k / antiquant_group_size), n) with any strides. */
    const mmarn_tensor *antiquant_scale;
    /* NULL, or a tensor of antiquant_scale's shape and dtype. */
    const mmarn_tensor *antiquant_offset;
    /* 0: no groups. Otherwise the number of rows of x2 that share a scale, a multiple of 32 from 32 to k - 1; the last
       group may have fewer rows. */
    int64_t antiquant_group_size;
    /* NULL, or what only npu_mm_all_reduce_add_rms_norm has. */
    const struct mmarn_ascend_options *ascend;
} mmarn_op_config;

#define MMARN_OP_CONFIG_INIT                                                                                           \
    {sizeof(mmarn_op_config), NULL, NULL, NULL, 1e-6, MMARN_NUMERICS_DEFAULT, 0, NULL, NULL, NULL, 0, NULL}

/* MMARN_OP_CONFIG_INIT as a function, as mmarn_comm_config_init. */
MMARN_API mmarn_status mmarn_op_config_init(mmarn_op_config *config, size_t struct_size);

/*
 * The tensors of one step. All are contiguous. All except x1 may be NULL, but at least one output must be given.
 * Outputs and residual have one shape, (b, s, n) or (rows, n), where b * s or rows are x1's. With MMARN_SHARD_ROWS it
 * is (rows, n), where rows are this rank's own (mmarn_shard). D is the output dtype (mmarn_op_config).
 *
 * residual and gamma are applied after the all-reduce, and each rank uses its own: ranks that pass different ones get
 * different outputs. mm_out has the same bits on every rank, whichever outputs are asked for.
 * An output must not overlap any other tensor, with two exceptions: y may be residual; and if there is no x2 and rows
 * are not sharded, one of mm_out, y and norm_out may be x1.
 */
typedef struct mmarn_step {
    size_t struct_size;
    const mmarn_tensor *x1;       /* (rows, k) or (b, s, k); if there is no x2, (rows, n) or (b, s, n) */
    const mmarn_tensor *residual; /* D, or f32. NULL: y is mm_out, or norm_out with MMARN_NORM_FIRST */
    const mmarn_tensor *y;        /* residual's dtype; without residual D or f32 */
    const mmarn_tensor *norm_out; /* D; or i8, with norm_scale */

    /* For int8 x1: (rows), f32. A partial is multiplied by its row's scale after dequant_scale, in fp32. */
    const mmarn_tensor *x1_scale;
    /* (b, s, n) or (rows, n), D or f32: added to this rank's x1 @ x2 + bias, so it is summed over the ranks too. */
    const mmarn_tensor *x3;
    const mmarn_tensor *mm_out; /* D: the sum */
    const mmarn_tensor *rstd;   /* (rows), f32: 1 / sqrt(mean(y * y) + epsilon) */
    /* (rows), f32. Let v be norm_out as it would be in D. Then norm_scale is the row's largest |v| / 127, and norm_out
       as i8 is round(v / norm_scale). If a row contains an infinity or a NaN, its scale is that and its i8 are 0. */
    const mmarn_tensor *norm_scale;
} mmarn_step;

#define MMARN_STEP_INIT {sizeof(mmarn_step), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL}

/* MMARN_STEP_INIT as a function, as mmarn_comm_config_init. */
MMARN_API mmarn_status mmarn_step_init(mmarn_step *step, size_t struct_size);

/*
 * Which of `rows` rows are a rank's own, as torch.tensor_split shares them out: rows / world_size for each rank, and
 * one more for the first rows % world_size ranks. Errors: NULL, ARGUMENT (a negative number of rows, no such rank).
 */
MMARN_API mmarn_status mmarn_shard(int64_t rows, int32_t rank, int32_t world_size, int64_t *first, int64_t *count);

typedef struct mmarn_op mmarn_op;

/*
 * Checks and packs one rank's weights. Local, without communication. x2 is copied into the kernel's layout (about k * n
 * elements) unless MMARN_BORROW_X2 is set. gamma and bias are copied. k may differ from rank to rank, n must not.
 * On success the caller owns *op, and must give it to mmarn_op_destroy before the group is destroyed.
 * Errors: NULL, ARGUMENT, UNSUPPORTED, MEMORY, FORKED.
 */
MMARN_API mmarn_status mmarn_op_create(mmarn_comm *comm, const mmarn_op_config *config, mmarn_op **op);

/*
 * One step of the operator. Collective. If b * s or n is 0, the call succeeds, computes nothing and communicates
 * nothing. k = 0 is refused. A norm reads its rows twice. If no output can hold them in between, the step allocates
 * memory while it runs:
 *   rows * n elements  if y is NULL, and norm_out is i8 or has another dtype than residual; or if, with
 *                      MMARN_NORM_FIRST, y is residual, and neither mm_out nor norm_out is given in D
 *   one row per thread if norm_out is i8 or NULL
 * Errors: NULL, ARGUMENT, UNSUPPORTED, MISMATCH, PEER, TIMEOUT, ABORTED, FORKED, BUSY, MEMORY.
 */
MMARN_API mmarn_status mmarn_op_run(mmarn_op *op, const mmarn_step *step);

/*
 * This rank's own matmul alone: mm_out = x1 @ x2 + bias, in fp32, before any rounding. Local, without communication.
 * Uses x1, x1_scale and mm_out of the step; the others must be NULL. mm_out is f32 here and has all of x1's rows.
 * Errors: NULL, ARGUMENT, UNSUPPORTED, FORKED, BUSY, MEMORY.
 */
MMARN_API mmarn_status mmarn_op_matmul(mmarn_op *op, const mmarn_step *step);

/* How an operator computes a step. The library owns the texts, which stay valid; `why` is in the struct itself. */
typedef struct mmarn_op_description {
    size_t struct_size;
    /* The kernel that multiplies: "avx512", "avx512bf16", ..., as mmarn_describe names them. */
    const char *kernel;
    /* The kind of its multiply-adds: "fp32", "bf16" or "int8". With "bf16", pieces that contain numbers near the
       subnormal ones are multiplied in fp32 all the same. */
    const char *multiply;
    /* How x2 is laid out: "packed"; borrowed, "kn", or "nk" for the transpose. */
    const char *layout;
    /* "one-shot": every rank sums for itself. "owner": one rank sums a tile for all ranks. */
    const char *algorithm;
    int64_t weight_bytes;                    /* size of x2 in that layout; read once for every block_rows rows */
    int64_t owned_bytes;                     /* memory that the operator owns */
    int64_t block_rows, tile_columns, tiles; /* how a step's outputs are cut (docs/design.md) */
    char why[192];                           /* the reason for the algorithm, in one sentence */
} mmarn_op_description;

#define MMARN_OP_DESCRIPTION_INIT {sizeof(mmarn_op_description), "", "", "", "", 0, 0, 0, 0, 0, ""}

/* MMARN_OP_DESCRIPTION_INIT as a function, as mmarn_comm_config_init. */
MMARN_API mmarn_status mmarn_op_description_init(mmarn_op_description *description, size_t struct_size);

/*
 * Describes a step of `rows` rows, at least 1. Local. Fills *description; the caller has set its struct_size.
 * Errors: NULL, ARGUMENT (rows, struct_size), UNSUPPORTED (struct_size), FORKED.
 */
MMARN_API mmarn_status mmarn_op_describe(const mmarn_op *op, int64_t rows, mmarn_op_description *description);

/* Frees the operator. NULL is ignored. */
MMARN_API void mmarn_op_destroy(mmarn_op *op);

/* ------------------------------------------------------------------------------------------- in one call */

/*
 * mmarn_op_create with MMARN_BORROW_X2, mmarn_op_run and mmarn_op_destroy in one call. Nothing is kept.
 * Collective. Errors: as mmarn_op_run.
 */
MMARN_API mmarn_status mmarn_mm_all_reduce_add_rms_norm(mmarn_comm *comm, const mmarn_op_config *config,
                                                        const mmarn_step *step);

/*
 * The matmul and the all-reduce alone: mm_out = sum over ranks of (x1 @ x2 + bias + x3), rounded to the output dtype.
 * With MMARN_SHARD_ROWS it is a matmul and a reduce-scatter. gamma, residual, y, norm_out, rstd and norm_scale must be
 * NULL.
 * Collective. Errors: as mmarn_op_run.
 */
MMARN_API mmarn_status mmarn_mm_all_reduce(mmarn_comm *comm, const mmarn_op_config *config, const mmarn_step *step);

/* ------------------------------------------------------------------------------------------- before a call */

/* The function that mmarn_check asks about. MMARN_FORM_MM_ALL_REDUCE_ADD_RMS_NORM stands for mmarn_op_run too. */
typedef int32_t mmarn_form;
enum {
    MMARN_FORM_MM_ALL_REDUCE_ADD_RMS_NORM = 0,
    MMARN_FORM_MM_ALL_REDUCE = 1,
    MMARN_FORM_ALL_REDUCE_ADD_RMS_NORM = 2,
    MMARN_FORM_ADD_RMS_NORM = 3,
    MMARN_FORM_OP_MATMUL = 4,
    /* The last three use numerics of config, and of step x1 as `in` and mm_out as `out`; all else must be NULL. */
    MMARN_FORM_ALL_REDUCE = 5,
    MMARN_FORM_REDUCE_SCATTER = 6,
    MMARN_FORM_ALL_GATHER = 7
};

/*
 * Would this call be refused on this rank? Returns the status that the call would return, and sets the same sentence,
 * for everything except memory. It looks at no data, which may be NULL, compares no addresses, and packs, computes and
 * communicates nothing. It needs no group. It does not check what other ranks pass. If step is NULL, it checks config
 * as mmarn_op_create does. An operator that was made with config accepts the steps that mmarn_check accepts for
 * MMARN_FORM_MM_ALL_REDUCE_ADD_RMS_NORM, also if gamma is NULL.
 * Errors: NULL, ARGUMENT, UNSUPPORTED.
 */
MMARN_API mmarn_status mmarn_check(mmarn_form form, int32_t rank, int32_t world_size, const mmarn_op_config *config,
                                   const mmarn_step *step);

/* ------------------------------------------------------------------------------------- the parts alone */

/*
 * out = sum over ranks of in, element by element, in the operator's order and with its rounding (numerics).
 * in and out are contiguous and have the same shape and dtype; out may be in. Collective.
 * Errors: as mmarn_op_run.
 */
MMARN_API mmarn_status mmarn_all_reduce(mmarn_comm *comm, mmarn_numerics numerics, const mmarn_tensor *in,
                                        const mmarn_tensor *out);

/*
 * The same, but a rank gets its own rows of the sum (mmarn_shard): in is (rows, n) or (b, s, n), out is (its rows, n).
 * Vectors, (rows), are taken as (rows, 1). out must not overlap in. Collective. Errors: as mmarn_op_run.
 */
MMARN_API mmarn_status mmarn_reduce_scatter(mmarn_comm *comm, mmarn_numerics numerics, const mmarn_tensor *in,
                                            const mmarn_tensor *out);

/*
 * The reverse: every rank passes its own rows of out (mmarn_shard), and all ranks get all rows. in is (its rows, n),
 * out is (rows, n) or (b, s, n). Both are contiguous and have the same dtype, one of f16, bf16, f32, i8 and i32. in may
 * be this rank's rows of out. A vector, (rows), counts as (rows, 1). Collective. Errors: as mmarn_op_run.
 */
MMARN_API mmarn_status mmarn_all_gather(mmarn_comm *comm, const mmarn_tensor *in, const mmarn_tensor *out);

/*
 * The operator for a program with its own matmul: mm_out = all_reduce_sum(x1), then as above. x1's dtype is the output
 * dtype: f16, bf16 or f32. config->x2, bias and the scales must be NULL, and so must step->x1_scale and x3. gamma is
 * required. Collective. Errors: as mmarn_op_run.
 */
MMARN_API mmarn_status mmarn_all_reduce_add_rms_norm(mmarn_comm *comm, const mmarn_op_config *config,
                                                     const mmarn_step *step);

/*
 * Residual and norm alone, with x1 as mm_out, by this rank's threads. Local, without communication. The arguments are
 * those of mmarn_all_reduce_add_rms_norm, except that mm_out must be NULL and MMARN_SHARD_ROWS is refused, because the
 * rows are x1's. If comm is NULL, the calling thread does all the work.
 * Errors: NULL, ARGUMENT, UNSUPPORTED, FORKED, BUSY, MEMORY.
 */
MMARN_API mmarn_status mmarn_add_rms_norm(mmarn_comm *comm, const mmarn_op_config *config, const mmarn_step *step);

/* ---------------------------------------------------------------------------------------- quantisation words */

/*
 * Makes the 64-bit words that dequant_scale takes for f16 outputs, from fp32 scales and optional offsets. scale has
 * scale_count elements, and offset has offset_count; offset may be NULL with a count of 0. The counts are equal, or one
 * of them is 1. words receives as many words as the larger count. Word i:
 *   bits 13 .. 31  the upper 19 bits of the scale: truncated (round_mode 0) or rounded to nearest even (round_mode 1)
 *   bits 37 .. 45  the offset, rounded to nearest even and clamped to -256 .. 255, two's complement; else 0
 *   bit 46         1
 * Errors: NULL, ARGUMENT (counts, round_mode).
 */
MMARN_API mmarn_status mmarn_trans_quant_param(const float *scale, int64_t scale_count, const float *offset,
                                               int64_t offset_count, int32_t round_mode, uint64_t *words);

#ifdef __cplusplus
}
#endif
#endif
