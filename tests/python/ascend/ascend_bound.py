# SPDX-License-Identifier: MIT
"""How far results in float16 with numerics='ascend' may be from float64, element by element.

The derivation is that of docs/numerics.md, section 3, in its simplest form: sums are bounded by the norms of the
vectors (8 deviations), single roundings by half a unit in the last place.
"""

import torch

U32 = 2.0**-24
DEVIATIONS = 8


def half_ulp(x: torch.Tensor) -> torch.Tensor:
    """Half the distance between neighbours in float16 around x."""
    exponent = torch.frexp(x.abs())[1].clamp(min=-13)
    return torch.ldexp(torch.ones_like(x), exponent - 12)


def check_rank(rank: int, records: list[dict]) -> dict[str, float]:
    """Asserts one rank's y and norm_out; returns the largest shares of the bounds that were used."""
    total, error = 0.0, 0.0
    for number, record in enumerate(records):
        x1, x2 = record["x1"].double(), record["x2"].double()
        part = x1 @ x2
        chain = DEVIATIONS * U32 * x1.size(1) ** 0.5 * x1.norm(dim=1, keepdim=True) * x2.norm(dim=0)
        total = total + part
        error = error + chain + half_ulp(part.abs() + chain)
        if number:
            error = error + half_ulp(total.abs() + error)
    mine = records[rank]
    y = total + mine["residual"].double()
    error = error + half_ulp(y.abs() + error)
    used = {"y": ((mine["y"].double() - y).abs() / error).max().item()}
    gamma = mine["gamma"].double()
    squares = y.square().sum(1, keepdim=True)
    rstd = 1 / (squares / y.size(1) + mine["epsilon"]).sqrt()
    statistic = 0.51 * (2 * y.abs() * error + error.square()).sum(1, keepdim=True) / squares + y.size(1) * U32
    scaled = y * rstd
    error = error * rstd + scaled.abs() * statistic
    error = error + half_ulp(scaled.abs() + error)
    error = gamma.abs() * error + half_ulp((gamma * scaled).abs() + gamma.abs() * error)
    used["norm_out"] = ((mine["norm_out"].double() - gamma * scaled).abs() / error).max().item()
    assert max(used.values()) <= 1, f"rank {rank}: of the bound, {used} were used"
    return used
