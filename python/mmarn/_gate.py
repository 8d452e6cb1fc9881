# SPDX-License-Identifier: MIT
"""What may be attached to an array's memory, and what becomes of it: the one gate of every door.

A framework may give memory another meaning than that of the numbers in it: a mask, a unit, a packing, another sign, a
tangent, a device, a tracer. kind() judges a type, once, and reason() one tensor of torch; what neither objects to is
read where it lies. The extension (csrc/gate.c) asks kind() for each new type and reason() where a cheap look shows that
there is one; the operators of mmarn.torch and mmarn.ascend ask them for what torch's dispatcher hands them. Both answer
with the end of a sentence that begins with the argument's name. No framework is imported here.
"""

from __future__ import annotations

import functools
import sys
from typing import Any

__all__ = ["Refused", "framework", "has_tangent", "kind", "reason"]


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
    if has_tangent(value):
        return "has a forward-mode tangent, which would be lost; pass its unpack_dual().primal"
    if torch._is_functional_tensor(value):
        return "is being functionalised by torch and has no memory; call mmarn outside"
    return None


def has_tangent(tensor: Any) -> bool:
    """Has a tensor of torch a forward-mode tangent, at the innermost level?"""
    forward = sys.modules["torch.autograd.forward_ad"]
    if forward._current_level < 0:
        return False
    try:
        return forward.unpack_dual(tensor).tangent is not None
    except RuntimeError:  # below autograd, as while torch.func.linearize traces: it cannot be seen, so it may have one
        return True
