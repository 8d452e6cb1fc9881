"""What may be attached to an array's memory, and what becomes of it: the one gate of every door.

A framework may give memory another meaning than that of the numbers in it: a mask, a unit, a packing, another sign, a
tangent, a device, a tracer. kind() judges a type, once, and reason() one tensor of torch; what neither objects to is
read where it lies. The extension (csrc/gate.c) asks kind() for each new type and reason() where a cheap look shows that
there is one; the operators of mmarn.torch and mmarn.ascend ask them for what torch's dispatcher hands them. Both answer
with the end of a sentence that begins with the argument's name. No framework is imported here.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["Refused", "TangentsRefused", "framework", "guard", "kind", "plain", "reason", "telling_peers", "writable"]


class Refused:
    """Stands for a tensor that torch's own functions cannot take, so that the library refuses it and tells the peers."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


def framework(kind: type) -> str:
    """'torch', 'numpy' or 'jax' for an array's type or one derived from it, else ''."""
    for base in kind.__mro__:
        root = str(base.__module__).partition(".")[0]
        if root in ("torch", "numpy"):
            return root
        if root in ("jax", "jaxlib"):
            return "jax"
    return ""


def _is(kind: type, module: str, *paths: str) -> bool:
    """Is it one of these types of a module?"""
    for path in paths:
        found: Any = sys.modules.get(module)
        for name in path.split("."):
            found = getattr(found, name, None)
        if kind is found:
            return True
    return False


def _derives(kind: type, module: str, path: str) -> bool:
    return any(_is(base, module, path) for base in kind.__mro__)


@functools.lru_cache(maxsize=256)
def kind(found: type) -> tuple[str, str | None]:
    """(framework of an array's type, '' or, for Refused, 'refused'; why no array of this type is taken, or None).

    A type that is derived from a framework's own can mean anything by its memory, so it is refused even where it adds
    nothing. A type that is nobody's speaks for itself by __dlpack__.
    """
    if found is Refused:
        return "refused", None
    name = framework(found)
    for module, base, own in (("torch", "Tensor", ("Tensor", "nn.Parameter")),
                              ("numpy", "ndarray", ("ndarray", "memmap"))):
        if _derives(found, module, base):
            if _is(found, module, *own):
                return name, None
            return name, (f"is {found}, a subclass of {module}.{base} that may give its memory another meaning; pass "
                          f"the plain {module}.{base} that is meant")
    if _derives(found, "jax", "core.Tracer"):
        return name, f"is {found}, which JAX traces without memory; call mmarn outside of jax.jit, jax.grad and jax.vmap"
    if not hasattr(found, "__dlpack__"):
        return name, (f"is {found}; it must be an array: of torch, NumPy, JAX, or another with __dlpack__, as "
                      "numpy.asarray makes of buffers")
    return (name if name == "jax" else ""), None


# Asked in this order; the first that is so is the reason. Each has its mend.
_OF_TORCH = (
    ("is_nested", "is a nested tensor; pass its to_padded_tensor()"),
    ("is_quantized", "is quantised by torch; pass its dequantize(), or its int_repr() with the scale"),
    ("is_neg", "has torch's negative bit, so that its memory has the other sign; pass its resolve_neg()"),
    ("is_conj", "has torch's conjugate bit; pass its resolve_conj()"),
    ("_is_zerotensor", "is a ZeroTensor of torch's, which has no memory; pass its clone()"),
)


def reason(value: Any) -> str | None:
    """Why a tensor of torch cannot be read or written where it lies; None where nothing speaks against it."""
    torch = sys.modules["torch"]
    if type(value) is Refused:
        return value.reason
    refused = kind(type(value))[1]
    if refused or not isinstance(value, torch.Tensor):
        return refused
    if torch._C._functorch.is_functorch_wrapped_tensor(value):
        return "is inside a transform of torch.func (vmap, grad, jvp), which mmarn does not follow; call mmarn outside"
    for question, answer in _OF_TORCH:
        asked = getattr(value, question)
        if asked() if callable(asked) else asked:
            return answer
    if value.layout is not torch.strided:
        return f"is {value.layout}; pass its to_dense()"
    if value.device.type != "cpu":
        return f"lies on {value.device}, but mmarn works on the CPU"
    if _has_tangent(value):
        return "has a forward-mode tangent, which would be lost; pass its unpack_dual().primal"
    if torch._is_functional_tensor(value):
        return "is being functionalised by torch and has no memory; call mmarn outside"
    return None


def _has_tangent(tensor: Any) -> bool:
    forward = sys.modules["torch.autograd.forward_ad"]
    if forward._current_level < 0:
        return False
    try:
        return forward.unpack_dual(tensor).tangent is not None
    except RuntimeError:  # below autograd, as while torch.func.linearize traces: it cannot be seen, so it may have one
        return True


