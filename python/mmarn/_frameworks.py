# SPDX-License-Identifier: MIT
"""What only a framework's own Python functions can do: make arrays, count writes, say whether gradients are on.

The extension calls these by name. No framework is imported here before one of its arrays has been met.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from mmarn._gate import framework, kind, reason

__all__ = ["empty", "finish_jax", "kind", "maker", "numpy_uint16", "reason", "torch_bytes", "torch_grad",
           "torch_levels", "torch_written"]


def _framework(found: type) -> str:
    """'torch', 'numpy' or 'jax'."""
    name = framework(found)
    if not name:
        raise TypeError(f"mmarn cannot make new arrays of {found}; pass the arrays for the results")
    return name


def _numpy_like_jax(like: Any) -> Any:
    import numpy

    return numpy.empty(like.shape, like.dtype)


def maker(found: type) -> Callable[[Any], Any]:
    """The function that makes a new array like its argument, to be written into; for JAX a NumPy one."""
    name = _framework(found)
    if name == "jax":
        return _numpy_like_jax
    return sys.modules[name].empty_like


def empty(like: Any, shape: tuple[int, ...], dtype: str) -> Any:
    """A new array of like's framework, to be written into; for JAX a NumPy one."""
    if _framework(type(like)) == "torch":
        torch = sys.modules["torch"]
        return torch.empty(shape, dtype=getattr(torch, dtype), device="cpu")
    import numpy

    if dtype == "bfloat16":
        import ml_dtypes

        return numpy.empty(shape, ml_dtypes.bfloat16)
    return numpy.empty(shape, dtype)


def finish_jax(like: Any, written: Any) -> Any:
    """A NumPy array that has been written, as a JAX array where like lies."""
    import jax

    result = jax.device_put(written, like.sharding)
    if result.dtype != written.dtype:
        raise TypeError(f"the result is {written.dtype}, which JAX has only with jax_enable_x64")
    return result


def numpy_uint16() -> Any:
    """NumPy's uint16, the bits of a bfloat16."""
    import numpy

    return numpy.dtype("uint16")


def torch_bytes() -> tuple[Any, Any]:
    """The two dtypes of torch's whose elements are bytes."""
    return sys.modules["torch"].int8, sys.modules["torch"].uint8


def torch_grad() -> bool:
    """Are gradients being recorded by this thread?"""
    return sys.modules["torch"].is_grad_enabled()


def torch_levels() -> Any:
    """The module that tells by its _current_level whether tensors may have forward-mode tangents: 0 or more."""
    return sys.modules["torch.autograd.forward_ad"]


def torch_written() -> Callable[[Any], None]:
    """The function that counts a write, so that autograd notices when it needed the values from before."""
    return sys.modules["torch"].autograd.graph.increment_version
