# SPDX-License-Identifier: MIT
"""A residual stream and gamma in float32 beside 16-bit x1 and x2: y stays float32, new norm_outs are of x1's type.

y is known to the bit: mm_out rounded to x1's type, plus residual. norm_out is within two roundings of float64.
"""

import numpy
import pytest

import mmarn
from floats import half_ulp
from producers import back, to_jax, to_torch

ROWS, K, N = 5, 96, 40
MAKERS = {"numpy": lambda array: array, "torch": to_torch, "jax": to_jax}
DTYPES = {"f16": "float16", "bf16": "bfloat16"}


@pytest.fixture
def group():
    with mmarn.Group() as group:
        yield group


@pytest.fixture
def random(seed):
    return numpy.random.default_rng(seed)


def narrow(name, values):
    if name == "float16":
        return values.astype(numpy.float16)
    return values.astype(pytest.importorskip("ml_dtypes").bfloat16)


def check(found, y, gamma, dtype):
    """found is (y, norm_out) as its framework has them; y is what must come out."""
    got_y, got_norm = (back(array) for array in found)
    assert got_y.dtype == numpy.float32 and got_norm.dtype.name == dtype
    assert got_y.tobytes() == y.tobytes()
    exact = y.astype(numpy.float64)
    exact = exact / numpy.sqrt((exact**2).mean(-1, keepdims=True) + 1e-6) * gamma
    short = "f16" if dtype == "float16" else "bf16"
    assert (numpy.abs(got_norm.astype(numpy.float64) - exact) <= 1.01 * half_ulp(numpy.abs(exact), short)).all()


@pytest.mark.parametrize("framework", MAKERS)
@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
def test_floats(group, random, dtype, framework):
    make = MAKERS[framework]
    x1, x2 = (narrow(dtype, random.standard_normal(shape)) for shape in ((ROWS, K), (K, N)))
    residual, gamma = (random.standard_normal(shape).astype(numpy.float32) for shape in ((ROWS, N), N))
    op = mmarn.Op(group, make(x2), make(gamma))
    mm_out = narrow(dtype, back(op.matmul(make(x1))))
    y = mm_out.astype(numpy.float32) + residual
    for found in (op(make(x1), make(residual)),
                  mmarn.mm_all_reduce_add_rms_norm(make(x1), make(x2), make(residual), make(gamma), group),
                  group.all_reduce_add_rms_norm(make(mm_out), make(residual), make(gamma))):
        check(found, y, gamma, dtype)


@pytest.mark.parametrize("numerics", ["default", "fp32"])
def test_huge_rows(group, random, numerics):
    """Squares beyond float32 in a bfloat16 row, whose norm is that of the row 1e19 times smaller."""
    dtype = pytest.importorskip("ml_dtypes").bfloat16
    residual = (random.uniform(0.5, 1, (ROWS, N)) * 1e19).astype(dtype)
    x = (random.standard_normal((ROWS, N)) * 1e17).astype(dtype)
    gamma = random.uniform(0.5, 2, N).astype(dtype)
    y, norm_out = group.all_reduce_add_rms_norm(x, residual, gamma, numerics=numerics)
    exact = y.astype(numpy.float64)
    exact = exact / numpy.sqrt((exact**2).mean(-1, keepdims=True)) * gamma.astype(numpy.float64)
    assert (numpy.abs(norm_out.astype(numpy.float64) - exact) <= 2.02 * half_ulp(2 * numpy.abs(exact), "bf16")).all()
    _, original = group.all_reduce_add_rms_norm(x, residual, gamma, numerics="ascend")
    assert not original.astype(numpy.float32).any(), "the original's rounding makes these rows zero"


# gamma's type and dequant_scale's -> norm_out's, beside a residual in float32.
INT8 = [("float16", "words", "float16"), ("float32", "words", "float16"), ("bfloat16", "bfloat16", "bfloat16"),
        ("float32", "bfloat16", "bfloat16"), ("bfloat16", "float32", "bfloat16"), ("float32", "float32", "float32")]


@pytest.mark.parametrize(("gamma", "scale", "dtype"), INT8)
def test_int8(group, random, gamma, scale, dtype):
    x1, x2 = (random.integers(-100, 100, shape).astype(numpy.int8) for shape in ((ROWS, K), (K, N)))
    residual = random.standard_normal((ROWS, N)).astype(numpy.float32)
    scales = random.uniform(1e-5, 1e-4, N).astype(numpy.float32)
    scales = mmarn.trans_quant_param(scales) if scale == "words" else (
        scales if scale == "float32" else narrow(scale, scales))
    weights = random.standard_normal(N).astype(numpy.float32)
    weights = weights if gamma == "float32" else narrow(gamma, weights)
    op = mmarn.Op(group, x2, weights, dequant_scale=scales)
    mm_out = op.matmul(x1)
    if dtype != "float32":
        mm_out = narrow(dtype, mm_out).astype(numpy.float32)
    for y, norm_out in (op(x1, residual), mmarn.mm_all_reduce_add_rms_norm(x1, x2, residual, weights, group,
                                                                            dequant_scale=scales)):
        assert y.tobytes() == (mm_out + residual).tobytes() and norm_out.dtype.name == dtype


def test_what_does_not_fit(group, random):
    half, wide = numpy.ones((ROWS, K), numpy.float16), random.standard_normal((ROWS, N)).astype(numpy.float32)
    op = mmarn.Op(group, numpy.ones((K, N), numpy.float16), wide[0])
    poison = numpy.full((ROWS, N), 7, numpy.float16)
    for options, sentence in (({"y": poison}, "y is f16 but residual is f32"),
                              ({"norm_out": wide.copy()}, "norm_out is f32 but x2 is f16")):
        with pytest.raises(TypeError, match=sentence):
            op(half, wide, **options)
    assert (poison == 7).all()
    with pytest.raises(TypeError, match="residual is bf16 but x2 is f16; it must be f16 or f32"):
        op(half, wide.astype(pytest.importorskip("ml_dtypes").bfloat16))
    with pytest.raises(TypeError, match="gamma is f16 but x2 is f32"):
        mmarn.Op(group, numpy.ones((K, N), numpy.float32), half[0, :N])
