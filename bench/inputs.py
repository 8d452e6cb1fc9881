# SPDX-License-Identifier: MIT
"""The operands of a case for peers written in Python: the same numbers as inputs.c makes, as numpy arrays."""

from __future__ import annotations

import dataclasses

import numpy as np

GROUP = 128
EPSILON = 1e-6
STREAM_X1, STREAM_X2, STREAM_SCALE, STREAM_RESIDUAL, STREAM_GAMMA = 64, 128, 192, 256, 257


@dataclasses.dataclass
class Inputs:
    """Floats are fp32 and exact in the case's type; x2 of a quantised case is int8, also for int4."""

    x1: np.ndarray
    x2: np.ndarray
    scale: np.ndarray | None
    residual: np.ndarray
    gamma: np.ndarray


def levels(stream: int, *shape: int) -> np.ndarray:
    """Whole numbers from -128 to 127, each from a hash of its index."""
    count = int(np.prod(shape))
    x = np.arange(count, dtype=np.uint32)
    x ^= np.uint32(stream * 0x9E3779B9 & 0xFFFFFFFF)
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x7FEB352D)
    x ^= x >> np.uint32(15)
    x *= np.uint32(0x846CA68B)
    x ^= x >> np.uint32(16)
    return ((x & np.uint32(255)).astype(np.int16) - 128).astype(np.int8).reshape(shape)


def _scales(middle: float, *shape: int) -> np.ndarray:
    steps = (levels(STREAM_SCALE, *shape).astype(np.int32) + 128) & 3
    return (middle * (1 + 0.25 * steps)).astype(np.float32)


def make(kind: str, rows: int, k: int, n: int, rank: int, world: int) -> Inputs:
    """One rank's operands."""
    weight = 2.0 ** -((k * world - 1).bit_length() // 2)
    x1, x2 = levels(STREAM_X1 + rank, rows, k), levels(STREAM_X2 + rank, k, n)
    scale = None
    if kind == "int8":
        scale = _scales(weight / 4096, n)
    else:
        x1 = x1.astype(np.float32) / 64
    if kind == "f16-int8":
        scale = _scales(weight / 64, n)
    elif kind == "f16-int4":
        x2, scale = x2 >> 4, _scales(weight / 4, k // GROUP, n)
    elif kind != "int8":
        x2 = x2.astype(np.float32) * np.float32(weight / 128)
    residual = levels(STREAM_RESIDUAL, rows, n).astype(np.float32) / 64
    gamma = 1 + (levels(STREAM_GAMMA, n) >> 4).astype(np.float32) / 16
    return Inputs(x1, x2, scale, residual, gamma)
