# SPDX-License-Identifier: MIT
"""Weights rounded to int8 or int4, symmetrically: w is about integer * scale. Groups of columns share a scale."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_LARGEST = {"int8": 127, "int4": 7}
_USUAL_GROUP = {"int8": 0, "int4": 128}


def checked_group(kind: str, group_size: int | None, in_features: int) -> int:
    """Columns of weight that share a scale; 0: all. Errors: ValueError."""
    if kind not in _LARGEST:
        raise ValueError(f"kind is {kind!r}, but must be 'int8' or 'int4'")
    if kind == "int4" and in_features % 2:
        raise ValueError(f"weight has {in_features} columns, but int4 needs an even number")
    size = _USUAL_GROUP[kind] if group_size is None else group_size
    if size < 0 or size % 32:
        raise ValueError(f"group_size is {size}, but must be 0 (all columns) or a multiple of 32")
    return size if size < in_features else 0


def rounded(weight: Tensor, kind: str, size: int) -> tuple[Tensor, Tensor]:
    """(integers, scale) of a weight (n, k), whose dtype scale has.

    int8: int8 (n, k). int4: uint8 (n, k / 2), the column with the lower index in the lower four bits. scale: (n), or
    (groups, n) if size is not 0; the last group may have fewer columns.
    """
    n, k = weight.shape
    width = size or k
    groups = -(-k // width)
    padded = F.pad(weight.float(), (0, groups * width - k)).view(n, groups, width)
    # Rounded to its final dtype first, so that the integers suit the scale that is used; 1 where a group is zero.
    scale = (padded.abs().amax(dim=2) / _LARGEST[kind]).to(weight.dtype)
    scale = torch.where(scale == 0, 1, scale)
    most = _LARGEST[kind]
    integers = (padded / scale.float()[:, :, None]).round().clamp(-most, most).to(torch.int8).view(n, -1)[:, :k]
    if kind == "int4":
        nibbles = integers.to(torch.uint8) & 15  # two's complement
        integers = nibbles[:, 0::2] | nibbles[:, 1::2] << 4
    return integers.contiguous(), scale.t().contiguous() if size else scale[:, 0]
