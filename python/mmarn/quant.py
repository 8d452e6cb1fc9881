# SPDX-License-Identifier: MIT
"""Quantised weights: those of other formats as Op takes them, and the words of dequant_scale (int8 x int8, float16)."""

from __future__ import annotations

from typing import Any

from mmarn import _core
from mmarn._quant_formats import Weights, from_awq, from_compressed_tensors, from_gguf, from_gptq

__all__ = ["Weights", "from_awq", "from_compressed_tensors", "from_gguf", "from_gptq", "trans_quant_param"]


def trans_quant_param(scale: Any, offset: Any = None, round_mode: int = 0) -> Any:
    """64-bit words of scales and, optionally, offsets, as an int64 array of scale's framework.

    scale, offset: float32, contiguous, with equally many elements, or one. Word i: bits 13 to 31 are the upper 19 bits
    of the scale, truncated (round_mode 0) or rounded to nearest even (1); bits 37 to 45 the offset, rounded and clamped
    to -256 .. 255; bit 46 is 1. The result has the shape of the larger of the two.

    Errors: ValueError, TypeError.
    """
    return _core.trans_quant_param(scale, offset, round_mode)
