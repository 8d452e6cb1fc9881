# SPDX-License-Identifier: MIT
"""The operator in plain torch, rounding by rounding, as docs/numerics.md states it for numerics='ascend'.

It shares no code with the library. Partials must be exact in fp32 (exact_floats, small integers), so that their order
of summation does not matter; then every later rounding is modelled and bits can be compared.
"""

import numpy
import torch

LANES = 32


def exact_floats(generator: torch.Generator, *shape: int, dtype: torch.dtype) -> torch.Tensor:
    """Random multiples of 1/8 from -2 to 2: sums of up to 2^13 products of two of them are exact in fp32."""
    return (torch.randint(-16, 17, shape, generator=generator) / 8).to(dtype)


def sum_in_rank_order(partials: list[torch.Tensor], dtype: torch.dtype) -> torch.Tensor:
    """Each partial (float64, exact in fp32) rounded to dtype; then added one by one, with a rounding each time."""
    total = partials[0].float().to(dtype)
    for partial in partials[1:]:
        total = (total.float() + partial.float().to(dtype).float()).to(dtype)
    return total


def statistic(y: torch.Tensor) -> torch.Tensor:
    """Sum of y * y along the last axis in fp32: 32 lanes of fused multiply-adds, then folded in halves."""
    squares = y.double().square()
    squares = torch.nn.functional.pad(squares, (0, -y.size(-1) % LANES))
    lanes = torch.zeros(*y.shape[:-1], LANES)
    for column in range(0, squares.size(-1), LANES):
        lanes = (lanes.double() + squares[..., column:column + LANES]).float()
    while lanes.size(-1) > 1:
        half = lanes.size(-1) // 2
        lanes = lanes[..., :half] + lanes[..., half:]
    return lanes


def add_norm(mm_out: torch.Tensor, residual: torch.Tensor, gamma: torch.Tensor,
             epsilon: float) -> tuple[torch.Tensor, torch.Tensor]:
    """(y, norm_out) from the 16-bit mm_out: y rounded, y * rstd rounded, times gamma rounded."""
    dtype = residual.dtype
    y = (mm_out.float() + residual.float()).to(dtype)
    # NumPy divides and takes roots exactly rounded; torch's vectorised kernels are sometimes one last place off.
    mean = statistic(y).numpy() / numpy.float32(y.size(-1))
    rstd = torch.from_numpy(numpy.float32(1) / numpy.sqrt(mean + numpy.float32(epsilon)))
    scaled = (y.float() * rstd).to(dtype)
    return y, (scaled.float() * gamma.float()).to(dtype)


def assert_same_bits(what: str, found: torch.Tensor, expected: torch.Tensor) -> None:
    assert found.dtype == expected.dtype and found.shape == expected.shape, f"{what}: {found.dtype} {found.shape}"
    differ = (found.contiguous().view(torch.int16) != expected.contiguous().view(torch.int16)).sum().item()
    assert differ == 0, f"{what}: {differ} of {found.numel()} elements differ"
