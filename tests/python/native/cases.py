# SPDX-License-Identifier: MIT
"""Inputs for whole calls: every scenario, with random data, and what the reference makes of them.

Arrays are NumPy's; bfloat16 is ml_dtypes'. A Case has one entry per rank in x1, x2, bias and x1_scale; ranks may hold
different slices of k. Nothing in it is zero but by chance.
"""

import dataclasses

import numpy

import reference
from floats import DTYPES, rounded

FLOAT = ["f16", "bf16", "f32"]
INT8 = ["int8-words-f16", "int8-f32-f16", "int8-bf16-bf16", "int8-f32-bf16", "int8-f32-f32"]
WEIGHTS = [f"{weights}-{dtype}" for weights in ("w8", "w4") for dtype in FLOAT]
SCENARIOS = FLOAT + INT8 + WEIGHTS


@dataclasses.dataclass
class Case:
    dtype: str
    x1: list
    x2: list
    bias: list
    x1_scale: list
    residual: numpy.ndarray
    gamma: numpy.ndarray
    options: list  # of each rank: keyword arguments of Op
    chains: list
    numerics: str = "default"
    epsilon: float = 0.3  # large enough to be missed where it is lost

    def expected(self):
        rows = self.residual.reshape(-1, self.gamma.size).astype(numpy.float64)
        epsilon = float(numpy.float32(self.epsilon))
        return reference.expected(self.chains, rows, self.gamma.astype(numpy.float64), epsilon, self.numerics,
                                  self.dtype)

    def op_options(self, rank):
        return {"bias": self.bias[rank], "epsilon": self.epsilon, "numerics": self.numerics, **self.options[rank]}

    def check(self, y, norm_out):
        want_y, want_norm = self.expected()
        reference.assert_close("y", y, want_y)
        reference.assert_close("norm_out", norm_out, want_norm)


def words(scale):
    """int64 words whose bits 13 to 31 are a scale's upper 19, and the scale that is left."""
    bits = scale.astype(numpy.float32).view(numpy.uint32) & numpy.uint32(0xFFFFE000)
    junk = numpy.uint64(0b1011) << numpy.uint64(40)  # bits that must be ignored
    return (bits.astype(numpy.uint64) | junk).view(numpy.int64), bits.view(numpy.float32).astype(numpy.float64)


def pack_nibbles(w):
    """(k, n) of -8 .. 7 as (k, n / 2) int8; the lower index in the lower four bits."""
    low, high = w[:, 0::2] & 15, w[:, 1::2] & 15
    return (low | high << 4).astype(numpy.uint8).view(numpy.int8)


def expand(w, scale, offset, dtype):
    """Weights as docs/numerics.md rounds them in numerics "ascend"; scale and offset (k, n) in float64."""
    inner = w if offset is None else w + offset
    if dtype == "f16":
        return rounded(rounded(inner, dtype) * scale, dtype)
    product = numpy.asarray(inner, numpy.float32).astype(numpy.float64) * scale
    return rounded(product, dtype)


