# SPDX-License-Identifier: MIT
"""Weights of GPTQ, AWQ, compressed-tensors and GGUF as the operator takes them, without loss.

Every format stores integers q, and a scale and perhaps a zero point for each group of rows of k and each column:
w = (q - zero) * scale. The operator's w is (q + offset) * scale with signed q. So only bits move, and integers are
shifted: no scale is touched, and no weight is rounded.
"""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["Weights", "from_awq", "from_compressed_tensors", "from_gguf", "from_gptq"]

_AWQ_ORDER = [0, 4, 1, 5, 2, 6, 3, 7]  # the place in a word of each of eight columns; with 8 bits the first four
_GGUF_BLOCK = 32


class Weights(NamedTuple):
    """A layer's weights: Op(group, weights.x2, gamma, **weights.options()).

    x2: int8 (k, n), or int4 as a uint8 view (k / 2, n) of two rows of k in each byte, the lower in the lower four bits.
    antiquant_scale: (groups, n) or (1, n), of the checkpoint's dtype. antiquant_offset: the same shape, or None if all
    offsets are 0. The operator wants both in x1's dtype: float16 is exact in float32, and bfloat16 too.
    antiquant_group_size: rows of k in a group; 0: all.
    """

    x2: Any
    antiquant_scale: Any
    antiquant_offset: Any
    antiquant_group_size: int
    x2_dtype: str | None

    def options(self) -> dict[str, Any]:
        """All but x2, as Op's keyword arguments."""
        return {name: value for name, value in self._asdict().items() if name != "x2"}


