# SPDX-License-Identifier: MIT
"""The operators of the other forms: the matmul with its all-reduce, a step with every output, the norm alone, rows of a
rank's own. Registered as ops.py registers its own; gradients where a layer needs them, and plain refusals elsewhere.
"""

from __future__ import annotations

import torch
from torch import Tensor

import mmarn
from mmarn import _torch_gate as gate
from mmarn.torch.autograd import add_rms_norm_backward, matmul_backward, refuse_gradients, refuse_second_order
from mmarn.torch.ops import KERNELS as _OTHERS
from mmarn.torch.ops import library, named, plain, register, weights

_SCALES = ("Tensor? dequant_scale=None, Tensor? antiquant_scale=None, Tensor? antiquant_offset=None, "
           "Tensor? x1_scale=None")
_OPTIONS = ("int antiquant_group_size=0, str? x2_dtype=None, bool bias_once=False, bool shard_rows=False, "
            "str numerics='default', str? name=None")

# Name -> arguments and results.
SCHEMAS = {
    # sum over ranks of (x1 @ x2 + bias + x3); with shard_rows a rank's own rows of it, (rows, n)
    "mm_all_reduce": f"(Tensor x1, Tensor x2, str group, Tensor? bias=None, Tensor? x3=None, {_SCALES}, *, {_OPTIONS}) "
    "-> Tensor",
    # A step with every output -> (y, norm_out, mm_out, rstd, norm_scale); quantised: norm_out is int8, else norm_scale
    # has no elements. Without a residual y is mm_out, or norm_out with norm_first
    "mm_all_reduce_add_rms_norm_step": "(Tensor x1, Tensor x2, Tensor gamma, str group, Tensor? residual=None, "
    f"Tensor? bias=None, Tensor? x3=None, {_SCALES}, *, float epsilon=1e-06, bool gamma_plus_one=False, "
    f"bool norm_first=False, bool quantised=False, {_OPTIONS}) -> (Tensor, Tensor, Tensor, Tensor, Tensor)",
    # y = x + residual; norm_out = y / rms(y) * gamma; of this rank alone -> (y, norm_out, rstd)
    "add_rms_norm": "(Tensor x, Tensor gamma, Tensor? residual=None, *, float epsilon=1e-06, str numerics='default', "
    "bool gamma_plus_one=False, bool norm_first=False) -> (Tensor, Tensor, Tensor)",
    # A rank's own rows of the sum over ranks of x
    "reduce_scatter": "(Tensor x, str group, *, str numerics='default', str? name=None) -> Tensor",
    # The rows of all ranks, `rows` in all
    "all_gather": "(Tensor x, int rows, str group, *, str? name=None) -> Tensor",
}


def _mm_all_reduce(x1, x2, group, bias=None, x3=None, dequant_scale=None, antiquant_scale=None, antiquant_offset=None,
                   x1_scale=None, *, name=None, **options):
    return mmarn.mm_all_reduce(
        plain(x1), weights(x2), group, bias=plain(bias), x3=plain(x3), dequant_scale=plain(dequant_scale),
        antiquant_scale=plain(antiquant_scale), antiquant_offset=plain(antiquant_offset), x1_scale=plain(x1_scale),
        name=named(name), **options)


def _step(x1, x2, gamma, group, residual=None, bias=None, x3=None, dequant_scale=None, antiquant_scale=None,
          antiquant_offset=None, x1_scale=None, *, quantised=False, name=None, **options):
    member = mmarn.find_group(group)
    with gate.telling_peers(member):
        op = mmarn.Op(member, weights(x2), plain(gamma), bias=plain(bias), dequant_scale=plain(dequant_scale),
                      antiquant_scale=plain(antiquant_scale), antiquant_offset=plain(antiquant_offset), borrow_x2=True,
                      name=named(name), **options)
    with op:
        found = op.step(plain(x1), plain(residual), x1_scale=plain(x1_scale), x3=plain(x3), y=True,
                        norm_out="int8" if quantised else True, mm_out=True, rstd=True)
    scale = found.norm_scale if quantised else torch.empty(0, dtype=torch.float32)
    return found.y, found.norm_out, found.mm_out, found.rstd, scale


def _add_rms_norm(x, gamma, residual=None, **options):
    found = mmarn.add_rms_norm(plain(x), plain(gamma), plain(residual), y=True, rstd=True, **options)
    return found.y, found.norm_out, found.rstd


def _reduce_scatter(x, group, *, numerics="default", name=None):
    return mmarn.find_group(group).reduce_scatter(plain(x), numerics=numerics, name=named(name))


def _all_gather(x, rows, group, *, name=None):
    return mmarn.find_group(group).all_gather(plain(x), rows=rows, name=named(name))


