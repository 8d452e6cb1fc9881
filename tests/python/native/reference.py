# SPDX-License-Identifier: MIT
"""The operator in float64, and beside it how far the library's result may be from it: docs/numerics.md, section 3.

Written from that page alone; it shares nothing with the library or its C reference. A Chain is what one rank brings:
its exact partial and the variance of its rounding errors, in units of u squared.
"""

import dataclasses

import numpy

from floats import UNIT, half_ulp

LAMBDA = 8


@dataclasses.dataclass
class Chain:
    partial: numpy.ndarray  # (rows, n), exact
    variance: numpy.ndarray


def float_chain(x1, w, bias, rows=None):
    """x1 (rows, k) and w (k, n) in float64; bias (n) or None. Sums of s_i^2 over the exact partial sums s_i.

    rows: of k in one chain; None: all.
    """
    partial = numpy.zeros((x1.shape[0], w.shape[1]))
    variance = numpy.zeros_like(partial)
    for first in range(0, x1.shape[1], rows or x1.shape[1]):
        chain = numpy.zeros_like(partial)
        for p in range(first, min(first + (rows or x1.shape[1]), x1.shape[1])):
            chain += numpy.outer(x1[:, p], w[p])
            variance += chain**2
        partial = partial + chain
        if first > 0:
            variance += partial**2
    if bias is not None:
        partial = partial + bias
        variance += partial**2
    return Chain(partial, variance)


def sum_in_lanes(x1):
    """Rows summed in 32 lanes, which are then folded: the sums (rows), and those of the squares of what is rounded."""
    lanes = numpy.zeros((x1.shape[0], 32))
    squares = numpy.zeros(x1.shape[0])
    for p in range(x1.shape[1]):
        lanes[:, p % 32] += x1[:, p]
        squares += lanes[:, p % 32]**2
    while lanes.shape[1] > 1:
        half = lanes.shape[1] // 2
        lanes = lanes[:, :half] + lanes[:, half:]
        squares += numpy.sum(lanes**2, axis=1)
    return lanes[:, 0], squares


def integer_chain(x1, w, scale, offset, group, bias):
    """x1 (rows, k) times integers w (k, n), scaled run by run; scale and offset (k, n), or None."""
    k = x1.shape[1]
    partial = numpy.zeros((x1.shape[0], w.shape[1]))
    variance = numpy.zeros_like(partial)
    starts = sorted({*range(0, k, group), *range(0, k, 512)})
    for first, last in zip(starts, [*starts[1:], k]):
        run = x1[:, first:last]
        chain = float_chain(run, w[first:last].astype(numpy.float64), None)
        total, squares = chain.partial, chain.variance
        if offset is not None:
            t, t_squares = sum_in_lanes(run)
            total = total + numpy.outer(t, offset[first])
            squares = squares + numpy.outer(t_squares, offset[first]**2) + total**2
        partial = partial + total * scale[first]
        variance += squares * scale[first]**2 + partial**2
    if bias is not None:
        partial = partial + bias
        variance += partial**2
    return Chain(partial, variance)


def int8_chain(x1, w, bias, scale, x1_scale):
    """Integer sums are exact, modulo 2^32; then every product by a scale rounds, and so does the conversion."""
    total = x1.astype(numpy.int64) @ w.astype(numpy.int64) + (0 if bias is None else bias.astype(numpy.int64))
    partial = total.astype(numpy.uint32).astype(numpy.int32) * scale
    if x1_scale is not None:
        partial = partial * x1_scale[:, None]
    return Chain(partial, (2 if x1_scale is None else 3) * partial**2)


def tree_nodes(parts):
    """The sum of a list in the library's binary tree, and the inner nodes' values."""
    if len(parts) == 1:
        return parts[0], []
    split = 1 << ((len(parts) - 1).bit_length() - 1)
    left, left_nodes = tree_nodes(parts[:split])
    right, right_nodes = tree_nodes(parts[split:])
    return left + right, left_nodes + right_nodes + [left + right]


def sum_over_ranks(chains, numerics, dtype):
    """mm_out in float64 and the error that the library's may have."""
    parts = [chain.partial for chain in chains]
    prefixes = list(numpy.cumsum(parts, axis=0)[1:])
    mm_out, nodes = tree_nodes(parts)
    in_rank_order = numerics == "ascend"
    variance = sum(chain.variance for chain in chains) + sum(node**2 for node in (prefixes if in_rank_order else nodes))
    error = LAMBDA * UNIT * numpy.sqrt(variance)
    if numerics == "fp32" or dtype == "f32":
        return mm_out, error
    if in_rank_order:
        return mm_out, error + sum(half_ulp(numpy.abs(value) + error, dtype) for value in parts + prefixes)
    return mm_out, error + half_ulp(numpy.abs(mm_out) + error, dtype)


def norm(y, y_error, gamma, epsilon, numerics, dtype):
    """norm_out in float64 and its error, from an exact y and its error."""
    n = y.shape[-1]
    squares = numpy.sum(y**2, axis=-1, keepdims=True)
    error_squares = numpy.sum(y**2 * y_error**2, axis=-1, keepdims=True)
    rho_s = (2 * LAMBDA * numpy.sqrt(error_squares) + numpy.sum(y_error**2, axis=-1, keepdims=True)) / (
        squares + n * epsilon) + (n / 32 + 8) * UNIT
    rho_r = 0.51 * rho_s + 4 * UNIT
    rstd = 1 / numpy.sqrt(squares / n + epsilon)
    t = y * rstd
    t_error = y_error * rstd + numpy.abs(t) * rho_r + UNIT * numpy.abs(t)
    if numerics != "fp32" and dtype != "f32":
        t_error = t_error + half_ulp(numpy.abs(t) + t_error, dtype)
    out = t * gamma
    scaled = numpy.abs(gamma) * t_error
    return out, scaled + UNIT * numpy.abs(out) + half_ulp(numpy.abs(out) + scaled, dtype)


def expected(chains, residual, gamma, epsilon, numerics, dtype):
    """((y, its error), (norm_out, its error)); residual (rows, n) and gamma (n) in float64."""
    mm_out, error = sum_over_ranks(chains, numerics, dtype)
    y = mm_out + residual
    if numerics == "fp32":
        error = error + UNIT * numpy.abs(y)
    y_error = error + half_ulp(numpy.abs(y) + error, dtype)
    return (y, y_error), norm(y, y_error, gamma, epsilon, numerics, dtype)


def assert_close(name, got, pair):
    """Every element within its own error."""
    exact, error = pair
    got = numpy.asarray(got).astype(numpy.float64).reshape(exact.shape)
    wrong = ~(numpy.abs(got - exact) <= error)
    if wrong.any():
        at = tuple(numpy.argwhere(wrong)[0])
        raise AssertionError(f"{name}{list(map(int, at))} is {got[at]!r}, exactly {exact[at]!r} +- {error[at]:.3g}; "
                             f"{wrong.sum()} of {wrong.size} are off")
