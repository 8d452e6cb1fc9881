# SPDX-License-Identifier: MIT
"""Random operands of all ranks, and what the operator must make of them, in float64 by torch alone."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

EPSILON = 1e-5


@dataclasses.dataclass
class Case:
    """What each rank passes; lists are by rank. Every rank makes the same case from the same seed."""

    x1: list[Tensor]
    x2: list[Tensor]
    bias: list[Tensor]
    residual: Tensor
    gamma: Tensor


def make_case(seed: int, world: int, dtype: torch.dtype = torch.float32, leading=(2, 3), k: int = 20,
              n: int = 36) -> Case:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator).to(dtype)

    ranks = range(world)
    return Case([normal(*leading, k) for _ in ranks], [normal(k, n) for _ in ranks], [normal(n) for _ in ranks],
                normal(*leading, n), normal(n))


def add_rms_norm(mm_out: Tensor, residual: Tensor, gamma: Tensor, epsilon: float = EPSILON) -> tuple[Tensor, Tensor]:
    y = mm_out + residual
    return y, y / torch.sqrt((y * y).mean(-1, keepdim=True) + epsilon) * gamma


def expected(case: Case, biases: list[int] = ()) -> tuple[Tensor, Tensor]:
    """(y, norm_out) in float64; biases: the ranks whose bias counts."""
    mm_out = sum(x1.double() @ x2.double() for x1, x2 in zip(case.x1, case.x2, strict=True))
    mm_out = mm_out + sum(case.bias[rank].double() for rank in biases)
    return add_rms_norm(mm_out, case.residual.double(), case.gamma.double())


def assert_near(found: Tensor, wanted: Tensor, dtype: torch.dtype | None = None) -> None:
    """Within a few roundings of the largest number: mm_out, y and norm_out are rounded to dtype one after another."""
    eps = torch.finfo(dtype or found.dtype).eps
    assert found.shape == wanted.shape
    worst, most = (found.double() - wanted.double()).abs().max(), wanted.double().abs().max()
    assert worst <= 8 * eps * most, f"off by {worst:g}, where {8 * eps * most:g} is allowed"
