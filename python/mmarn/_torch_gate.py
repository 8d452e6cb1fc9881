# SPDX-License-Identifier: MIT
"""The gate before operators of torch: what torch's dispatcher hands to their kernels, and what it would not.

mmarn.torch and mmarn.ascend rest on it, and it on _gate.py, which knows the reasons. A kernel passes to the library
whatever has one, so that the library refuses it, in one sentence, and tells the peers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch._subclasses import FakeTensor
from torch.autograd import forward_ad

import mmarn
from mmarn._gate import Refused, has_tangent, reason

__all__ = ["Refused", "TangentsRefused", "by_name", "contiguous", "guard", "guard_transforms", "on_one_device", "plain",
           "reason", "refuse", "telling_peers", "writable"]

_LAYERS = torch._C.DispatchKeySet(torch._C.DispatchKey.FuncTorchDynamicLayerFrontMode).add(
    torch._C.DispatchKey.FuncTorchDynamicLayerBackMode)


def plain(value: Any) -> bool:
    """May torch's own functions prepare this tensor for the library? For kernels of dense tensors on the CPU; cheap."""
    found = type(value)
    return (found is Tensor or found is torch.nn.Parameter) and (forward_ad._current_level < 0
                                                                 or not has_tangent(value))


def by_name(operator: Any) -> Callable[[tuple, dict], dict[str, Any]]:
    """What makes {name: value} of an operator's positional and keyword arguments, as far as they are given."""
    names = [argument.name for argument in operator._schema.arguments]
    return lambda args, options: dict(zip(names, args, strict=False)) | options


def contiguous(tensor: Tensor) -> Any:
    """A plain tensor, or a contiguous copy of it. Where its memory has been freed torch would read on, so not here."""
    if tensor.is_contiguous():
        return tensor
    reach = 1 + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
    held = tensor.untyped_storage().nbytes()
    if tensor.numel() and held < (tensor.storage_offset() + reach) * tensor.element_size():
        return Refused("has elements but no memory")
    return tensor.contiguous()


def writable(tensor: Any) -> Any:
    """The tensor, or what stands for it where its elements share memory, so that not all of them could be written."""
    if not plain(tensor) or not _overlaps(tensor):
        return tensor
    return Refused(f"is {tuple(tensor.shape)} with strides {tensor.stride()}, so that elements share memory and cannot "
                   "all be written; pass its clone()")


def _overlaps(tensor: Tensor) -> bool:
    """May two elements be the same memory? Each axis must step over all that the axes of smaller strides reach."""
    if tensor.is_contiguous() or tensor.numel() == 0:
        return False
    reach = 0
    for stride, size in sorted(zip(tensor.stride(), tensor.shape, strict=True)):
        if size > 1 and stride <= reach:
            return True
        reach += stride * (size - 1)
    return False


def _stand_in(value: Any) -> Any:
    refused = reason(value) if isinstance(value, Tensor) else None
    return Refused(refused) if refused else value


