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


def _packed_mm_all_reduce_add_rms_norm(x1, weight, residual, gamma, group, pack, bias=None, *_, **__):
    _check_axes("weight", weight, 2, 2)
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


# The operator that writes in place is made of the first one (_torch_effects.py).
_KERNELS = {
    "mm_all_reduce_add_rms_norm": _mm_all_reduce_add_rms_norm,
    "packed_mm_all_reduce_add_rms_norm": _packed_mm_all_reduce_add_rms_norm,
    "all_reduce": _all_reduce,
    "all_reduce_add_rms_norm": _all_reduce_add_rms_norm,
    "only_on_rank_0": _only_on_rank_0,
}


def kernel(name: str) -> Callable:
    """The kernel of the operator of that name, behind a look at the devices."""
    return on_one_device(getattr(torch.ops.mmarn, name).default, "group", _KERNELS[name])
