# SPDX-License-Identifier: MIT
"""Packed copies of weights, kept from call to call and made anew when the weights have changed.

The operator packed_mm_all_reduce_add_rms_norm gets the weight itself, so that a compiler sees what it depends on, and
the number of a PackedWeights, because a schema cannot hold an object; and that in a tensor, because torch.compile would
compile every layer of a model anew for an int of its own. A change shows in the tensors' version counters,
which in-place operations of torch raise, or in their addresses. Fused optimisers (fused=True) and writing through
`weight.data` or NumPy raise nothing: call release() then.
"""

from __future__ import annotations

import itertools
import weakref

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch._subclasses import FakeTensor, FakeTensorMode

import mmarn
from mmarn import _torch_gate as gate
from mmarn._torch_effects import CAN_COMPILE
from mmarn.torch import autocast

_numbers = itertools.count(1)
_all: weakref.WeakValueDictionary[int, PackedWeights] = weakref.WeakValueDictionary()


def find(pack: Tensor) -> PackedWeights:
    """The PackedWeights of a number. Errors: ValueError when there is none; TypeError for what cannot be read."""
    if isinstance(pack, gate.Refused):
        raise TypeError(f"pack {pack.reason}")
    number = pack.item()
    try:
        return _all[number]
    except KeyError:
        raise ValueError(f"pack is {number}, but no packed weights of this process have that number") from None


def _scalar(number: int) -> Tensor:
    """An ordinary tensor on the CPU, whatever default device or mode the caller makes modules under."""
    with torch._C._DisableTorchDispatch(), torch._C.DisableTorchFunction(), torch.inference_mode(False):
        return torch.tensor(number, dtype=torch.int64, device="cpu")


def register_number_in_fake_mode(library: torch.library.Library, operator: OpOverload) -> None:
    """Makes the packed operator's number, its argument 5, fake in fake mode, which takes it beside no fake weight else.

    Out of compiled graphs calls come inside with_effects, because they communicate.
    """

    def faked(mode, args):
        return args if isinstance(args[5], FakeTensor) else (*args[:5], mode.from_tensor(args[5]), *args[6:])

    def eager(mode, _, types, args, kwargs):
        return mode.__torch_dispatch__(operator, types, faked(mode, args), kwargs)

    torch.library.register_torch_dispatch(operator._schema.name, FakeTensorMode, eager, lib=library)
    if not CAN_COMPILE:
        return
    from torch._higher_order_ops.effects import with_effects

    usual = with_effects.python_key_table[FakeTensorMode]

    def compiled(mode, token, called, *args, **kwargs):
        return usual(mode, token, called, *(faked(mode, args) if called is operator else args), **kwargs)

    with_effects.python_key_table[FakeTensorMode] = compiled


def can_keep(*tensors: Tensor | None) -> bool:
    """Would a later write to the tensors be seen? Torch counts none to those made in inference mode."""
    return not any(isinstance(tensor, Tensor) and tensor.is_inference() for tensor in tensors)


class PackedWeights:
    """A place for one packed weight. A copy, or what comes out of a pickle, is a new place, and empty."""

    def __init__(self) -> None:
        number = next(_numbers)
        self.number = _scalar(number)
        self._operator: mmarn.Op | None = None
        self._made_from: tuple = ()
        _all[number] = self

    def __reduce__(self):
        return PackedWeights, ()

    def operator(self, group: mmarn.Group, weight: Tensor, gamma: Tensor, bias: Tensor | None,
                 antiquant_scale: Tensor | None, *, dtype: torch.dtype | None = None, **options) -> mmarn.Op:
        """The operator for these tensors: the one at hand if nothing has changed. weight is (n, k).

        dtype: what autocast would cast them to, or None. options are those of mmarn.Op. Errors: those of mmarn.Op.
        """
        tensors = [t.detach() if gate.plain(t) else t for t in (weight, gamma, bias, antiquant_scale)]
        # Holding the tensors keeps their memory from being given to others, whose addresses would look the same.
        made_from = (group, (dtype, options), tensors, [_state(t) for t in tensors])
        if self._operator is None or not _same(made_from, self._made_from):
            self.release()
            weight, *others = (gate.contiguous(t) if gate.plain(t) else t for t in autocast.lower_packed(tensors, dtype))
            weight = weight.t() if gate.plain(weight) else weight  # the rest is refused
            gamma, bias, antiquant_scale = others
            self._operator = mmarn.Op(group, weight, gamma, bias=bias, antiquant_scale=antiquant_scale, **options)
            self._made_from = made_from
        return self._operator

    def release(self) -> None:
        """Frees the packed copy; the next call makes a new one. To be done before the group is closed."""
        operator, self._operator, self._made_from = self._operator, None, ()
        if operator is not None:
            operator.close()


def _state(tensor: Tensor | None) -> tuple | None:
    if tensor is None:
        return None
    if not gate.plain(tensor):  # which Op refuses, so it is never compared with another
        return (id(tensor),)
    return tensor.data_ptr(), tensor._version, tensor.dtype, tensor.shape, tensor.stride()


def _same(one: tuple, other: tuple) -> bool:
    return one[0] is other[0] and one[1] == other[1] and one[3] == other[3]
