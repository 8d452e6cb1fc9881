# SPDX-License-Identifier: MIT
"""What the library would do with a call, asked of it: the program plan (plan.c) is started once and kept."""

from __future__ import annotations

import dataclasses
import functools
import json
import pathlib
import subprocess

PROGRAM = pathlib.Path(__file__).resolve().parent.parent / "build/bench/plan"


@dataclasses.dataclass(frozen=True)
class Plan:
    """How a call is cut, and how its tiles are summed."""

    block_rows: int
    row_blocks: int
    tiles: int
    one_shot: bool


@functools.lru_cache(maxsize=1)
def _process(program: pathlib.Path) -> subprocess.Popen:
    """It ends with this process, as its standard input does."""
    if not program.exists():
        raise SystemExit(f"{program} is not built; make build does it")
    return subprocess.Popen([str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@functools.lru_cache(maxsize=None)
def _ask(program: pathlib.Path, question: str) -> dict:
    process = _process(program)
    process.stdin.write(question + "\n")
    process.stdin.flush()
    answer = json.loads(process.stdout.readline())
    if "error" in answer:
        raise ValueError(f"{question}: {answer['error']}")
    return answer


def plan(ranks: int, threads: int, rows: int, n: int, *, copies: bool = False, shared: bool = False) -> Plan:
    """Of rows x n outputs; copies: of an all-reduce alone; shared: ranks have to share processors."""
    source = "copy" if copies else "matmul"
    return Plan(**_ask(PROGRAM, f"{source} {ranks} {threads} {int(shared)} {rows} {n}"))


def ring_slots(threads: int) -> tuple[int, int]:
    """Tile buffers of a rank: for its own parts, and for the sums that it owns."""
    answer = _ask(PROGRAM, f"rings {threads}")
    return answer["parts"], answer["sums"]
