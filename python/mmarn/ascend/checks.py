# SPDX-License-Identifier: MIT
"""The checks that MindSpeed makes before CANN sees a call, in its order and with its types of exceptions.

Errors of shape and of missing or superfluous scales are RuntimeError (a failed TORCH_CHECK there), arguments that are
None are AssertionError, and so are the dtypes that only graph mode checks. Everything else is left to libmmarn, whose
strict mode has CANN's limits.
"""

import math
from typing import Any

import torch

from mmarn import _torch_gate as gate

SIXTEEN_BITS = (torch.float16, torch.bfloat16)
SCENARIOS = "the type of x1 and x2 should be suit the not quant scenario, dequant scenario, antiquant scenario."


def check(condition: bool, sentence: str) -> None:
    if not condition:
        raise RuntimeError(sentence)


def check_given(**tensors: torch.Tensor | None) -> None:
    for name, tensor in tensors.items():
        if tensor is None:
            raise AssertionError(f"{name} must not be None.")


def check_tensors(**tensors: Any) -> None:
    """What the gate of every door says of the arguments that are given."""
    for name, tensor in tensors.items():
        if not isinstance(tensor, (torch.Tensor, gate.Refused, type(None))):
            raise RuntimeError(f"{name} is {type(tensor)}; it must be a torch.Tensor")
        reason = None if tensor is None else gate.reason(tensor)
        if reason:
            raise RuntimeError(f"{name} {reason}")


def _shape(tensor: torch.Tensor) -> str:
    return str(tuple(tensor.shape))


def check_shapes(x1: torch.Tensor, x2: torch.Tensor, residual: torch.Tensor, gamma: torch.Tensor) -> None:
    """x1 (b, s, k) or (rows, k), x2 (k, n), residual (b, s, n) with as many rows, gamma (n)."""
    check(x1.dim() in (2, 3), f"x1 is {_shape(x1)}; it must have 2 or 3 axes")
    check(x2.dim() == 2, f"x2 is {_shape(x2)}; it must have 2 axes")
    check(residual.dim() == 3, f"residual is {_shape(residual)}; it must have 3 axes")
    check(gamma.dim() == 1, f"gamma is {_shape(gamma)}; it must have 1 axis")
    check(x1.size(-1) == x2.size(0), f"x2 is {_shape(x2)} but x1's last axis is {x1.size(-1)}")
    rows, residual_rows = math.prod(x1.shape[:-1]), residual.size(0) * residual.size(1)
    check(rows == residual_rows, f"residual is {_shape(residual)}, which has {residual_rows} rows, "
                                 f"but x1 is {_shape(x1)}, which has {rows}")
    check(x2.size(1) == residual.size(2), f"residual is {_shape(residual)} but x2's last axis is {x2.size(1)}")
    check(gamma.size(0) == residual.size(2), f"gamma is {_shape(gamma)} but residual's last axis is {residual.size(2)}")


def check_scales(x1: torch.Tensor, x2: torch.Tensor, antiquant_scale: torch.Tensor | None,
                 antiquant_offset: torch.Tensor | None, dequant_scale: torch.Tensor | None) -> None:
    """The dtypes of x1 and x2 choose a scenario, which excludes the scales of the others."""
    quantised = [not tensor.dtype.is_floating_point for tensor in (x1, x2)]
    if all(quantised):
        check(x1.dtype == torch.int8, f"x1 is {x1.dtype}; an integer x1 must be int8")
    if quantised[1]:
        check(x2.dtype == torch.int8, f"x2 is {x2.dtype}; an integer x2 must be int8")
    for name, scale in (("antiquant_scale", antiquant_scale), ("antiquant_offset", antiquant_offset)):
        check(scale is None or quantised == [False, True], f"{name} is given but x1 is {x1.dtype} and x2 is {x2.dtype}")
    if quantised == [False, False]:
        check(dequant_scale is None, "In not quant scenario, antiquant_scale and dequant_scale must be null.")
    check(dequant_scale is None or all(quantised),
          f"dequant_scale is given but x1 is {x1.dtype} and x2 is {x2.dtype}")
    both_float = x1.dtype in SIXTEEN_BITS and x2.dtype in SIXTEEN_BITS
    check(both_float or (x2.dtype == torch.int8 and x1.dtype in (torch.int8, *SIXTEEN_BITS)), SCENARIOS)


def _check_dtype(name: str, tensor: torch.Tensor | None, like: str, dtype: torch.dtype) -> None:
    if tensor is not None and tensor.dtype != dtype:
        raise AssertionError(f"{name} is {tensor.dtype} but {like} is {dtype}")


def check_graph_dtypes(x1: torch.Tensor, x2: torch.Tensor, residual: torch.Tensor, gamma: torch.Tensor,
                       options: dict[str, Any]) -> None:
    """The dtype checks of graph mode, made while torch traces the call."""
    bias, scale = options["bias"], options["antiquant_scale"]
    _check_dtype("gamma", gamma, "residual", residual.dtype)
    if x1.dtype in SIXTEEN_BITS and x2.dtype in (*SIXTEEN_BITS, torch.int8):
        if x2.dtype != torch.int8:
            _check_dtype("x2", x2, "x1", x1.dtype)
        _check_dtype("bias", bias, "x1", x1.dtype)
        if x2.dtype == torch.int8:
            check_given(antiquant_scale=scale)
            _check_dtype("antiquant_scale", scale, "x1", x1.dtype)
            _check_dtype("antiquant_offset", options["antiquant_offset"], "antiquant_scale", scale.dtype)
        _check_dtype("residual", residual, "x1", x1.dtype)
    elif x1.dtype == x2.dtype == torch.int8:
        _check_dtype("bias", bias, "an int32 accumulator", torch.int32)
        _check_dequant(options["dequant_scale"], residual)
    else:
        raise AssertionError(SCENARIOS)


def _check_dequant(dequant_scale: torch.Tensor | None, residual: torch.Tensor) -> None:
    check_given(dequant_scale=dequant_scale)
    outputs = {torch.int64: torch.float16, torch.uint64: torch.float16, torch.bfloat16: torch.bfloat16}
    if dequant_scale.dtype not in outputs:
        raise AssertionError(f"dequant_scale is {dequant_scale.dtype}; it must be int64, uint64 or bfloat16")
    if residual.dtype != outputs[dequant_scale.dtype]:
        raise AssertionError(f"residual is {residual.dtype} but dequant_scale is {dequant_scale.dtype}, which is for "
                             f"{outputs[dequant_scale.dtype]}")