def shapes_of_scale(mode, k, n, group):
    if mode == "group":
        return -(-k // group), n
    return {"tensor": (1,), "channel": (n,), "row": (1, n)}[mode]


def spread_scale(scale, mode, k, n, group):
    """A scale of any shape as (k, n)."""
    if mode == "group":
        return numpy.repeat(scale, group, axis=0)[:k]
    return numpy.broadcast_to(scale.reshape(1, -1), (k, n))


class Maker:
    """Draws the parts of a case from one generator."""

    def __init__(self, seed, rows, n, lead=None, numerics="default"):
        self.random = numpy.random.default_rng(seed)
        self.rows, self.n, self.lead, self.numerics = rows, n, lead or (rows,), numerics

    def floats(self, shape, dtype, scale=1.0):
        return (self.random.standard_normal(shape) * scale).astype(numpy.float32).astype(DTYPES[dtype])

    def ints(self, shape, low, high):
        return self.random.integers(low, high, shape, numpy.int64)

    def x1(self, k, dtype):
        return self.floats((*self.lead, k), dtype)

    def float_rank(self, k, dtype, has_bias):
        x1, x2 = self.x1(k, dtype), self.floats((k, self.n), dtype, k**-0.5)
        bias = self.floats(self.n, dtype) if has_bias else None
        wide = [None if a is None else a.astype(numpy.float64) for a in (x1.reshape(-1, k), x2, bias)]
        return x1, x2, bias, None, {}, reference.float_chain(*wide, None if dtype == "bf16" else 512)

    def int8_rank(self, k, scenario, has_bias, per_token, mode):
        _, kind, _ = scenario.split("-")
        x1 = self.ints((*self.lead, k), -128, 128).astype(numpy.int8)
        x2 = self.ints((k, self.n), -128, 128).astype(numpy.int8)
        bias = self.ints(self.n, -5000, 5000).astype(numpy.int32) if has_bias else None
        raw = self.random.uniform(0.5, 2, shapes_of_scale(mode, k, self.n, 0)) * k**-0.5 / 5000
        if kind == "words":
            scale, exact = words(raw)
        else:
            scale = raw.astype(numpy.float32).astype(DTYPES[kind])
            exact = scale.astype(numpy.float64)
        x1_scale = self.random.uniform(0.5, 2, self.rows).astype(numpy.float32) if per_token else None
        chain = reference.int8_chain(x1.reshape(-1, k), x2, bias, exact.reshape(1, -1),
                                     None if x1_scale is None else x1_scale.astype(numpy.float64))
        return x1, x2, bias, x1_scale, {"dequant_scale": scale}, chain

    def weight_rank(self, k, scenario, has_bias, has_offset, mode):
        weights, dtype = scenario.split("-")
        group = 32 if mode == "group" else 0
        x1 = self.x1(k, dtype)
        limit = 128 if weights == "w8" else 8
        w = self.ints((k, self.n), -limit, limit)
        shape = shapes_of_scale(mode, k, self.n, group)
        scale = (self.random.uniform(0.5, 2, shape) * k**-0.5 / limit).astype(numpy.float32).astype(DTYPES[dtype])
        offset = self.floats(shape, dtype, limit / 8) if has_offset else None
        bias = self.floats(self.n, dtype) if has_bias else None
        wide = [None if a is None else spread_scale(a.astype(numpy.float64), mode, k, self.n, group)
                for a in (scale, offset)]
        exact = x1.reshape(-1, k).astype(numpy.float64), None if bias is None else bias.astype(numpy.float64)
        if self.numerics == "ascend":
            chain = reference.float_chain(exact[0], expand(w, *wide, dtype), exact[1])
        else:
            chain = reference.integer_chain(exact[0], w, *wide, group or k, exact[1])
        options = {"antiquant_scale": scale, "antiquant_offset": offset, "antiquant_group_size": group}
        if weights == "w4":
            return x1, pack_nibbles(w), bias, None, {**options, "x2_dtype": "int4"}, chain
        return x1, w.astype(numpy.int8), bias, None, options, chain


def output_dtype(scenario):
    return scenario.split("-")[-1]


def make_case(scenario, seed, ks, rows, n, *, lead=None, has_bias=False, numerics="default", mode="channel",
              per_token=False, has_offset=False):
    """ks: the slice of k of each rank. lead: x1's and residual's leading sizes, of rows in all."""
    maker = Maker(seed, rows, n, lead, numerics)
    made = []
    for rank, k in enumerate(ks):
        biased = has_bias and rank % 2 == 0
        if scenario in FLOAT:
            made.append(maker.float_rank(k, scenario, biased))
        elif scenario in INT8:
            made.append(maker.int8_rank(k, scenario, biased, per_token, mode))
        else:
            made.append(maker.weight_rank(k, scenario, biased, has_offset, mode))
    dtype = output_dtype(scenario)
    x1, x2, bias, x1_scale, options, chains = (list(column) for column in zip(*made))
    return Case(dtype, x1, x2, bias, x1_scale, maker.floats((*maker.lead, n), dtype), maker.floats(n, dtype), options,
                chains, numerics)
