# SPDX-License-Identifier: MIT
"""Gradients of the operators, and plain refusals where there are none.

The convention is Megatron's for row-parallel layers: y and norm_out are replicated, and every rank computes the same
loss from them. The gradient of a sum with respect to each of its parts is the gradient of the sum, so each rank's part
gets mm_out's gradient as it is and the backward pass communicates nothing. Precisely, a rank gets the derivatives of
its own outputs with respect to its own inputs. If ranks pass different residuals or gammas and sum different losses,
the parts' derivatives of the other ranks' losses are not included.

Everything is computed in fp32 (fp64 for fp64) and rounded once to the dtype of each input; the roundings of the forward
pass count as the identity.
"""

from __future__ import annotations

import torch
from torch import Tensor

import mmarn
from mmarn._torch_gate import TangentsRefused, by_name, telling_peers
from mmarn.torch.ops import KERNELS, library


def add_rms_norm_backward(
    grad_y: Tensor, grad_norm: Tensor, y: Tensor, gamma: Tensor, epsilon: float
) -> tuple[Tensor, Tensor]:
    """(gradient of y, which is that of mm_out and of residual; gradient of gamma), in fp32 or, for fp64, fp64.

    With r = 1 / sqrt(mean(y * y) + epsilon) and z = y * r, norm_out = z * gamma, so (differentiating r by hand)
      gradient of y     = grad_y + r * (u - z * mean(u * z)),  u = grad_norm * gamma
      gradient of gamma = sum over rows of grad_norm * z
    grad_y, grad_norm and y are (b, s, n) or (rows, n), gamma is (n).
    """
    dtype = torch.promote_types(y.dtype, torch.float32)
    grad_y, grad_norm, y, gamma = (t.to(dtype) for t in (grad_y, grad_norm, y, gamma))
    r = torch.rsqrt(y.square().mean(-1, keepdim=True) + epsilon)
    z = y * r
    u = grad_norm * gamma
    grad = grad_y + r * (u - z * (u * z).mean(-1, keepdim=True))
    return grad, (grad_norm * z).flatten(0, -2).sum(0)


def matmul_backward(
    grad: Tensor, x1: Tensor | None, x2: Tensor | None, x1_shape: torch.Size
) -> tuple[Tensor | None, Tensor | None]:
    """(gradient of x1, gradient of x2) of x1 @ x2, in grad's dtype; grad is (rows, n).

    An operand may be None: then the other's gradient is not needed, and None.
    """
    grad_x1 = None if x2 is None else (grad @ x2.to(grad.dtype).t()).reshape(x1_shape)
    grad_x2 = None if x1 is None else x1.to(grad.dtype).flatten(0, -2).t() @ grad
    return grad_x1, grad_x2


def refuse_second_order() -> None:
    """Second derivatives would need the other ranks' parts. Torch's once_differentiable overlooks saved tensors."""
    if torch.is_grad_enabled():
        raise RuntimeError("create_graph is True, but gradients through an all-reduce of mmarn have no gradients")


# ------------------------------------------------------------------------------- mm_all_reduce_add_rms_norm

_INPUTS = ("x1", "x2", "residual", "gamma", "group", "bias", "dequant_scale", "antiquant_scale", "antiquant_offset",
           "x1_scale")


def _refuse_quantised(needs: dict[str, bool], x2: Tensor) -> None:
    for name in ("dequant_scale", "antiquant_scale", "antiquant_offset", "x1_scale"):
        if needs[name]:
            raise RuntimeError(f"{name} requires a gradient, but scales and offsets of quantised operands have none")
    if needs["x1"] and not x2.dtype.is_floating_point:
        raise RuntimeError(f"x1 requires a gradient, but there is none through integer weights, and x2 is {x2.dtype}")


