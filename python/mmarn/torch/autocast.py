# SPDX-License-Identifier: MIT
"""Autocast on the CPU, as nn.Linear has it: floating-point arguments are cast to the region's dtype.

Torch's own register_autocast knows one dtype for ever, not the region's. The casts are above autograd, so gradients
come back in each tensor's own dtype. Float64 is left alone, as torch leaves it, and so are calls whose x1 holds
integers. A weight that is packed is cast when it is packed, not in every call.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mmarn._torch_gate import by_name

# Left alone when they are fp32, which the library takes beside 16-bit x1 and x2: y is then fp32 too, as the sum of
# nn.Linear's result and an fp32 residual is.
_FP32_STAYS = frozenset({"gamma", "residual"})

# What packed_mm_all_reduce_add_rms_norm packs, and casts then.
PACKED = ("weight", "gamma", "bias", "antiquant_scale")

# Sums keep their dtype, as torch's own do, and so does what moves rows; a norm alone takes what it is given.
_UNTOUCHED = frozenset({"add_rms_norm", "all_gather", "all_reduce", "only_on_rank_0", "reduce_scatter"})

_KEY = torch._C.DispatchKeySet(torch._C.DispatchKey.AutocastCPU)


def lower(name: str, value: object, dtype: torch.dtype | None) -> object:
    """The operator's argument of that name as autocast to dtype has it; None: there is no autocast."""
    if dtype is None or not isinstance(value, Tensor) or not value.is_floating_point():
        return value
    stays = value.dtype == torch.float64 or (value.dtype == torch.float32 and name in _FP32_STAYS)
    return value if stays else value.to(dtype)


def lower_packed(parameters: tuple | list, dtype: torch.dtype | None) -> list:
    """The same for what is packed, in PACKED's order."""
    return [lower(name, value, dtype) for name, value in zip(PACKED, parameters, strict=True)]


def register(library: torch.library.Library, name: str) -> None:
    """Makes the operator heed autocast. It is called again, below autocast, with what it is to get."""
    if name in _UNTOUCHED:
        return
    operator = getattr(torch.ops.mmarn, name).default
    named, first = by_name(operator), operator._schema.arguments[0].name
    later = PACKED if name == "packed_mm_all_reduce_add_rms_norm" else ()

    def kernel(*args, **kwargs):
        with torch._C._ExcludeDispatchKeyGuard(_KEY):
            given = named(args, kwargs)
            if not given[first].is_floating_point():
                return operator(*args, **kwargs)
            dtype = torch.get_autocast_dtype("cpu")
            cast = {name: value if name in later else lower(name, value, dtype) for name, value in given.items()}
            if later:
                cast["dtype"] = dtype
            result = operator(**cast)
            if name.endswith("_") and cast["residual"] is not given["residual"]:
                given["residual"].copy_(cast["residual"])
            return result

    library.impl(name, kernel, "AutocastCPU")
