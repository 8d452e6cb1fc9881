"""Which tensors the operators take: dense ones, all on the CPU or all on meta; others are refused in one sentence.

Torch runs the kernel of the highest dispatch key among a call's tensors, and meta's is higher than the CPU's: one meta
tensor among CPU tensors leads to the meta kernel, whose results nobody writes. So that kernel looks at all devices. A
kernel for every other backend and layout (sparse, quantised, nested, CUDA) does nothing but refuse, where torch would
print a page. Tangents of forward-mode differentiation are refused where the values are computed. As when the library
refuses a call, the other ranks hear of it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch._subclasses import FakeTensor
from torch.autograd import forward_ad

import mmarn


def arguments_of(name: str) -> list[str]:
    """The names of the operator's arguments, in order."""
    return [argument.name for argument in getattr(torch.ops.mmarn, name).default._schema.arguments]


def _given(arguments: list[str], args: tuple, kwargs: dict) -> tuple[str, dict[str, Tensor]]:
    """(the group's name, the tensors by argument) of a call."""
    given = dict(zip(arguments, args, strict=False)) | kwargs
    return given["group"], {name: value for name, value in given.items() if isinstance(value, Tensor)}


def tell_others(group: str, tensors: Iterable[Tensor]) -> None:
    """Lets the group's other ranks, which may wait in the call that is refused here, hear of it.

    A call that the library itself refuses does that. Nothing is told while a compiler or fake mode tries the call.
    """
    if not torch.compiler.is_compiling() and not any(isinstance(tensor, FakeTensor) for tensor in tensors):
        with contextlib.suppress(Exception):
            mmarn.find_group(group).all_reduce(None)


def refuse_mixed(tensors: dict[str, Tensor]) -> None:
    """Errors: RuntimeError, as torch's own (some tensors on meta and some not, or on a device that is neither)."""
    on_meta = next((name for name, tensor in tensors.items() if tensor.is_meta), None)
    other = next((name for name, tensor in tensors.items() if not tensor.is_meta), None)
    if on_meta and other:
        raise RuntimeError(f"{on_meta} is on meta, but {other} is on {tensors[other].device}; all or none may be")
    for name, tensor in tensors.items():
        if tensor.device.type not in ("cpu", "meta"):
            raise RuntimeError(f"{name} is on {tensor.device}, but mmarn works on the CPU")


def refuse_layouts(name: str, tensors: dict[str, Tensor]) -> None:
    """Errors: TypeError (a tensor that is not dense)."""
    for argument, tensor in tensors.items():
        kind = _kind(tensor)
        if kind:
            raise TypeError(f"{argument} is {kind}, but mmarn::{name} takes dense tensors")


def for_meta(name: str, kernel: Callable) -> Callable:
    """kernel, which makes the operator's results from shapes alone, behind a look at the devices."""
    arguments = arguments_of(name)

    def checked(*args, **kwargs):
        group, tensors = _given(arguments, args, kwargs)
        try:
            refuse_mixed(tensors)
        except RuntimeError:
            tell_others(group, tensors.values())
            raise
        return kernel(*args, **kwargs)

    return checked


def for_cpu(name: str, kernel: Callable) -> Callable:
    """kernel, which computes, but not where forward-mode derivatives are taken: it would give zero for them.

    The tensors do not tell, because torch.func.jvp has taken the tangents off them before it calls a kernel.
    """
    arguments = arguments_of(name)

    def checked(*args, **kwargs):
        if forward_ad._current_level >= 0:
            tell_others(_given(arguments, args, kwargs)[0], ())
            raise RuntimeError(f"mmarn::{name} would drop tangents, because it has no forward-mode derivative")
        return kernel(*args, **kwargs)

    return checked


# The last two are outside torch's alias for all backends.
THE_REST = ("CompositeExplicitAutograd", "NestedTensorCPU", "AutogradNestedTensor")


def for_the_rest(name: str) -> Callable:
    """A kernel for every other backend and layout, which refuses."""
    arguments = arguments_of(name)

    def refuse(*args, **kwargs):
        group, tensors = _given(arguments, args, kwargs)
        tell_others(group, tensors.values())
        refuse_layouts(name, tensors)
        refuse_mixed(tensors)
        raise AssertionError("a dense tensor of the CPU or meta has kernels of its own")

    return refuse


def _kind(tensor: Tensor) -> str | None:
    """What is special about how the tensor holds its elements, or None."""
    if tensor.is_nested:
        return "a nested tensor"
    if tensor.is_quantized:
        return f"quantised ({tensor.dtype})"
    return None if tensor.layout is torch.strided else f"of the layout {tensor.layout}"
