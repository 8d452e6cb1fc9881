# SPDX-License-Identifier: MIT
"""The operators of the namespace mmarn: schemas, kernels for CPU tensors, and shapes for the compiler.

They are registered through torch.library.Library, which costs a few microseconds a call less than custom_op. A group
is given by its name, because a schema cannot hold an object. Tensor options are not keyword-only, although best given
by keyword, because torch's register_autograd would refuse them. The kernels take any strides, as torch's own operators
do, copying where the library needs contiguous tensors; x2 may be an (n, k) weight's .t() and is then not copied.
Outputs are new contiguous tensors. Errors are those of the mmarn package. _torch_effects.py has what keeps compilers from
dropping or moving a call.
"""

from __future__ import annotations

import torch
from torch import Tensor

import mmarn
from mmarn import _torch_effects as effects
from mmarn import _torch_gate as gate
from mmarn.torch import autocast, meta, packed

_OPERANDS = (
    "Tensor gamma, str group, Tensor? bias=None, Tensor? dequant_scale=None, Tensor? antiquant_scale=None, "
    "Tensor? antiquant_offset=None, Tensor? x1_scale=None, *, float epsilon=1e-06, str reduce_op='sum', "
    "int antiquant_group_size=0, int comm_turn=0, str? x2_dtype=None, bool bias_once=False, bool strict=False, "
    "str numerics='default', str? name=None"
)

# Name -> arguments and results. y and norm_out have residual's shape and dtype.
SCHEMAS = {
    # mm_out = sum over ranks of (x1 @ x2 + bias); y = mm_out + residual; norm_out = y / rms(y) * gamma -> (y, norm_out)
    "mm_all_reduce_add_rms_norm": f"(Tensor x1, Tensor x2, Tensor residual, {_OPERANDS}) -> (Tensor, Tensor)",
    # The same, y written into residual -> norm_out
    "mm_all_reduce_add_rms_norm_": f"(Tensor x1, Tensor x2, Tensor(a!) residual, {_OPERANDS}) -> Tensor",
    # The same for an (n, k) weight, of which a packed copy is kept, of dtype if given: see packed.py -> (y, norm_out)
    "packed_mm_all_reduce_add_rms_norm": "(Tensor x1, Tensor weight, Tensor residual, Tensor gamma, str group, "
    "Tensor pack, Tensor? bias=None, Tensor? antiquant_scale=None, *, float epsilon=1e-06, "
    "int antiquant_group_size=0, str? x2_dtype=None, bool bias_once=False, str numerics='default', "
    "ScalarType? dtype=None, str? name=None) -> (Tensor, Tensor)",
    # sum over ranks of x
    "all_reduce": "(Tensor x, str group, *, str numerics='default', str? name=None) -> Tensor",
    # mm_out = sum over ranks of x, then as above -> (y, norm_out)
    "all_reduce_add_rms_norm": "(Tensor x, Tensor residual, Tensor gamma, str group, *, float epsilon=1e-06, "
    "str numerics='default', str? name=None) -> (Tensor, Tensor)",
    # A copy of x on rank 0, zeros on the others: for gradients. Decided when it runs, not when it is traced,
    # because torch keeps compiled graphs in a cache that all ranks share
    "only_on_rank_0": "(Tensor x, str group) -> Tensor",
}

library = torch.library.Library("mmarn", "DEF")


def plain(tensor: Tensor | None) -> Tensor | None:
    """The tensor as the library wants it: contiguous and outside the autograd graph. What it refuses, as it is."""
    return gate.contiguous(tensor.detach()) if gate.plain(tensor) else tensor


def weights(x2: Tensor) -> Tensor:
    """x2 without a copy if it is contiguous or the transposed view of a contiguous tensor."""
    if not gate.plain(x2):
        return x2
    x2 = x2.detach()
    transposed = x2.dim() == 2 and x2.stride() == (1, x2.size(0))
    return x2 if transposed else gate.contiguous(x2)


def named(name: str | None) -> str | None:
    """The call's name, with a mark in a backward pass: a call that a checkpoint makes again meets none made forward."""
    if torch._C._current_graph_task_id() == -1:
        return name
    return f"{name or ''}(backward)"[-127:]


def _operator_options(bias, dequant_scale, antiquant_scale, antiquant_offset, x1_scale, *, name=None, **options) -> dict:
    options["name"] = named(name)
    options.update(bias=plain(bias), dequant_scale=plain(dequant_scale), antiquant_scale=plain(antiquant_scale))
    options.update(antiquant_offset=plain(antiquant_offset), x1_scale=plain(x1_scale))
    return options