def _save_mm(ctx, inputs, keyword_only_inputs, output) -> None:
    given = dict(zip(_INPUTS, inputs, strict=True))
    # needs_input_grad lacks what was left to its default, and ends with an argument of torch's own, which is False.
    needs = ctx.needs = dict.fromkeys(_INPUTS, False) | dict(zip(_INPUTS, ctx.needs_input_grad, strict=False))
    _refuse_quantised(needs, given["x2"])
    ctx.epsilon = keyword_only_inputs["epsilon"]
    ctx.x1_shape = given["x1"].shape
    ctx.dtypes = {name: t.dtype for name, t in given.items() if isinstance(t, Tensor)}
    ctx.group, ctx.bias_once = given["group"], keyword_only_inputs["bias_once"]
    x1, x2 = given["x1"] if needs["x2"] else None, given["x2"] if needs["x1"] else None
    ctx.save_for_backward(x1, x2, given["gamma"], output[0])


def _backward_mm(ctx, grad_y, grad_norm):
    refuse_second_order()
    x1, x2, gamma, y = ctx.saved_tensors
    grad, grad_gamma = add_rms_norm_backward(grad_y, grad_norm, y, gamma, ctx.epsilon)
    rows = grad.flatten(0, -2)
    grad_x1, grad_x2 = matmul_backward(rows, x1, x2, ctx.x1_shape)
    found = {"x1": grad_x1, "x2": grad_x2, "residual": grad, "gamma": grad_gamma}
    if ctx.needs["bias"]:
        found["bias"] = rows.sum(0)
        if ctx.bias_once:  # the others' were left out of the sum
            found["bias"] = torch.ops.mmarn.only_on_rank_0(found["bias"], ctx.group)
    return tuple(found[name].to(ctx.dtypes[name]) if ctx.needs[name] else None for name in _INPUTS)


# ------------------------------------------------------------------------------------------ the parts alone


def _save_add_rms_norm(ctx, inputs, keyword_only_inputs, output) -> None:
    ctx.epsilon = keyword_only_inputs["epsilon"]
    ctx.x_dtype = inputs[0].dtype
    ctx.save_for_backward(inputs[2], output[0])


def _backward_add_rms_norm(ctx, grad_y, grad_norm):
    refuse_second_order()
    gamma, y = ctx.saved_tensors
    grad, grad_gamma = add_rms_norm_backward(grad_y, grad_norm, y, gamma, ctx.epsilon)
    return grad.to(ctx.x_dtype), grad.to(y.dtype), grad_gamma.to(gamma.dtype), None


def _backward_all_reduce(ctx, grad):
    return grad, None


for _name, _backward, _save in (
    ("mm_all_reduce_add_rms_norm", _backward_mm, _save_mm),
    ("all_reduce_add_rms_norm", _backward_add_rms_norm, _save_add_rms_norm),
    ("all_reduce", _backward_all_reduce, None),
):
    _backward = torch.autocast("cpu", enabled=False)(_backward)  # fp32 also where backward() is called under autocast
    torch.library.register_autograd(f"mmarn::{_name}", _backward, setup_context=_save,
                                    lib=TangentsRefused(library, KERNELS[_name]))


# -------------------------------------------------------------------------------------------------- refusals


def refuse_gradients(name: str, why: str) -> None:
    """Makes the operator fail when an input requires a gradient, and work as ever when none does."""
    operator = getattr(torch.ops.mmarn, name).default
    named = by_name(operator)

    def kernel(keyset, *args, **kwargs):
        given = named(args, kwargs)
        for argument, value in given.items():
            if torch.is_grad_enabled() and isinstance(value, Tensor) and value.requires_grad:
                with telling_peers(mmarn.find_group(given["group"])):
                    raise RuntimeError(f"{argument} requires a gradient, but mmarn::{name} {why}")
        with torch._C._AutoDispatchBelowAutograd():
            return operator.redispatch(keyset & torch._C._after_autograd_keyset, *args, **kwargs)

    library.impl(name, kernel, "Autograd", with_keyset=True)


refuse_gradients("mm_all_reduce_add_rms_norm_", "overwrites residual and has none; use mm_all_reduce_add_rms_norm")
refuse_gradients("packed_mm_all_reduce_add_rms_norm", "keeps weights in a form that has none; "
                  "use mm_all_reduce_add_rms_norm")
