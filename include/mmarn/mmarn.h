/*
 * mmarn.h - the C interface of libmmarn: matmul, all-reduce, residual and RMSNorm in one step, and their parts. It
 * brings with it mmarn_types.h (statuses, dtypes, tensors, diagnostics) and mmarn_group.h (joining a group of ranks).
 *
 *     mm_out   = sum over ranks of (x1 @ x2 + bias + x3)
 *     y        = mm_out + residual
 *     norm_out = y / sqrt(mean(y * y) + epsilon) * gamma            (mean over the last axis, n)
 *
 * This is npu_mm_all_reduce_add_rms_norm of MindSpeed and CANN for ordinary processors; mmarn_ascend.h has what belongs
 * to that original alone. x1 is (b, s, k) or (rows, k), x2 is (k, n), residual, y, norm_out, mm_out and x3 are (b, s,
 * n) or (rows, n), gamma and bias are (n). Every rank of a group passes its own x1 and x2 (its slice of k) and gets the
 * whole of the outputs, or its own rows of them.
 *
 * Conventions
 *   - A function returns MMARN_OK (0) or a negative mmarn_status. mmarn_last_error() then holds one sentence,
 *     for the calling thread, that names the argument and both values.
 *   - Bad arguments are refused before anything is computed: no output is touched. When a call fails after it has
 *     started (a peer died, the deadline passed, the group was aborted), the contents of its outputs are unspecified.
 *   - Tensors are borrowed: the library keeps no pointer after a call returns, except the ones that
 *     mmarn_op_create documents.
 *   - "Collective" functions must be called by every rank of the group, in the same order. Each rank counts its calls,
 *     also refused and empty ones, and calls of the same number meet; a MISMATCH tells the number. Not counted are
 *     calls without a usable handle (NULL, FORKED) and in the middle of another one (BUSY).
 *   - Results do not depend on the calling thread's floating-point environment (rounding, flush-to-zero, traps), and a
 *     call leaves it as it was, exception flags included. Functions of the caller's are called in it.
 *   - Structs that grow begin with struct_size; start from the _INIT macro or the _init function, and set what
 *     differs. A call takes an older caller's shorter struct, and a newer caller's longer one whose further bytes are
 *     zero (UNSUPPORTED otherwise); a struct_size below the first form's, above 4096 or not a multiple of 8 is an
 *     ARGUMENT, and nothing beyond it is read (docs/compatibility.md).
 *   - NULL never crashes a function: it returns MMARN_ERR_NULL, or does what its own lines say.
 *   - Statuses, dtypes and modes are int32_t, so that their size is the same for every compiler and language.
 *   - A thread that calls the library must have 96 KiB of stack left.
 *   - Nothing here aborts, exits or prints, and nothing is inline, so any foreign-function interface can call it.
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
    /* Use x2 where it lies instead of packing a copy; it must then outlive the operator, unchanged. */
    MMARN_BORROW_X2 = 1,
    /* gamma stands for 1 + gamma, added in fp32: the weights of Gemma's and other models' norms. */
    MMARN_GAMMA_PLUS_ONE = 2,
    /* Add bias once, from rank 0, instead of once for every rank that passes one. */
    MMARN_BIAS_ONCE = 4,
    /* The norm before the residual: norm_out = norm(mm_out), y = norm_out + residual (OLMo 2, Gemma 2). */
    MMARN_NORM_FIRST = 8,
    /* Sequence parallelism: every rank gives and gets its own rows alone of residual and of the outputs (mmarn_shard).
     */
    MMARN_SHARD_ROWS = 16
};

/* See mmarn_ascend.h. */
struct mmarn_ascend_options;

/*
 * The weights and options of one operator, in one of three scenarios, told apart by the dtypes of x1 and x2:
 *
 *   x1            x2        bias    scales                                         norm_out
 *   f16 bf16 f32  the same  same    none                                           x1's
 *   i8            i8        i32     dequant_scale                                  f16, bf16 or f32
 *   f16 bf16 f32  i8 or i4  x1's    antiquant_scale, antiquant_offset if wanted    x1's
 *
 * The dtype in the last column is called the output dtype below. gamma is of it, or f32; residual and y are both of it,
 * or both f32 (a residual stream that is kept in fp32). mm_out is rounded to it (but in MMARN_NUMERICS_FP32) before the
 * residual is added.
 *
 * int8 x int8: int32 accumulators, bias added to them (modulo 2^32), then times dequant_scale, in fp32:
 *   f16 output   dequant_scale is I64 or U64, words of mmarn_trans_quant_param: only bits 13 to 31 are used; or F32
 *   bf16 output  dequant_scale is BF16, or F32
 *   f32 output   dequant_scale is F32
 * Where dequant_scale is f32 and gamma f32 or NULL, each step chooses: the output dtype is that of its norm_out; where
 * that is NULL or i8, that of its mm_out; else that of its y.
 * Quantised weights are expanded to x1's type as (x2 + antiquant_offset) * antiquant_scale, in this order; rounded to
 * f16 after each step, to bf16 once at the end.
 *
 * BIAS IS PART OF EACH RANK'S MATMUL: it is summed over the ranks, so a bias that every rank passes is added
 * world_size times. Pass it on one rank only, or set MMARN_BIAS_ONCE.
 */
