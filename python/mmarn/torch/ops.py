"""The operators of the namespace mmarn: schemas, kernels for CPU tensors, and shapes for the compiler.

They are registered through torch.library.Library, which costs a few microseconds a call less than custom_op. A group
is given by its name, because a schema cannot hold an object. Tensor options are not keyword-only, although best given
by keyword, because torch's register_autograd would refuse them. The kernels take any strides, as torch's own operators
do, copying where the library needs contiguous tensors; x2 may be an (n, k) weight's .t() and is then not copied.
Outputs are new contiguous tensors. Errors are those of the mmarn package. effects.py has what keeps compilers from
dropping or moving a call.
"""

from __future__ import annotations

import torch
from torch import Tensor

import mmarn
from mmarn.torch import effects, packed

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
    # The same for an (n, k) weight of which a packed copy is kept: see packed.py -> (y, norm_out)
    "packed_mm_all_reduce_add_rms_norm": "(Tensor x1, Tensor weight, Tensor residual, Tensor gamma, str group, "
    "Tensor pack, Tensor? bias=None, Tensor? antiquant_scale=None, *, float epsilon=1e-06, bool bias_once=False, "
    "str numerics='default', str? name=None) -> (Tensor, Tensor)",
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


def _plain(tensor: Tensor | None) -> Tensor | None:
    """The tensor as the library wants it: contiguous and outside the autograd graph."""
    return None if tensor is None else tensor.detach().contiguous()


def _weights(x2: Tensor) -> Tensor:
    """x2 without a copy if it is contiguous or the transposed view of a contiguous tensor."""
    x2 = x2.detach()
    return x2 if x2.dim() == 2 and x2.t().is_contiguous() else x2.contiguous()


def _named(name: str | None) -> str | None:
    """The call's name, with a mark in a backward pass: a call that a checkpoint makes again meets none made forward."""
    if torch._C._current_graph_task_id() == -1:
        return name
    return f"{name or ''}(backward)"[-127:]


def _operator_options(bias, dequant_scale, antiquant_scale, antiquant_offset, x1_scale, *, name=None, **options) -> dict:
    options["name"] = _named(name)
    options.update(bias=_plain(bias), dequant_scale=_plain(dequant_scale), antiquant_scale=_plain(antiquant_scale))
    options.update(antiquant_offset=_plain(antiquant_offset), x1_scale=_plain(x1_scale))
    return options


def _mm_all_reduce_add_rms_norm(
    x1, x2, residual, gamma, group, bias=None, dequant_scale=None, antiquant_scale=None, antiquant_offset=None,
    x1_scale=None, **options,
):
    options = _operator_options(bias, dequant_scale, antiquant_scale, antiquant_offset, x1_scale, **options)
    return mmarn.mm_all_reduce_add_rms_norm(
        _plain(x1), _weights(x2), _plain(residual), _plain(gamma), group, **options
    )


def _mm_all_reduce_add_rms_norm_(
    x1, x2, residual, gamma, group, bias=None, dequant_scale=None, antiquant_scale=None, antiquant_offset=None,
    x1_scale=None, **options,
):
    options = _operator_options(bias, dequant_scale, antiquant_scale, antiquant_offset, x1_scale, **options)
    y = _plain(residual)
    _, norm_out = mmarn.mm_all_reduce_add_rms_norm(_plain(x1), _weights(x2), y, _plain(gamma), group, y=y, **options)
    if not residual.is_contiguous():
        residual.detach().copy_(y)
    if not residual.is_inference():
        # Torch cannot see that the library has written; autograd must, or it would use a stale residual.
        torch.autograd.graph.increment_version(residual)
    return norm_out


def _packed_mm_all_reduce_add_rms_norm(
    x1, weight, residual, gamma, group, pack, bias=None, antiquant_scale=None, **options
):
    try:
        operator = packed.find(pack.item()).operator(group, weight, gamma, bias, antiquant_scale, **options)
    except Exception:
        # The other ranks wait for a call: this one is refused for the same reason, which they are told, or serves them.
        _mm_all_reduce_add_rms_norm(x1, weight.t(), residual, gamma, group, bias, None, antiquant_scale, **options)
        raise
    return operator(_plain(x1), _plain(residual))


def _all_reduce(x, group, *, numerics="default", name=None):
    return mmarn.find_group(group).all_reduce(_plain(x), numerics=numerics, name=_named(name))


def _all_reduce_add_rms_norm(x, residual, gamma, group, *, epsilon=1e-6, numerics="default", name=None):
    return mmarn.find_group(group).all_reduce_add_rms_norm(
        _plain(x), _plain(residual), _plain(gamma), epsilon=epsilon, numerics=numerics, name=_named(name)
    )


def _only_on_rank_0(x, group):
    return x.clone() if mmarn.find_group(group).rank == 0 else torch.zeros_like(x)


def _pair_like(residual: Tensor) -> tuple[Tensor, Tensor]:
    return residual.new_empty(residual.shape), residual.new_empty(residual.shape)


# Name -> kernel for CPU tensors, and what the compiler runs instead to learn shapes and dtypes. It takes another way
# for the operator that writes in place: effects.py.
_KERNELS = {
    "mm_all_reduce_add_rms_norm": (
        _mm_all_reduce_add_rms_norm,
        lambda x1, x2, residual, *_, **__: _pair_like(residual),
    ),
    "mm_all_reduce_add_rms_norm_": (_mm_all_reduce_add_rms_norm_, None),
    "packed_mm_all_reduce_add_rms_norm": (
        _packed_mm_all_reduce_add_rms_norm,
        lambda x1, weight, residual, *_, **__: _pair_like(residual),
    ),
    "all_reduce": (_all_reduce, lambda x, *_, **__: x.new_empty(x.shape)),
    "all_reduce_add_rms_norm": (_all_reduce_add_rms_norm, lambda x, residual, *_, **__: _pair_like(residual)),
    "only_on_rank_0": (_only_on_rank_0, lambda x, group: torch.empty_like(x)),
}

for _name, _schema in SCHEMAS.items():
    library.define(_name + _schema, **effects.definition(_name))
    library.impl(_name, _KERNELS[_name][0], "CPU")
    if _KERNELS[_name][1]:
        torch.library.register_fake(f"mmarn::{_name}", effects.shapes(_KERNELS[_name][1]), lib=library)

library.impl("mm_all_reduce_add_rms_norm_", effects.write_in_place, "CompositeImplicitAutograd")
effects.register(library)