def _mm_all_reduce_add_rms_norm(
    x1, x2, residual, gamma, group, bias=None, dequant_scale=None, antiquant_scale=None, antiquant_offset=None,
    x1_scale=None, **options,
):
    options = _operator_options(bias, dequant_scale, antiquant_scale, antiquant_offset, x1_scale, **options)
    return mmarn.mm_all_reduce_add_rms_norm(
        plain(x1), weights(x2), plain(residual), plain(gamma), group, **options
    )


def _mm_all_reduce_add_rms_norm_(
    x1, x2, residual, gamma, group, bias=None, dequant_scale=None, antiquant_scale=None, antiquant_offset=None,
    x1_scale=None, **options,
):
    options = _operator_options(bias, dequant_scale, antiquant_scale, antiquant_offset, x1_scale, **options)
    residual = gate.writable(residual)
    y = plain(residual)
    _, norm_out = mmarn.mm_all_reduce_add_rms_norm(plain(x1), weights(x2), y, plain(gamma), group, y=y, **options)
    if not residual.is_contiguous():
        residual.detach().copy_(y)
    if not residual.is_inference():
        # Torch cannot see that the library has written; autograd must, or it would use a stale residual.
        torch.autograd.graph.increment_version(residual)
    return norm_out


def _packed_mm_all_reduce_add_rms_norm(
    x1, weight, residual, gamma, group, pack, bias=None, antiquant_scale=None, *, dtype=None, **options
):
    parameters = (weight, gamma, bias, antiquant_scale)
    member = mmarn.find_group(group)
    with gate.telling_peers(member):
        place = packed.find(pack)
        operator = place.operator(member, *parameters, dtype=dtype, **options) if packed.can_keep(*parameters) else None
    if operator is not None:
        return operator(plain(x1), plain(residual))
    place.release()
    weight, gamma, bias, antiquant_scale = autocast.lower_packed(parameters, dtype)
    weight = weight.t() if gate.plain(weight) else weight  # the rest is refused
    return _mm_all_reduce_add_rms_norm(
        x1, weight, residual, gamma, member, bias, antiquant_scale=antiquant_scale, **options)


def _all_reduce(x, group, *, numerics="default", name=None):
    return mmarn.find_group(group).all_reduce(plain(x), numerics=numerics, name=named(name))


def _all_reduce_add_rms_norm(x, residual, gamma, group, *, epsilon=1e-6, numerics="default", name=None):
    return mmarn.find_group(group).all_reduce_add_rms_norm(
        plain(x), plain(residual), plain(gamma), epsilon=epsilon, numerics=numerics, name=named(name)
    )


def _only_on_rank_0(x, group):
    return x.clone() if mmarn.find_group(group).rank == 0 else torch.zeros_like(x)


# Name -> kernel for CPU tensors.
KERNELS = {
    "mm_all_reduce_add_rms_norm": _mm_all_reduce_add_rms_norm,
    "mm_all_reduce_add_rms_norm_": _mm_all_reduce_add_rms_norm_,
    "packed_mm_all_reduce_add_rms_norm": _packed_mm_all_reduce_add_rms_norm,
    "all_reduce": _all_reduce,
    "all_reduce_add_rms_norm": _all_reduce_add_rms_norm,
    "only_on_rank_0": _only_on_rank_0,
}



def register(name: str, schema: str, kernel, *, communicates: bool = True, in_place_of: str | None = None) -> None:
    """Defines an operator with its kernel for CPU tensors, and what torch must know of it (meta.py has its shapes).

    in_place_of: the operator that returns (y, norm_out) where this one writes y into residual.
    """
    library.define(name + schema, **effects.definition(communicates=communicates))
    library.impl(name, kernel, "CPU")
    autocast.register(library, name)
    operator = getattr(torch.ops.mmarn, name).default
    if communicates:
        gate.guard(library, operator, kernel)
    if in_place_of:
        effects.register_in_place(library, operator, getattr(torch.ops.mmarn, in_place_of).default)
        return
    torch.library.register_fake(f"mmarn::{name}", effects.shapes(meta.kernel(name)), lib=library)
    if communicates:
        effects.register(library, operator)


for _name, _schema in SCHEMAS.items():
    register(_name, _schema, KERNELS[_name], communicates=_name != "only_on_rank_0",  # which only gradients use
             in_place_of="mm_all_reduce_add_rms_norm" if _name.endswith("_") else None)

packed.register_number_in_fake_mode(library, torch.ops.mmarn.packed_mm_all_reduce_add_rms_norm.default)