typedef struct mmarn_op_config {
    size_t struct_size;
    const mmarn_tensor *x2;    /* (k, n): contiguous, or the transposed view of a contiguous (n, k) array */
    const mmarn_tensor *gamma; /* (n), of the output dtype or f32; NULL: an operator without a norm */
    const mmarn_tensor *bias;  /* NULL, or (n) */
    double epsilon;            /* > 0 and finite; narrowed to fp32. The original's own default is 1e-6 */
    mmarn_numerics numerics;
    uint32_t flags; /* MMARN_BORROW_X2 | ... */

    const mmarn_tensor *dequant_scale;   /* int8 x int8: (1), (n) or (1, n) */
    const mmarn_tensor *antiquant_scale; /* quantised weights, x1's dtype: (1), (n), (1, n) or (ceil(k / g), n) with any
                                            strides, g being antiquant_group_size */
    const mmarn_tensor *antiquant_offset; /* NULL, or antiquant_scale's shape and dtype */
    int64_t antiquant_group_size; /* 0: no groups; else g, a multiple of 32 from 32 to k - 1: rows of x2 that share
                                     a scale; the last group may be short */
    const struct mmarn_ascend_options *ascend; /* NULL, or the original's own options */
} mmarn_op_config;

#define MMARN_OP_CONFIG_INIT                                                                                           \
    {sizeof(mmarn_op_config), NULL, NULL, NULL, 1e-6, MMARN_NUMERICS_DEFAULT, 0, NULL, NULL, NULL, 0, NULL}

/* MMARN_OP_CONFIG_INIT as a function, as mmarn_comm_config_init. */
MMARN_API mmarn_status mmarn_op_config_init(mmarn_op_config *config, size_t struct_size);

/*
 * The tensors of one step; all are contiguous, and all but x1 may be NULL. One output at least must be given. Outputs
 * and residual are of one shape, (b, s, n) or (rows, n), b * s being x1's leading sizes; with MMARN_SHARD_ROWS
 * (rows, n), the rows being this rank's own (mmarn_shard). D is the output dtype (mmarn_op_config).
 *
 * residual and gamma are this rank's own and are applied after the all-reduce: ranks that pass different ones get
 * different outputs. mm_out has the same bits on every rank, whichever outputs are asked for.
 * An output must not overlap anything else, but for y, which may be residual; and where there is no x2, and rows are
 * not dealt out, mm_out, y or norm_out may be x1.
 */
typedef struct mmarn_step {
    size_t struct_size;
    const mmarn_tensor *x1;       /* (rows, k) or (b, s, k); where there is no x2, (rows, n) or (b, s, n) */
    const mmarn_tensor *residual; /* D, or f32. NULL: y is mm_out, or norm_out with MMARN_NORM_FIRST */
    const mmarn_tensor *y;        /* residual's dtype; without residual D or f32 */
    const mmarn_tensor *norm_out; /* D; or i8, with norm_scale */

    const mmarn_tensor *x1_scale; /* int8 x1: (rows), f32. A partial is multiplied by its row's scale after
                                     dequant_scale, in fp32 */
    const mmarn_tensor *x3;     /* (b, s, n) or (rows, n), D or f32: added to this rank's x1 @ x2 + bias, so that it is
                                   summed over the ranks too */
    const mmarn_tensor *mm_out; /* D: the sum */
    const mmarn_tensor *rstd;   /* (rows), f32: 1 / sqrt(mean(y * y) + epsilon) */
    const mmarn_tensor *norm_scale; /* (rows), f32: norm_out as i8 is round(v / norm_scale), v being what it is in D and
                                       norm_scale the row's largest |v| / 127; a row with an infinity or a NaN has
                                       that for its scale, and zeros */
} mmarn_step;

#define MMARN_STEP_INIT {sizeof(mmarn_step), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL}

