# SPDX-License-Identifier: MIT
"""The output types, seen from float64: rounding to one, and half the distance between its neighbours."""

import ml_dtypes
import numpy

UNIT = 2.0**-24  # the unit roundoff of fp32

DTYPES = {"f16": numpy.dtype(numpy.float16), "bf16": numpy.dtype(ml_dtypes.bfloat16),
          "f32": numpy.dtype(numpy.float32)}
FRACTION_BITS = {"f16": 10, "bf16": 7, "f32": 23}
LEAST_EXPONENT = {"f16": -14, "bf16": -126, "f32": -126}


def rounded(values, dtype):
    """values in the type, as float64 again.

    Through fp32 first, which is innocuous for f16 and what the chains of docs/numerics.md say for bf16.
    """
    return numpy.asarray(values, numpy.float32).astype(DTYPES[dtype]).astype(numpy.float64)


def half_ulp(values, dtype):
    exponents = numpy.frexp(numpy.abs(values))[1] - 1
    return 2.0 ** (numpy.maximum(exponents, LEAST_EXPONENT[dtype]) - FRACTION_BITS[dtype] - 1)
