# SPDX-License-Identifier: MIT
"""What the operators' results look like, from shapes alone: for the compiler's fake tensors and for meta tensors.

Ranks and sizes that cannot be right are refused with the library's own sentences, so that a model tried on meta, or a
graph while it is compiled, fails where the mistake is. Everything else is checked when it runs. The comparisons go
through torch._check_value, because sizes may be symbols.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable

import torch
from torch import Tensor

import mmarn
from mmarn._torch_gate import on_one_device


_HALVES = (torch.float16, torch.bfloat16)


def _check_axes(name: str, tensor: Tensor, least: int, most: int) -> None:
    if not least <= tensor.dim() <= most:
        bounds = f"{least}" if least == most else f"{least} to {most}"
        raise ValueError(f"{name} has {tensor.dim()} axes; it must have {bounds}")


def _check_vector(name: str, tensor: Tensor | None, n: int, source: str) -> None:
    if tensor is not None:
        _check_axes(name, tensor, 1, 1)
        torch._check_value(tensor.shape[0] == n, lambda: f"{name} is {tuple(tensor.shape)} but {source} is {n}")


def _check_matmul(x1: Tensor, x2: Tensor, residual: Tensor, gamma: Tensor, bias: Tensor | None) -> None:
    for name, tensor, least, most in (("x1", x1, 2, 3), ("x2", x2, 2, 2), ("residual", residual, 2, 3)):
        _check_axes(name, tensor, least, most)
    k, n = x2.shape
    torch._check_value(x1.shape[-1] == k, lambda: f"x2 is {tuple(x2.shape)} but x1's last axis is {x1.shape[-1]}")
    _check_vector("gamma", gamma, n, "x2's last axis")
    _check_vector("bias", bias, n, "x2's last axis")
    torch._check_value(
        residual.shape[-1] == n, lambda: f"residual is {tuple(residual.shape)} but x2's last axis is {n}")
    rows, wanted = math.prod(residual.shape[:-1]), math.prod(x1.shape[:-1])
    torch._check_value(rows == wanted, lambda: f"residual is {tuple(residual.shape)}, which has {rows} rows, "
                                               f"but x1 is {tuple(x1.shape)}, which has {wanted}")


def _like(tensor: Tensor) -> Tensor:
    return tensor.new_empty(tensor.shape)  # contiguous, whatever the tensor's strides are


def _outputs(x1: Tensor, residual: Tensor, gamma: Tensor, dequant_scale: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """(y, norm_out): both as residual, but norm_out of x1's type, or of the weights', beside a residual in fp32."""
    dtype = residual.dtype
    if dtype == torch.float32 and x1.dtype in _HALVES:
        dtype = x1.dtype
    elif dtype == torch.float32 and x1.dtype == torch.int8:
        scale = None if dequant_scale is None else dequant_scale.dtype
        words = torch.float16 if scale in (torch.int64, torch.uint64) else None
        dtype = gamma.dtype if gamma.dtype in _HALVES else words or (scale if scale in _HALVES else dtype)
    return _like(residual), residual.new_empty(residual.shape, dtype=dtype)


def _mm_all_reduce_add_rms_norm(x1, x2, residual, gamma, group, bias=None, dequant_scale=None, *_, x2_dtype=None, **__):
    if x2_dtype is None:  # else the shape of x2 may count bytes
        _check_matmul(x1, x2, residual, gamma, bias)
    return _outputs(x1, residual, gamma, dequant_scale)


def _packed_mm_all_reduce_add_rms_norm(x1, weight, residual, gamma, group, pack, bias=None, *_, x2_dtype=None, **__):
    _check_axes("weight", weight, 2, 2)
    if x2_dtype is None:  # else the shape of weight counts bytes
        _check_matmul(x1, weight.t(), residual, gamma, bias)
    return _outputs(x1, residual, gamma)


def _all_reduce_add_rms_norm(x, residual, gamma, *_, **__):
    _check_axes("x", x, 2, 3)
    _check_vector("gamma", gamma, x.shape[-1], "x's last axis")
    for same in (x.dim() == residual.dim(), *map(operator.eq, x.shape, residual.shape)):
        torch._check_value(same, lambda: f"residual is {tuple(residual.shape)} but x is {tuple(x.shape)}")
    return _outputs(x, residual, gamma)


def _all_reduce(x, *_, **__):
    return _like(x)


def _only_on_rank_0(x, *_):
    return torch.empty_like(x)


def _own_rows(rows: int, group: str, what: str) -> int:
    """Of this rank. A compiled graph may serve other ranks, from a cache that they share, so none is made of these."""
    if torch.compiler.is_compiling():
        raise RuntimeError(f"{what} gives each rank rows of its own number, so it cannot be compiled; call it outside")
    member = mmarn.find_group(group)
    return rows // member.world_size + (member.rank < rows % member.world_size)


def _product(x1, x2, group, x2_dtype, shard_rows, what) -> tuple[list[int], int]:
    """The shape of x1 @ x2 on this rank, and its rows."""
    n = x2.shape[-1]
    if x2_dtype == "int4" and x2.stride()[-1] == 1 and x2.stride() != (1, x2.shape[0]):
        n = 2 * n  # bytes hold neighbours of the last axis
    _check_axes("x1", x1, 2, 3)
    _check_axes("x2", x2, 2, 2)
    if x2_dtype is None:
        torch._check_value(x1.shape[-1] == x2.shape[0],
                           lambda: f"x2 is {tuple(x2.shape)} but x1's last axis is {x1.shape[-1]}")
    rows = math.prod(x1.shape[:-1])
    if not shard_rows:
        return [*x1.shape[:-1], n], rows
    rows = _own_rows(rows, group, what)
    return [rows, n], rows


def _product_dtype(x1: Tensor, dequant_scale: Tensor | None, gamma: Tensor | None = None) -> torch.dtype:
    if x1.dtype != torch.int8:
        return x1.dtype
    if gamma is not None and gamma.dtype in _HALVES:
        return gamma.dtype
    scale = None if dequant_scale is None else dequant_scale.dtype
    return torch.float16 if scale in (torch.int64, torch.uint64) else scale if scale in _HALVES else torch.float32


def _mm_all_reduce(x1, x2, group, bias=None, x3=None, dequant_scale=None, *_, x2_dtype=None, shard_rows=False, **__):
    shape, _rows = _product(x1, x2, group, x2_dtype, shard_rows, "mmarn::mm_all_reduce with shard_rows")
    _check_vector("bias", bias, shape[-1], "x2's last axis")
    return x1.new_empty(shape, dtype=_product_dtype(x1, dequant_scale))


def _step(x1, x2, gamma, group, residual=None, bias=None, x3=None, dequant_scale=None, *_, x2_dtype=None,
          shard_rows=False, quantised=False, **__):
    what = "mmarn::mm_all_reduce_add_rms_norm_step with shard_rows"
    shape, rows = _product(x1, x2, group, x2_dtype, shard_rows, what)
    _check_vector("gamma", gamma, shape[-1], "x2's last axis")
    _check_vector("bias", bias, shape[-1], "x2's last axis")
    dtype = _product_dtype(x1, dequant_scale, gamma)
    if residual is not None:
        torch._check_value(residual.shape[-1] == shape[-1], lambda: f"residual is {tuple(residual.shape)} but x2's last "
                                                                    f"axis is {shape[-1]}")
        torch._check_value(math.prod(residual.shape[:-1]) == rows,
                           lambda: f"residual is {tuple(residual.shape)}, but it must have {rows} rows")
        shape = residual.shape
        if x1.dtype == torch.int8 and dtype == torch.float32:
            dtype = residual.dtype
    y = x1.new_empty(shape, dtype=dtype if residual is None else residual.dtype)
    return (y, x1.new_empty(shape, dtype=torch.int8 if quantised else dtype), x1.new_empty(shape, dtype=dtype),
            x1.new_empty([rows], dtype=torch.float32), x1.new_empty([rows if quantised else 0], dtype=torch.float32))


def _add_rms_norm(x, gamma, residual=None, *_, **__):
    _check_axes("x", x, 2, 3)
    _check_vector("gamma", gamma, x.shape[-1], "x's last axis")
    if residual is not None:
        for same in (x.dim() == residual.dim(), *map(operator.eq, x.shape, residual.shape)):
            torch._check_value(same, lambda: f"residual is {tuple(residual.shape)} but x is {tuple(x.shape)}")
    y = _like(x if residual is None else residual)
    return y, _like(x), x.new_empty([math.prod(x.shape[:-1])], dtype=torch.float32)


def _reduce_scatter(x, group, *_, **__):
    rows = _own_rows(math.prod(x.shape[:-1]), group, "mmarn::reduce_scatter")
    return x.new_empty([rows, x.shape[-1]])


def _all_gather(x, rows, *_, **__):
    return x.new_empty([rows] if x.dim() == 1 else [rows, x.shape[-1]])


# The operator that writes in place is made of the first one (_torch_effects.py).
_KERNELS = {
    "mm_all_reduce_add_rms_norm": _mm_all_reduce_add_rms_norm,
    "packed_mm_all_reduce_add_rms_norm": _packed_mm_all_reduce_add_rms_norm,
    "all_reduce": _all_reduce,
    "all_reduce_add_rms_norm": _all_reduce_add_rms_norm,
    "only_on_rank_0": _only_on_rank_0,
    "mm_all_reduce": _mm_all_reduce,
    "mm_all_reduce_add_rms_norm_step": _step,
    "add_rms_norm": _add_rms_norm,
    "reduce_scatter": _reduce_scatter,
    "all_gather": _all_gather,
}


def kernel(name: str) -> Callable:
    """The kernel of the operator of that name, behind a look at the devices."""
    kernel_of = _KERNELS[name]
    if name == "add_rms_norm":  # no group, whose other ranks might wait
        return kernel_of
    return on_one_device(getattr(torch.ops.mmarn, name).default, "group", kernel_of)