# Name -> kernel for CPU tensors.
KERNELS = {
    "mm_all_reduce": _mm_all_reduce,
    "mm_all_reduce_add_rms_norm_step": _step,
    "add_rms_norm": _add_rms_norm,
    "reduce_scatter": _reduce_scatter,
    "all_gather": _all_gather,
}

for _name, _schema in SCHEMAS.items():
    register(_name, _schema, KERNELS[_name], communicates=_name != "add_rms_norm")

# -------------------------------------------------------------------------------------------------- gradients

_INPUTS = ("x1", "x2", "group", "bias", "x3", "dequant_scale", "antiquant_scale", "antiquant_offset", "x1_scale")


def _save_mm(ctx, inputs, keyword_only_inputs, output) -> None:
    given = dict(zip(_INPUTS, inputs, strict=True))
    needs = ctx.needs = dict.fromkeys(_INPUTS, False) | dict(zip(_INPUTS, ctx.needs_input_grad, strict=False))
    wanted = [name for name in _INPUTS if needs[name]]
    for name in wanted:
        if keyword_only_inputs["shard_rows"] or name not in ("x1", "x2", "bias", "x3"):
            why = "with shard_rows mmarn::mm_all_reduce has none" if keyword_only_inputs["shard_rows"] else \
                "scales and offsets of quantised operands have none"
            raise RuntimeError(f"{name} requires a gradient, but {why}")
    if needs["x1"] and not given["x2"].dtype.is_floating_point:
        raise RuntimeError(
            f"x1 requires a gradient, but there is none through integer weights, and x2 is {given['x2'].dtype}")
    ctx.x1_shape = given["x1"].shape
    ctx.dtypes = {name: t.dtype for name, t in given.items() if isinstance(t, Tensor)}
    ctx.x3_shape = None if given["x3"] is None else given["x3"].shape
    ctx.group, ctx.bias_once = given["group"], keyword_only_inputs["bias_once"]
    ctx.save_for_backward(given["x1"] if needs["x2"] else None, given["x2"] if needs["x1"] else None)


def _backward_mm(ctx, grad):
    """As for the whole operator: the sum's gradient is that of each rank's part."""
    refuse_second_order()
    x1, x2 = ctx.saved_tensors
    rows = grad.flatten(0, -2).to(torch.promote_types(grad.dtype, torch.float32))
    grad_x1, grad_x2 = matmul_backward(rows, x1, x2, ctx.x1_shape)
    found = {"x1": grad_x1, "x2": grad_x2}
    if ctx.needs["x3"]:
        found["x3"] = rows.reshape(ctx.x3_shape)
    if ctx.needs["bias"]:
        found["bias"] = rows.sum(0)
        if ctx.bias_once:
            found["bias"] = torch.ops.mmarn.only_on_rank_0(found["bias"], ctx.group)
    return tuple(found[name].to(ctx.dtypes[name]) if ctx.needs[name] else None for name in _INPUTS)


def _save_norm(ctx, inputs, keyword_only_inputs, output) -> None:
    x, gamma, residual = inputs
    if keyword_only_inputs["norm_first"]:
        raise RuntimeError("a gradient is required, but with norm_first mmarn::add_rms_norm has none")
    ctx.mark_non_differentiable(output[2])
    ctx.epsilon, ctx.plus_one = keyword_only_inputs["epsilon"], keyword_only_inputs["gamma_plus_one"]
    ctx.dtypes = x.dtype, gamma.dtype, None if residual is None else residual.dtype
    ctx.save_for_backward(gamma, output[0])


def _backward_norm(ctx, grad_y, grad_norm, _):
    refuse_second_order()
    gamma, y = ctx.saved_tensors
    scale = gamma.to(torch.promote_types(gamma.dtype, torch.float32)) + 1 if ctx.plus_one else gamma
    grad, grad_gamma = add_rms_norm_backward(grad_y, grad_norm, y, scale, ctx.epsilon)
    x_dtype, gamma_dtype, residual_dtype = ctx.dtypes
    return grad.to(x_dtype), grad_gamma.to(gamma_dtype), None if residual_dtype is None else grad.to(residual_dtype)


for _name, _backward, _save in (("mm_all_reduce", _backward_mm, _save_mm), ("add_rms_norm", _backward_norm, _save_norm)):
    _backward = torch.autocast("cpu", enabled=False)(_backward)
    torch.library.register_autograd(f"mmarn::{_name}", _backward, setup_context=_save,
                                    lib=gate.TangentsRefused(library, {**_OTHERS, **KERNELS}))

refuse_gradients("mm_all_reduce_add_rms_norm_step", "has none; use mm_all_reduce_add_rms_norm")
refuse_gradients("reduce_scatter", "has none: what it is depends on how the ranks' losses are put together")
refuse_gradients("all_gather", "has none: what it is depends on how the ranks' losses are put together")