def _refusing(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """The kernel, with what it must refuse as Refused."""

    def refuse(*args: Any, **options: Any) -> Any:
        return kernel(*map(_stand_in, args), **{key: _stand_in(value) for key, value in options.items()})

    return refuse


def guard_transforms(library: torch.library.Library, operator: Any, kernel: Callable[..., Any]) -> None:
    """Brings tensors inside transforms of torch.func to the kernel, as Refused; calls without any go their way.

    Torch would lose their tangents without a word, and split batches into a call for each element.
    """
    wrapped = torch._C._functorch.is_functorch_wrapped_tensor
    refuse = _refusing(kernel)

    def transformed(*args: Any, **options: Any) -> Any:
        inside = any(isinstance(value, Tensor) and wrapped(value) for value in (*args, *options.values()))
        with torch._C._ExcludeDispatchKeyGuard(_LAYERS):
            return (refuse if inside else operator)(*args, **options)

    library.impl(_name(operator), transformed, "FuncTorchDynamicLayerFrontMode")


def guard(library: torch.library.Library, operator: Any, kernel: Callable[..., Any]) -> None:
    """Brings to an operator's kernel for the CPU what torch's dispatcher would not, or not right.

    Tensors of other layouts and devices come as Refused, and those inside transforms. (An operator that writes is made,
    for those, of the one that does not: _torch_effects.py.) The negative bit is resolved by
    torch for operators that write nothing; torch's way for the others wants the written tensor back as the result, so
    they get another. A ZeroTensor among their arguments, which could not be written, is refused.
    """
    for key in ("CompositeExplicitAutograd", "NestedTensorCPU", "AutogradNestedTensor"):
        if key != "CompositeExplicitAutograd" or not operator._schema.is_mutable:
            library.impl(_name(operator), _refusing(kernel), key)
    guard_transforms(library, operator, kernel)
    if operator._schema.is_mutable:
        library.impl(_name(operator), _refusing(kernel), "ZeroTensor")
        library.impl(_name(operator), _resolving(operator, kernel), "Negative")


def _name(operator: Any) -> str:
    return operator._schema.name.partition("::")[2]


def _resolved(value: Any) -> Any:
    return value.resolve_neg() if isinstance(value, Tensor) else value


def _resolving(operator: Any, kernel: Callable[..., Any]) -> Callable[..., Any]:
    """A kernel for calls with the negative bit on some tensor: resolved copies, of which the written are copied back."""
    writes = [argument.alias_info is not None and argument.alias_info.is_write
              for argument in operator._schema.arguments]

    def resolving(*args: Any, **options: Any) -> Any:
        if any(write and _overlaps(value) for write, value in zip(writes, args, strict=False)):
            return kernel(*args, **options)  # which refuses
        copies = [_resolved(value) for value in args]
        result = operator(*copies, **{key: _resolved(value) for key, value in options.items()})
        for write, value, copy in zip(writes, args, copies, strict=False):
            if write and value is not copy:
                value.detach().copy_(copy)
                if not value.is_inference():
                    torch.autograd.graph.increment_version(value)
        return result

    return resolving


class TangentsRefused:
    """In place of a library for torch.library.register_autograd: tangents are refused before autograd loses them."""

    def __init__(self, library: torch.library.Library, kernel: Callable[..., Any]) -> None:
        self._library, self._kernel = library, kernel

    def impl(self, name: str, autograd: Callable[..., Any], key: str, **options: Any) -> None:
        """As Library.impl."""

        def kernel(keyset: Any, *args: Any, **keywords: Any) -> Any:
            if forward_ad._current_level >= 0 and any(isinstance(t, Tensor) and has_tangent(t) for t in args):
                return self._kernel(*args, **keywords)
            return autograd(keyset, *args, **keywords)

        self._library.impl(name, kernel, key, **options)


@contextlib.contextmanager
def telling_peers(group: mmarn.Group) -> Iterator[None]:
    """Around work of one rank alone before a collective call: if it fails, the peers' call fails too.

    Otherwise they would wait for this rank until their deadline. What the library itself refuses it tells them.
    """
    try:
        yield
    except Exception as error:
        with contextlib.suppress(Exception):
            group.refuse(str(error))
        raise


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


def on_one_device(operator: Any, group: str, kernel: Callable[..., Any]) -> Callable[..., Any]:
    """An operator's kernel for meta and fake tensors, behind a look at the devices. group: that argument's name.

    Torch runs the kernel of the highest dispatch key among a call's tensors, and meta's is higher than the CPU's: one
    meta tensor among CPU tensors would lead to results that nobody writes.
    """
    named = by_name(operator)

    def checked(*args: Any, **options: Any) -> Any:
        given = named(args, options)
        _refuse_mixed(given[group], {key: value for key, value in given.items() if isinstance(value, Tensor)})
        return kernel(*args, **options)

    return checked
