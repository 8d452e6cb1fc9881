"""What the operators' results look like, from shapes alone: for the compiler's fake tensors and for meta tensors.

Torch runs the kernel of the highest dispatch key among a call's tensors, and meta's is higher than the CPU's: one meta
tensor among CPU tensors leads here, to results that nobody writes. So all devices are looked at, and a mixture is
refused; as when the library refuses a call, the other ranks hear of it.

Ranks and sizes that cannot be right are refused with the library's own sentences, so that a model tried on meta, or a
graph while it is compiled, fails where the mistake is. Everything else is checked when it runs. The comparisons go
through torch._check_value, because sizes may be symbols.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch._subclasses import FakeTensor

import mmarn
from mmarn._torch_gate import telling_peers


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


def _mm_all_reduce_add_rms_norm_(x1, x2, residual, gamma, group, bias=None, *_, x2_dtype=None, **__):
    if x2_dtype is None:  # else the shape of x2 may count bytes
        _check_matmul(x1, x2, residual, gamma, bias)
    return _like(residual)


def _mm_all_reduce_add_rms_norm(x1, x2, residual, *args, **options):
    return _like(residual), _mm_all_reduce_add_rms_norm_(x1, x2, residual, *args, **options)


def _packed_mm_all_reduce_add_rms_norm(x1, weight, residual, gamma, group, pack, bias=None, *_, **__):
    _check_axes("weight", weight, 2, 2)
    _check_matmul(x1, weight.t(), residual, gamma, bias)
    return _like(residual), _like(residual)


def _all_reduce_add_rms_norm(x, residual, gamma, *_, **__):
    _check_axes("x", x, 2, 3)
    _check_vector("gamma", gamma, x.shape[-1], "x's last axis")
    for same in (x.dim() == residual.dim(), *map(operator.eq, x.shape, residual.shape)):
        torch._check_value(same, lambda: f"residual is {tuple(residual.shape)} but x is {tuple(x.shape)}")
    return _like(residual), _like(residual)


def _all_reduce(x, *_, **__):
    return _like(x)


def _only_on_rank_0(x, *_):
    return torch.empty_like(x)


_KERNELS = {
    "mm_all_reduce_add_rms_norm": _mm_all_reduce_add_rms_norm,
    "mm_all_reduce_add_rms_norm_": _mm_all_reduce_add_rms_norm_,
    "packed_mm_all_reduce_add_rms_norm": _packed_mm_all_reduce_add_rms_norm,
    "all_reduce": _all_reduce,
    "all_reduce_add_rms_norm": _all_reduce_add_rms_norm,
    "only_on_rank_0": _only_on_rank_0,
}


def refuse(group: str, tensors: Iterable[Tensor], sentence: str) -> None:
    """Raises RuntimeError, as torch's own for devices that do not fit. The other ranks, which may wait in the call that
    is refused here, hear of it, but not while a compiler or fake mode tries the call.
    """
    error = RuntimeError(sentence)
    if torch.compiler.is_compiling() or any(isinstance(tensor, FakeTensor) for tensor in tensors):
        raise error
    with telling_peers(mmarn.find_group(group)):
        raise error


def _refuse_mixed(group: str, tensors: dict[str, Tensor]) -> None:
    on_meta = next((name for name, tensor in tensors.items() if tensor.is_meta), None)
    other = next((name for name, tensor in tensors.items() if not tensor.is_meta), None)
    if on_meta and other:
        sentence = f"{on_meta} is on meta, but {other} is on {tensors[other].device}; all or none may be"
        refuse(group, tensors.values(), sentence)
    for name, tensor in tensors.items():
        if tensor.device.type not in ("cpu", "meta"):
            refuse(group, tensors.values(), f"{name} is on {tensor.device}, but mmarn works on the CPU")


def kernel(name: str) -> Callable:
    """The kernel of the operator of that name, behind a look at the devices."""
    arguments = [argument.name for argument in getattr(torch.ops.mmarn, name).default._schema.arguments]

    def checked(*args, **kwargs):
        given = dict(zip(arguments, args, strict=False)) | kwargs
        _refuse_mixed(given["group"], {key: value for key, value in given.items() if isinstance(value, Tensor)})
        return _KERNELS[name](*args, **kwargs)

    return checked