# ------------------------------------------------------------------------------------------- operators of torch


def plain(value: Any) -> bool:
    """May torch's own functions prepare this tensor for the library? Cheap; for tensors of the CPU's dispatch key."""
    found = type(value)
    torch = sys.modules["torch"]
    if found is not torch.Tensor and found is not torch.nn.Parameter:
        return False
    return not _has_tangent(value)


def writable(tensor: Any) -> Any:
    """The tensor, or what stands for it where an operator cannot write into it."""
    refused = None if plain(tensor) else reason(tensor)
    if not refused and _overlaps(tensor):
        refused = (f"is {tuple(tensor.shape)} with strides {tensor.stride()}, so that elements share memory and cannot be "
                   "written; pass its clone()")
    return Refused(refused) if refused else tensor


def _overlaps(tensor: Any) -> bool:
    """May two elements be the same memory? Each axis must step over all that the axes of smaller strides reach."""
    if tensor.is_contiguous() or tensor.numel() == 0:
        return False
    reach = 0
    for stride, size in sorted(zip(tensor.stride(), tensor.shape, strict=True)):
        if size > 1 and stride <= reach:
            return True
        reach += stride * (size - 1)
    return False


def guard(library: Any, operator: Any, kernel: Callable[..., Any]) -> None:
    """Lets an operator refuse, with its peers told, what torch's dispatcher would not bring to its kernel for the CPU.

    That are tensors of other layouts and devices, and those inside transforms of torch.func, whose tangents and
    batches torch would lose or split into many calls. The negative bit is resolved by torch where an operator writes
    nothing; where one writes, the kernel does it, because torch's own way wants the written tensor back as the result.
    """
    torch = sys.modules["torch"]
    name = operator._schema.name.partition("::")[2]
    wrapped = torch._C._functorch.is_functorch_wrapped_tensor
    layers = torch._C.DispatchKeySet(torch._C.DispatchKey.FuncTorchDynamicLayerFrontMode)
    layers = layers.add(torch._C.DispatchKey.FuncTorchDynamicLayerBackMode)

    def refuse(*args: Any, **options: Any) -> Any:
        return kernel(*map(_stand_in, args), **{name: _stand_in(value) for name, value in options.items()})

    def transformed(*args: Any, **options: Any) -> Any:
        given = (*args, *options.values())
        if any(isinstance(value, torch.Tensor) and wrapped(value) for value in given):
            return refuse(*args, **options)
        with torch._C._ExcludeDispatchKeyGuard(layers):
            return operator(*args, **options)

    for key in ("CompositeExplicitAutograd", "NestedTensorCPU"):
        library.impl(name, refuse, key)
    library.impl(name, transformed, "FuncTorchDynamicLayerFrontMode")
    if operator._schema.is_mutable:
        for key in ("Negative", "ZeroTensor"):
            library.impl(name, torch.library.fallthrough_kernel, key)


class TangentsRefused:
    """In place of a library for torch.library.register_autograd: tangents are refused before autograd loses them."""

    def __init__(self, library: Any, kernel: Callable[..., Any]) -> None:
        self._library, self._kernel = library, kernel

    def impl(self, name: str, autograd: Callable[..., Any], key: str, **options: Any) -> None:
        torch = sys.modules["torch"]
        forward = sys.modules["torch.autograd.forward_ad"]

        def kernel(keyset: Any, *args: Any, **keywords: Any) -> Any:
            if forward._current_level >= 0 and any(isinstance(t, torch.Tensor) and _has_tangent(t) for t in args):
                return self._kernel(*args, **keywords)
            return autograd(keyset, *args, **keywords)

        self._library.impl(name, kernel, key, **options)


def _stand_in(value: Any) -> Any:
    refused = reason(value) if isinstance(value, sys.modules["torch"].Tensor) else None
    return Refused(refused) if refused else value


@contextlib.contextmanager
def telling_peers(group: Any) -> Iterator[None]:
    """Around work of one rank alone before a collective call of torch: if it fails, the peers' call fails too.

    Otherwise they would wait for this rank until their deadline. The library tells them when it is the one that
    refuses, so it is given a call that it must refuse; they read the text below in its sentence.
    """
    try:
        yield
    except Exception:
        import mmarn

        one = sys.modules["torch"].ones(1, 1, dtype=sys.modules["torch"].float16, device="cpu")
        with contextlib.suppress(Exception):
            mmarn.mm_all_reduce_add_rms_norm(one, one, one, one[0], group, reduce_op=f"see rank {group.rank}'s error")
        raise