/* MMARN_STEP_INIT as a function, as mmarn_comm_config_init. */
MMARN_API mmarn_status mmarn_step_init(mmarn_step *step, size_t struct_size);

/*
 * A rank's own rows of `rows`, as torch.tensor_split deals them out: rows / world_size each, the first
 * rows % world_size ranks one more. Errors: NULL, ARGUMENT (a negative number of rows, no such rank).
 */
MMARN_API mmarn_status mmarn_shard(int64_t rows, int32_t rank, int32_t world_size, int64_t *first, int64_t *count);

typedef struct mmarn_op mmarn_op;

/*
 * Checks and packs one rank's weights; local, no communication. x2 is copied into the kernel's layout (about
 * k * n elements) unless MMARN_BORROW_X2 is set; gamma and bias are copied. k may differ from rank to rank, n not.
 * On success *op is the caller's, to be given to mmarn_op_destroy before its group is destroyed.
 * Errors: NULL, ARGUMENT, UNSUPPORTED, MEMORY, FORKED.
 */
MMARN_API mmarn_status mmarn_op_create(mmarn_comm *comm, const mmarn_op_config *config, mmarn_op **op);

/*
 * One step of the operator. Collective. With b * s = 0 or n = 0: success, nothing is done and nothing communicated.
 * k = 0 is refused. A step that has nowhere to keep what a norm must read twice takes memory for it while it runs:
 * rows * n elements where y is NULL and norm_out i8 or of another dtype than residual, or where, with
 * MMARN_NORM_FIRST, neither mm_out nor norm_out is given in D and y is residual; and one row for each thread where
 * norm_out is i8 or NULL.
 * Errors: NULL, ARGUMENT, UNSUPPORTED, MISMATCH, PEER, TIMEOUT, ABORTED, FORKED, BUSY, MEMORY.
 */
MMARN_API mmarn_status mmarn_op_run(mmarn_op *op, const mmarn_step *step);

/*
 * This rank's own matmul alone: mm_out = x1 @ x2 + bias, fp32, before any rounding; local, no communication.
 * Uses x1, x1_scale and mm_out of the step, which is f32 here and has all of x1's rows; the others must be NULL.
 * Errors: NULL, ARGUMENT, UNSUPPORTED, FORKED, BUSY, MEMORY.
 */
MMARN_API mmarn_status mmarn_op_matmul(mmarn_op *op, const mmarn_step *step);

/* How an operator does a step. The texts are the library's own, but for `why`, and stay. */
typedef struct mmarn_op_description {
    size_t struct_size;
    const char *kernel;    /* what multiplies: "avx512", "avx512bf16", ..., as mmarn_describe names them */
    const char *multiply;  /* what its multiply-adds are made of: "fp32", "bf16" or "int8". Of "bf16", pieces that have
                              numbers near the subnormal ones go by fp32 all the same */
    const char *layout;    /* where x2 lies: "packed", or, borrowed, "kn", or "nk" for its transpose */
    const char *algorithm; /* "one-shot": every rank sums for itself; "owner": each tile has one, who sums for all */
    int64_t weight_bytes;  /* of x2 as it lies: a step reads them, once for every block_rows of its rows */
    int64_t owned_bytes;   /* memory of the operator's own */
    int64_t block_rows, tile_columns, tiles; /* how a step's outputs are cut (docs/design.md) */
    char why[192];                           /* that algorithm, in one sentence */
} mmarn_op_description;

#define MMARN_OP_DESCRIPTION_INIT {sizeof(mmarn_op_description), "", "", "", "", 0, 0, 0, 0, 0, ""}

/* MMARN_OP_DESCRIPTION_INIT as a function, as mmarn_comm_config_init. */
MMARN_API mmarn_status mmarn_op_description_init(mmarn_op_description *description, size_t struct_size);

/*
 * Describes a step of so many rows, at least 1; local. Fills *description, whose struct_size the caller has set.
 * Errors: NULL, ARGUMENT (rows, struct_size), UNSUPPORTED (struct_size), FORKED.
 */
MMARN_API mmarn_status mmarn_op_describe(const mmarn_op *op, int64_t rows, mmarn_op_description *description);

/* Frees the operator. NULL is ignored. */
MMARN_API void mmarn_op_destroy(mmarn_op *op);

/* ------------------------------------------------------------------------------------------- in one call */

/*
 * mmarn_op_create with MMARN_BORROW_X2, mmarn_op_run and mmarn_op_destroy in one; nothing is kept.
 * Collective. Errors: as mmarn_op_run.
 */