def from_gptq(qweight: Any, qzeros: Any, scales: Any, g_idx: Any = None, *, bits: int = 4,
              group_size: int = -1, zeros_plus_one: bool = True) -> Weights:
    """Weights of GPTQ (AutoGPTQ, GPTQModel): a layer's tensors, by their names in the checkpoint.

    qweight: int32 (k * bits / 32, n), rows of k packed, the first lowest. qzeros: int32 (groups, n * bits / 32).
    scales: (groups, n). g_idx: (k), the group of each row, or None. bits: 4 or 8. group_size: rows in a group, as the
    checkpoint's configuration has it; -1: all. zeros_plus_one: qzeros holds each zero point less one, modulo 2^bits (the
    checkpoint format "gptq"); False for "gptq_v2", which holds it as it is.

    Errors: ValueError (shapes that do not fit, other bits, rows ordered by activation), TypeError (dtypes).
    """
    words = _integers("qweight", qweight, 2, ("int32", "uint32"))
    per_word = 32 // _checked_bits(bits)
    k, n = words.shape[0] * per_word, words.shape[1]
    size, groups = _groups(k, group_size)
    _expect("scales", scales, (groups, n))
    zeros = _integers("qzeros", qzeros, 2, ("int32", "uint32"))
    _expect("qzeros", zeros, (groups, n // per_word))
    _refuse_activation_order("g_idx", g_idx, k, size)
    half, mask = 1 << (bits - 1), (1 << bits) - 1
    q = _unpack(words.T, bits).T
    zero = (_unpack(zeros, bits) + bool(zeros_plus_one)) & mask
    return _weights(q - half, half - zero, scales, bits, size)


def from_awq(qweight: Any, qzeros: Any, scales: Any, *, bits: int = 4, group_size: int = -1) -> Weights:
    """Weights of AWQ (AutoAWQ's "gemm"): the tensors of a layer, by their names in the checkpoint.

    qweight: int32 (k, n * bits / 32), columns packed in AWQ's order. qzeros: int32 (groups, n * bits / 32). scales:
    (groups, n). bits: 4. group_size: rows in a group; -1: all.

    Errors: ValueError (shapes that do not fit, other bits), TypeError (dtypes).
    """
    if bits != 4:
        raise ValueError(f"bits is {bits!r}, but AWQ's order of columns is that of 4")
    words = _integers("qweight", qweight, 2, ("int32", "uint32"))
    k, n = words.shape[0], words.shape[1] * 8
    size, groups = _groups(k, group_size)
    _expect("scales", scales, (groups, n))
    zeros = _integers("qzeros", qzeros, 2, ("int32", "uint32"))
    _expect("qzeros", zeros, (groups, n // 8))
    q, zero = (_unpack(packed, 4).reshape(-1, n // 8, 8)[:, :, _AWQ_ORDER].reshape(-1, n) for packed in (words, zeros))
    return _weights(q - 8, 8 - zero, scales, 4, size)


def from_compressed_tensors(weight: Any, weight_scale: Any, weight_zero_point: Any = None, weight_g_idx: Any = None, *,
                            weight_shape: Any = None, bits: int = 4) -> Weights:
    """Weights of compressed-tensors (llm-compressor): the tensors of a layer, by their names in the checkpoint.

    weight: weight_packed of "pack-quantized", int32 (n, ceil(k * bits / 32)), or weight of "int-quantized", int8 (n, k)
    of `bits` bits. weight_scale: (n, groups), (n, 1) or (1). weight_zero_point: int8 of weight_scale's shape, or int32
    packed along n, or None. weight_g_idx: (k) or None. weight_shape: (n, k), for a packed k that does not fill its
    words. bits: 4 or 8. Groups have k / groups rows.

    Errors: ValueError (shapes that do not fit, other bits, rows ordered by activation), TypeError (dtypes).
    """
    half = 1 << (_checked_bits(bits) - 1)
    stored = _integers("weight", weight, 2, ("int8", "int32"))
    n, k = (int(size) for size in (stored.shape if weight_shape is None else weight_shape))
    if stored.dtype == "int8":
        _expect("weight", stored, (n, k))
        q = stored.astype("int32")
    else:
        k = k if weight_shape is not None else k * 32 // bits
        _expect("weight", stored, (n, -(-k * bits // 32)))
        q = _unpack(stored, bits)[:, :k] - half
    scale = _columns("weight_scale", weight_scale, n)
    groups = scale.shape[0]
    if groups == 0 or k % groups:
        raise ValueError(f"weight_scale has {groups} groups, which do not divide the {k} rows of k")
    size, _ = _groups(k, k // groups)
    _refuse_activation_order("weight_g_idx", weight_g_idx, k, size)
    offset = None if weight_zero_point is None else -_compressed_zeros(weight_zero_point, bits, n, groups)
    return _weights(q.T, offset, scale, bits, size)


def from_gguf(data: Any, kind: str) -> Weights:
    """Weights of GGUF: the bytes of a tensor, as gguf.GGUFReader gives them.

    data: uint8 (n, bytes of a row): blocks of 32 elements of k. kind: "q8_0" (a float16 scale and 32 int8) or "q4_0" (a
    float16 scale and 16 bytes, with elements 0 .. 15 in the lower four bits and 16 .. 31 in the upper ones). Groups
    have 32 rows.

    Errors: ValueError (another kind, rows that are not whole blocks), TypeError (dtypes).
    """
    sizes = {"q8_0": 2 + 32, "q4_0": 2 + 16}
    if kind not in sizes:
        raise ValueError(f"kind is {kind!r}, but must be 'q8_0' or 'q4_0'")
    rows = _integers("data", data, 2, ("uint8",))
    n, length = rows.shape
    if length == 0 or length % sizes[kind]:
        raise ValueError(f"data has rows of {length} bytes, which are not whole blocks of {sizes[kind]} ({kind})")
    blocks = _contiguous(rows).reshape(n, -1, sizes[kind])
    k = blocks.shape[1] * _GGUF_BLOCK
    scale = _wrap(_contiguous(blocks[:, :, :2]).view("float16").reshape(n, -1).T, data)
    values = _contiguous(blocks[:, :, 2:])
    q = values.view("int8") if kind == "q8_0" else _nibbles(values).astype("int8") - 8
    return _weights(q.reshape(n, k).T, None, scale, 8 if kind == "q8_0" else 4, _GGUF_BLOCK)


# --------------------------------------------------------------------------------------------------------------- bits


def _unpack(words: Any, bits: int) -> Any:
    """int32 (a, b) of packed integers as int32 (a, b * 32 / bits), from 0 on; the lowest bits come first."""
    import numpy

    shifts = numpy.arange(0, 32, bits, dtype=numpy.uint32)
    parts = _contiguous(words).view(numpy.uint32)[:, :, None] >> shifts & numpy.uint32((1 << bits) - 1)
    return parts.reshape(words.shape[0], -1).astype(numpy.int32)


def _nibbles(values: Any) -> Any:
    """Bytes (..., b) as (..., 2 b): first all lower halves, then all upper ones."""
    import numpy

    return numpy.concatenate([values & 15, values >> 4], axis=-1)


def _pack_rows(q: Any) -> Any:
    """Integers -8 .. 7, (k, n), as the view (k / 2, n) of contiguous columns that the operator takes for int4."""
    columns = _contiguous(q.T).astype("uint8") & 15
    return (columns[:, 0::2] | columns[:, 1::2] << 4).T


def _compressed_zeros(zero_point: Any, bits: int, n: int, groups: int) -> Any:
    """Signed zero points, (groups, n)."""
    zeros = _integers("weight_zero_point", zero_point, None, ("int8", "int32"))
    if zeros.dtype == "int32":
        _expect("weight_zero_point", zeros, (-(-n * bits // 32), groups))
        return _unpack(zeros.T, bits)[:, :n] - (1 << (bits - 1))
    return _columns("weight_zero_point", zeros, n).astype("int32")


# -------------------------------------------------------------------------------------------------- arrays and checks


def _weights(q: Any, offset: Any, scales: Any, bits: int, size: int) -> Weights:
    """Signed q (k, n); offset (groups, n), or None."""
    k = q.shape[0]
    if bits == 4 and k % 2:
        raise ValueError(f"k is {k}, but int4 weights need an even number of rows")
    packed = _pack_rows(q) if bits == 4 else _contiguous(q.T).astype("int8").T
    return Weights(
        x2=_wrap(packed, scales),
        antiquant_scale=scales,
        antiquant_offset=_wrap(offset, scales, like_dtype=True) if offset is not None and offset.any() else None,
        antiquant_group_size=0 if size == k else size,
        x2_dtype="int4" if bits == 4 else None,
    )


def _is_torch(array: Any) -> bool:
    return type(array).__module__.partition(".")[0] == "torch"


def _wrap(array: Any, like: Any, *, like_dtype: bool = False) -> Any:
    """A NumPy array as one of like's framework, torch or NumPy, and of its dtype if wanted."""
    if not _is_torch(like):
        return array.astype(like.dtype) if like_dtype else array
    import torch

    tensor = torch.from_numpy(array)
    return tensor.to(like.dtype) if like_dtype else tensor


def _contiguous(array: Any) -> Any:
    import numpy

    return numpy.ascontiguousarray(array)


def _integers(name: str, array: Any, dimensions: int | None, dtypes: tuple[str, ...]) -> Any:
    """The array as NumPy's. Errors: TypeError, ValueError."""
    import numpy

    if _is_torch(array):
        array = array.detach().cpu().numpy()
    array = numpy.asarray(array)
    if array.dtype.name not in dtypes:
        raise TypeError(f"{name} is {array.dtype.name}, but must be {' or '.join(dtypes)}")
    if dimensions is not None and array.ndim != dimensions:
        raise ValueError(f"{name} has {array.ndim} dimensions, but must have {dimensions}")
    return array


def _columns(name: str, values: Any, n: int) -> Any:
    """(n, groups), (n, 1), (n) or (1) values, as (groups, n) or (1, n); of the framework that they came in."""
    shape = tuple(values.shape)
    if shape in ((1,), ()):
        return values.reshape(1, 1).repeat(*((1, n) if _is_torch(values) else (n, 1)))
    if shape == (n,):
        return values.reshape(1, n)
    if len(shape) != 2 or shape[0] != n:
        raise ValueError(f"{name} has the shape {shape}, but must be ({n}, groups), ({n}, 1) or (1)")
    return values.T


def _expect(name: str, array: Any, shape: tuple[int, ...]) -> None:
    if tuple(array.shape) != shape:
        raise ValueError(f"{name} has the shape {tuple(array.shape)}, but the other tensors make it {shape}")


def _checked_bits(bits: int) -> int:
    if bits not in (4, 8):
        raise ValueError(f"bits is {bits!r}, but must be 4 or 8")
    return bits


def _groups(k: int, group_size: int) -> tuple[int, int]:
    """Rows in a group, and the number of groups. Errors: ValueError."""
    size = k if group_size == -1 else group_size
    if k == 0 or size <= 0 or k % size:
        raise ValueError(f"group_size is {group_size}, which does not divide the {k} rows of k")
    if size != k and size % 32:
        raise ValueError(f"group_size is {group_size}, but the operator's groups are multiples of 32 rows")
    return size, k // size


def _refuse_activation_order(name: str, g_idx: Any, k: int, size: int) -> None:
    """Errors: ValueError."""
    import numpy

    if g_idx is None:
        return
    groups = _integers(name, g_idx, 1, ("int32", "int64"))
    _expect(name, groups, (k,))
    wrong = numpy.flatnonzero(groups != numpy.arange(k) // size)
    if wrong.size and not (groups == -1).all():
        row = int(wrong[0])
        raise ValueError(f"{name} puts row {row} into group {int(groups[row])} instead of {row // size}: rows ordered "
                         "by activation (desc_act) cannot be expressed; quantise without it, or with static_groups")
