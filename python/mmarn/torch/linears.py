# SPDX-License-Identifier: MIT
"""Which linear layers compute x @ weight.T + bias: found by trying them, as norms.py does it for norms.

nn.Linear with parameters of its own and its own forward is taken at its word, which costs nothing. Anything else is
tried, in a copy of its size in fp32: subclasses and replacements of forward, hooks, parametrised or pruned weights.
Then a layer that adds what is zero in the beginning (LoRA), that multiplies by weight instead of its transpose, or
rounds its input or its weight is told from one that does not.

Tolerance: the layer and the right values, torch's F.linear, are both in fp32. Each is within (k + 2) u of the sum of
the products' sizes (any order; u = 2^-24), which is at most |x| |row of weight| + |bias|; together twice that.
"""

from __future__ import annotations

import inspect

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmarn.torch import probe
from mmarn.torch.probe import Misfit

_SEED = 2027
_DTYPES = (torch.float16, torch.bfloat16, torch.float32)


def weight_and_bias(linear: nn.Module) -> tuple[Tensor, Tensor | None]:
    """(weight, bias) of a layer that computes x @ weight.T + bias.

    Errors: TypeError (no module, no plain floating-point weight), ValueError (it computes something else).
    """
    linear = probe.checked(linear, "linear")
    weight, bias = getattr(linear, "weight", None), getattr(linear, "bias", None)
    name = type(linear).__name__
    if not isinstance(weight, Tensor):
        raise TypeError(f"linear is {name}, which has no tensor named weight")
    if weight.dtype not in _DTYPES or weight.dim() != 2:
        raise TypeError(f"linear is {name}, whose weight is {weight.dtype} with {weight.dim()} dimensions, but must be "
                        "float16, bfloat16 or float32 with 2")
    if bias is not None and not isinstance(bias, Tensor):
        raise TypeError(f"linear is {name}, whose bias is {type(bias).__name__}, but must be a tensor or None")
    if bias is not None and bias.dtype != weight.dtype:
        raise TypeError(f"linear.bias is {bias.dtype} but linear.weight is {weight.dtype}")
    if not _plain(linear):
        try:
            with probe.apart():
                _try(linear)
        except Misfit as misfit:
            raise ValueError(f"linear is {name}, which is not x @ weight.T + bias: {misfit}") from misfit.__cause__
    return weight.detach(), None if bias is None else bias.detach()


def _plain(linear: nn.Module) -> bool:
    return (
        inspect.getattr_static(linear, "forward") is nn.Linear.forward
        and not linear._forward_hooks and not linear._forward_pre_hooks
        and type(linear._parameters.get("weight")) is nn.Parameter
        and type(linear._parameters.get("bias")) in (nn.Parameter, type(None))
    )


def _try(linear: nn.Module) -> None:
    """Errors: Misfit."""
    random = probe.generator(_SEED)
    filled = probe.stand_in(linear, torch.float32, random)
    if _is_transposed(filled):
        raise Misfit("it multiplies by weight and not by its transpose")
    for training in (True, False):
        filled.train(training)
        if not _fits(filled):
            raise Misfit(_reason(filled, random))
    if probe.has_data(linear):
        copied = probe.stand_in(linear, torch.float32)
        if not _fits(copied):
            raise Misfit("its output is another with the values that it has now")
        probe.check_current(copied.weight, linear.weight, "weight")


def _inputs(features: int) -> Tensor:
    """Rows of three sizes."""
    rows = torch.randn(2, 3, features, generator=probe.generator(_SEED + 1), dtype=torch.float32)
    return rows * torch.tensor([1e-4, 1, 1e4], dtype=torch.float32)[:, None]


def _fits(linear: nn.Module) -> bool:
    x = _inputs(linear.weight.shape[1])
    out = probe.call(linear, x, linear.weight.shape[0])
    weight, bias = linear.weight, getattr(linear, "bias", None)
    bound = torch.linalg.vector_norm(x, dim=-1, keepdim=True) * torch.linalg.vector_norm(weight, dim=1)
    bound = bound if bias is None else bound + bias.abs()
    return bool(((out - F.linear(x, weight, bias)).abs() <= 2 * (weight.shape[1] + 2) * 2.0**-24 * bound).all())


def _is_transposed(linear: nn.Module) -> bool:
    features, out_features = linear.weight.shape
    x = _inputs(features)
    try:
        out = probe.call(linear, x, out_features)
    except Misfit:
        return False
    wanted, bias = x @ linear.weight, getattr(linear, "bias", None)
    return torch.allclose(out, wanted if bias is None else wanted + bias, rtol=1e-3)


def _reason(linear: nn.Module, random: torch.Generator) -> str:
    """Why the layer, whose parameters are random, does not fit."""
    own = (linear.weight, getattr(linear, "bias", None))
    features, in_features = own[0].shape
    x = _inputs(in_features)
    out = probe.call(linear, x, features)
    if not torch.equal(probe.call(linear, x, features), out):
        return "it does not give the same output each time"
    for name, parameter in linear.named_parameters():
        if all(parameter is not tensor for tensor in own) and "parametrizations." not in name:
            parameter.copy_(torch.randn(parameter.shape, generator=random, dtype=torch.float32))
            if not torch.equal(probe.call(linear, x, features), out):
                return f"its output depends on {name} too"
    return "its output is another"
