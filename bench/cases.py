# SPDX-License-Identifier: MIT
"""What is measured: shapes, types and numbers of ranks, by groups that the report keeps together."""

from __future__ import annotations

import dataclasses
import fnmatch
import math

TYPES = ("f16", "bf16", "f32", "int8", "f16-int8", "f16-int4")
BITS = {"f16": 16, "bf16": 16, "f32": 32, "int8": 8, "f16-int8": 8, "f16-int4": 4}
KIB = 1024
SMOKE = "smoke"  # a tiny case for the tests, run only when --only names it


@dataclasses.dataclass(frozen=True)
class Case:
    """k is each rank's. With `count`, an all-reduce of so many fp32 elements and nothing else."""

    group: str
    kind: str = "f32"
    rows: int = 0
    k: int = 0
    n: int = 0
    ranks: int = 2
    threads: int = 1
    count: int = 0
    quick: bool = False
    matmul: bool = False  # the matmul alone is timed too
    rotate: bool = False  # weights take turns, so that no cache holds all of them

    @property
    def name(self) -> str:
        """Unique, and what --only is matched with."""
        shape = f"{self.count * 4 // KIB}KiB" if self.count else f"{self.kind}/{self.rows}x{self.k}x{self.n}"
        return f"{self.group}/{shape}/{self.ranks}x{self.threads}"

    @property
    def operations(self) -> float:
        """Multiplications and additions of all ranks."""
        return 2.0 * self.rows * self.k * self.n * self.ranks

    @property
    def weight_bytes(self) -> float:
        """Of all ranks, without scales."""
        return self.k * self.n * self.ranks * BITS[self.kind] / 8

    def copies(self, cache_bytes: float) -> int:
        """As many as make the weights twice the last-level cache, as the layers of a model do."""
        return math.ceil(max(2 * cache_bytes, 128 << 20) / self.weight_bytes) if self.rotate else 1


def all_cases() -> list[Case]:
    """In the order in which they are run: groups of one shape together."""
    cases = [Case("reduce", count=16 * KIB // 4, quick=True), Case("reduce", count=16 * KIB * KIB // 4, quick=True)]
    cases += [Case("exposed", kind, 1, 64, 4096, matmul=True, quick=kind == "f16") for kind in ("f16", "bf16", "f32")]
    cases.append(Case("exposed", "f16", 1, 64, 4096, ranks=8))
    for kind in TYPES:
        cases += [Case("decode", kind, rows, k, n, matmul=True, rotate=True,
                       quick=(rows, k) == (1, 2048) and kind in ("f16", "f32", "f16-int4"))
                  for rows in (1, 4) for k, n in ((2048, 4096), (4096, 8192))]
        cases += [Case("middle", kind, rows, 4096, 8192, rotate=True) for rows in (16, 64)]
        cases += [Case("prefill", kind, 512, k, 8192, matmul=k == 1024,
                       quick=k == 1024 and kind in ("f16", "bf16", "f32", "int8")) for k in (1024, 4096)]
        cases += [Case("prefill", kind, 4096, k, 8192) for k in (1024, 4096)]
    cases += [Case("k", kind, 512, k, 8192) for kind in ("bf16", "f32") for k in (256, 2048)]
    cases += [Case("threads", kind, 512, 4096, 8192, ranks=1, threads=2) for kind in ("bf16", "f32")]
    cases.append(Case("threads", "f16", 1, 2048, 4096, ranks=1, threads=2, rotate=True))
    cases += [Case("ranks", kind, 512, 8192 // ranks, 8192, ranks=ranks) for ranks in (1, 2, 4, 8)
              for kind in ("bf16", "f32")]
    return [*cases, Case(SMOKE, "f32", 4, 64, 256, matmul=True)]


def choose(quick: bool, patterns: list[str]) -> list[Case]:
    """Those with a name that any pattern fits a part of; * and ? stand for anything in it."""
    cases = all_cases()
    if patterns:
        return [case for case in cases
                if any(fnmatch.fnmatch(case.name, f"*{pattern}*") for pattern in patterns)]
    return [case for case in cases if case.group != SMOKE and (case.quick or not quick)]
