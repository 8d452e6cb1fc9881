# SPDX-License-Identifier: MIT
"""The operator: with weights that are packed once (Op), or in one call that keeps nothing; and its norm alone."""

from __future__ import annotations

from typing import Any, NamedTuple, Self

from mmarn import _core

__all__ = ["Op", "Outputs", "add_rms_norm", "mm_all_reduce", "mm_all_reduce_add_rms_norm"]


class Outputs(NamedTuple):
    """What a step was asked for; None for what it was not."""

    y: Any
    norm_out: Any
    mm_out: Any
    rstd: Any
    norm_scale: Any


class Op(_core.Op):
    """One rank's weights and options. Making one checks and packs them; it is local.

    x2: (k, n), contiguous or the transposed view of a contiguous (n, k) array; copied unless borrow_x2. k may differ
        from rank to rank, n not. With x2_dtype 'int4' it is int8 or uint8 and each byte holds two elements, the one
        with the lower index in the lower four bits: (k, n / 2), or the transpose of (n, k / 2).
    gamma: (n), of norm_out's dtype or float32; None for an Op without a norm, which only step can be asked of.
    gamma_plus_one: gamma stands for 1 + gamma, added in float32 (Gemma). norm_first: the norm before the residual,
        norm_out = norm(mm_out), y = norm_out + residual (OLMo 2, Gemma 2). shard_rows: each rank gives and gets its
        own rows of residual and the outputs (sequence parallelism; as torch.tensor_split deals them out). The last two
        are the same on all ranks.
    bias: (n). IT IS PART OF EACH RANK'S MATMUL: a bias that every rank passes is added world_size times. Pass it on one
        rank only, or set bias_once, with which it is added once, from rank 0.
    epsilon: above 0. reduce_op: 'sum'. comm_turn: 0.
    numerics: where results are rounded: 'default', 'ascend' or 'fp32'; the same on all ranks.
    strict: refuse whatever the original refuses, npu_mm_all_reduce_add_rms_norm of MindSpeed and CANN.
    borrow_x2: use x2 where it lies; the Op keeps it alive, and it must not be changed.
    dequant_scale: int8 x int8: (1), (n) or (1, n); int64 or uint64 words of trans_quant_param or float32 for float16
        outputs, bfloat16 or float32 for bfloat16, float32 for float32.
    antiquant_scale, antiquant_offset: int8 or int4 weights: (1), (n), (1, n), or (ceil(k / g), n) with any strides, g
        being antiquant_group_size, a multiple of 32; of x1's dtype.
    name: of all its calls, as in Group.all_reduce.

    Errors: ValueError, TypeError, MemoryError; RuntimeError in a forked child.
    """

    __slots__ = ("__weakref__",)

    def __new__(cls, group: _core.Group, x2: Any, gamma: Any, *, bias: Any = None, epsilon: float = 1e-6,
                reduce_op: str = "sum", comm_turn: int = 0, numerics: str = "default", bias_once: bool = False,
                strict: bool = False, borrow_x2: bool = False, dequant_scale: Any = None, antiquant_scale: Any = None,
                antiquant_offset: Any = None, antiquant_group_size: int = 0, x2_dtype: str | None = None,
                gamma_plus_one: bool = False, norm_first: bool = False, shard_rows: bool = False,
                name: str | None = None) -> Self:
        return super().__new__(cls, group, x2, gamma, bias, epsilon, reduce_op, comm_turn, numerics, bias_once, strict,
                               borrow_x2, dequant_scale, antiquant_scale, antiquant_offset, antiquant_group_size,
                               x2_dtype, gamma_plus_one, norm_first, shard_rows, name)

    def __call__(self, x1: Any, residual: Any, *, x1_scale: Any = None, y: Any = None,
                 norm_out: Any = None) -> tuple[Any, Any]:
        """One step. Collective. Returns (y, norm_out); what was not passed is new, of residual's framework.

        x1: (b, s, k) or (rows, k), contiguous. residual, y, norm_out: (b, s, n) or (rows, n), contiguous. norm_out is of
        x1's dtype (int8 x1: float16, bfloat16 or float32, as gamma and dequant_scale say); residual and y are of
        norm_out's dtype, or both float32. y may be residual. x1_scale: (rows), float32, for int8 x1: a scale for each
        row.

        Errors: ValueError and TypeError (an argument, here or on another rank; no output is touched), ConnectionError
        (a rank died or left), ConnectionAbortedError, TimeoutError, RuntimeError (another thread is inside a call on
        the group; a forked child), MemoryError. After a failed wait the group is of no more use.
        """
        return self.run(x1, residual, x1_scale, y, norm_out)

    def step(self, x1: Any, residual: Any = None, *, x1_scale: Any = None, x3: Any = None, y: Any = None,
             norm_out: Any = None, mm_out: Any = None, rstd: Any = None, norm_scale: Any = None) -> Outputs:
        """One step with the outputs that are asked for, one at least: each is True for a new array, or the array to
        write; None is not wanted. Collective. Returns all five, None for what was not wanted.

        x1, x1_scale, residual, y, norm_out: as in a call of the Op. residual None: y is mm_out (with norm_first,
            norm_out). norm_out 'int8': a new one in int8 with its norm_scale.
        x3: (b, s, n) or (rows, n), of the outputs' dtype or float32; added to this rank's x1 @ x2 + bias.
        mm_out: the sum over the ranks, in the outputs' dtype. rstd: (rows), float32, 1 / rms of what is normalised.
        norm_scale: (rows), float32, with an int8 norm_out, which is round(norm_out / norm_scale): the next layer's
            int8 x1 and its x1_scale.

        Errors: as calling it.
        """
        return Outputs(*self.run_step(x1, residual, x1_scale, x3, y, norm_out, mm_out, rstd, norm_scale))

    def matmul(self, x1: Any, out: Any = None, *, x1_scale: Any = None) -> Any:
        """This rank's own x1 @ x2 + bias in float32, before any rounding; local. out: None, or (..., n) float32."""
        return self.run_matmul(x1, x1_scale, out)

    def describe(self, rows: int) -> dict[str, str | int]:
        """How the library does a step of so many rows: kernel, multiply, layout, algorithm, why, weight_bytes,
        owned_bytes, block_rows, tile_columns, tiles (mmarn.h, mmarn_op_description).
        """
        return self.run_describe(rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def mm_all_reduce_add_rms_norm(x1: Any, x2: Any, residual: Any, gamma: Any, group: _core.Group | str, *,
                               bias: Any = None, epsilon: float = 1e-6, reduce_op: str = "sum", comm_turn: int = 0,
                               numerics: str = "default", bias_once: bool = False, strict: bool = False,
                               dequant_scale: Any = None, antiquant_scale: Any = None, antiquant_offset: Any = None,
                               antiquant_group_size: int = 0, x2_dtype: str | None = None, x1_scale: Any = None,
                               y: Any = None, norm_out: Any = None, name: str | None = None) -> tuple[Any, Any]:
    """The whole operator in one call: x2 is read where it lies and nothing is kept. Collective.

    group is a Group or its name; the other arguments and the errors are those of Op and of calling one. Returns
    (y, norm_out).
    """
    return _core.mm_all_reduce_add_rms_norm(group, x1, residual, x1_scale, y, norm_out, x2, gamma, bias, epsilon,
                                            reduce_op, comm_turn, numerics, bias_once, strict, True, dequant_scale,
                                            antiquant_scale, antiquant_offset, antiquant_group_size, x2_dtype, False,
                                            False, False, name)


def mm_all_reduce(x1: Any, x2: Any, group: _core.Group | str, *, bias: Any = None, x3: Any = None,
                  numerics: str = "default", bias_once: bool = False, dequant_scale: Any = None,
                  antiquant_scale: Any = None, antiquant_offset: Any = None, antiquant_group_size: int = 0,
                  x2_dtype: str | None = None, x1_scale: Any = None, shard_rows: bool = False, out: Any = None,
                  name: str | None = None) -> Any:
    """The matmul and the all-reduce alone: out = sum over ranks of (x1 @ x2 + bias + x3), rounded to the outputs' dtype.

    Collective; nothing is kept. With shard_rows a rank gets its own rows of it, (rows, n): a reduce-scatter. The
    arguments and errors are those of Op and Op.step; out None is a new array of x1's framework.
    """
    return _core.mm_all_reduce(group, x1, x1_scale, x3, out, x2, None, bias, 1e-6, "sum", 0, numerics, bias_once, False,
                               True, dequant_scale, antiquant_scale, antiquant_offset, antiquant_group_size, x2_dtype,
                               False, False, shard_rows, name)


def add_rms_norm(x: Any, gamma: Any, residual: Any = None, *, group: _core.Group | str | None = None,
                 epsilon: float = 1e-6, numerics: str = "default", gamma_plus_one: bool = False,
                 norm_first: bool = False, y: Any = None, norm_out: Any = True, rstd: Any = None,
                 norm_scale: Any = None) -> Outputs:
    """Residual and RMSNorm alone, by this rank's threads; local. Without a group the calling thread does it.

    y = x + residual, norm_out = y / rms(y) * gamma, as in Op.step, whose outputs these are; x is (b, s, n) or (rows, n),
    float16, bfloat16 or float32.

    Errors: ValueError, TypeError, MemoryError.
    """
    return Outputs(*_core.add_rms_norm(group, x, residual, gamma, epsilon, numerics, gamma_plus_one, norm_first, False, y,
                                       norm_out, None, rstd, norm_scale))