MMARN_API mmarn_status mmarn_mm_all_reduce_add_rms_norm(mmarn_comm *comm, const mmarn_op_config *config,
                                                        const mmarn_step *step);

/*
 * The matmul and the all-reduce alone: mm_out = sum over ranks of (x1 @ x2 + bias + x3), rounded to the output dtype;
 * with MMARN_SHARD_ROWS a matmul and a reduce-scatter. gamma, residual, y, norm_out, rstd and norm_scale must be NULL.
 * Collective. Errors: as mmarn_op_run.
 */
MMARN_API mmarn_status mmarn_mm_all_reduce(mmarn_comm *comm, const mmarn_op_config *config, const mmarn_step *step);

/* ------------------------------------------------------------------------------------------- before a call */

/* What mmarn_check asks about: the function of that name. MMARN_FORM_MM_ALL_REDUCE_ADD_RMS_NORM is mmarn_op_run too. */
typedef int32_t mmarn_form;
enum {
    MMARN_FORM_MM_ALL_REDUCE_ADD_RMS_NORM = 0,
    MMARN_FORM_MM_ALL_REDUCE = 1,
    MMARN_FORM_ALL_REDUCE_ADD_RMS_NORM = 2,
    MMARN_FORM_ADD_RMS_NORM = 3,
    MMARN_FORM_OP_MATMUL = 4,
    MMARN_FORM_ALL_REDUCE = 5, /* of config numerics only, of step x1 as in and mm_out as out; NULL are the others */
    MMARN_FORM_REDUCE_SCATTER = 6, /* likewise */
    MMARN_FORM_ALL_GATHER = 7      /* likewise */
};

/*
 * Would this call be refused on this rank? Gives the status and the sentence that the call would give, for everything
 * but memory: no data is looked at, and may be NULL, no address is compared, nothing is packed, computed or
 * communicated, and no group is needed. What other ranks pass is theirs to check. step may be NULL: then config is
 * checked as mmarn_op_create does it. An operator that has been made with config takes what mmarn_check takes for
 * MMARN_FORM_MM_ALL_REDUCE_ADD_RMS_NORM, also where gamma is NULL.
 * Errors: NULL, ARGUMENT, UNSUPPORTED.
 */
MMARN_API mmarn_status mmarn_check(mmarn_form form, int32_t rank, int32_t world_size, const mmarn_op_config *config,
                                   const mmarn_step *step);

/* ------------------------------------------------------------------------------------- the parts alone */

/*
 * out = sum over ranks of in, element by element, with the operator's own order and rounding (numerics).
 * in and out are contiguous and of one shape and dtype; out may be in. Collective.
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
 * The other way: every rank gives its own rows of out (mmarn_shard), and all get all of them. in is (its rows, n), out
 * is (rows, n) or (b, s, n), both contiguous and of one dtype, one of f16, bf16, f32, i8 and i32. in may be where its
 * rows of out lie. Vectors, (rows), are taken as (rows, 1). Collective. Errors: as mmarn_op_run.
 */
MMARN_API mmarn_status mmarn_all_gather(mmarn_comm *comm, const mmarn_tensor *in, const mmarn_tensor *out);

/*
 * The operator for an engine with a matmul of its own: mm_out = all_reduce_sum(x1), then as above. x1's dtype is the
 * output dtype: f16, bf16 or f32. config->x2, bias and the scales must be NULL, as must step->x1_scale and x3; gamma is
 * required. Collective. Errors: as mmarn_op_run.
 */
MMARN_API mmarn_status mmarn_all_reduce_add_rms_norm(mmarn_comm *comm, const mmarn_op_config *config,
                                                     const mmarn_step *step);

/*
 * Residual and norm alone, by this rank's threads, of x1 as mm_out; local, no communication. Arguments as those of
 * mmarn_all_reduce_add_rms_norm, but mm_out must be NULL, and MMARN_SHARD_ROWS is refused: rows are x1's. comm may be
 * NULL: then the calling thread does all of it.
 * Errors: NULL, ARGUMENT, UNSUPPORTED, FORKED, BUSY, MEMORY.
 */
MMARN_API mmarn_status mmarn_add_rms_norm(mmarn_comm *comm, const mmarn_op_config *config, const mmarn_step *step);

/* ---------------------------------------------------------------------------------------- quantisation words */

/*
 * Makes the 64-bit words that dequant_scale takes for f16 outputs from fp32 scales and, optionally, offsets.
 * scale has scale_count elements, offset (may be NULL with a count of 0) offset_count; counts are equal, or one of them
 * is 1. words receives the larger count. Word i:
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
