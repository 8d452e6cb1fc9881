"""The operator: with weights that are packed once (Op), or in one call that keeps nothing."""

from __future__ import annotations

from typing import Any, Self

from mmarn import _core

__all__ = ["Op", "mm_all_reduce_add_rms_norm"]


class Op(_core.Op):
    """One rank's weights and options. Making one checks and packs them; it is local.

    x2: (k, n), contiguous or the transposed view of a contiguous (n, k) array; copied unless borrow_x2. k may differ
        from rank to rank, n not. With x2_dtype 'int4' it is int8 or uint8 and each byte holds two elements, the one
        with the lower index in the lower four bits: (k, n / 2), or the transpose of (n, k / 2).
    gamma: (n), of norm_out's dtype or float32.
    bias: (n). IT IS PART OF EACH RANK'S MATMUL: a bias that every rank passes is added world_size times. Pass it on one
        rank only, or set bias_once, with which it is added once, from rank 0.
    epsilon: above 0. reduce_op: 'sum'. comm_turn: 0.
    numerics: where is rounded: 'default', 'ascend' or 'fp32'; the same on all ranks.
    strict: refuse whatever the specification's own implementation refuses.
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
                name: str | None = None) -> Self:
        return super().__new__(cls, group, x2, gamma, bias, epsilon, reduce_op, comm_turn, numerics, bias_once, strict,
                               borrow_x2, dequant_scale, antiquant_scale, antiquant_offset, antiquant_group_size,
                               x2_dtype, name)

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

    def matmul(self, x1: Any, out: Any = None) -> Any:
        """This rank's own x1 @ x2 + bias in float32, before any rounding; local. out: None, or (..., n) float32."""
        return super().matmul(x1, out)

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
                                            antiquant_scale, antiquant_offset, antiquant_group_size, x2_dtype, name)
