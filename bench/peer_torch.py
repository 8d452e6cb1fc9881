# SPDX-License-Identifier: MIT
"""torch as a peer: one rank. Obeys the commands that worker.c describes, with gloo for the all-reduce.

Weights are laid out as (k, n) for torch.matmul, as (n, k) for F.linear, and packed as torch's own oneDNN likes them,
which is what torch's compiler does to frozen models; the fastest of the three is kept. Quantised types use the kernels
that torch has for them, which know one layout only. Ranks are never pinned: gloo's own threads need room too.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F

import inputs

DUMP_ROWS, FEW_ROWS = 64, 16
DTYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16, "int8": torch.bfloat16,
          "f16-int8": torch.float16, "f16-int4": torch.float16}
Matmul = Callable[[torch.Tensor, int], torch.Tensor]


LAYOUTS = ("nk", "packed", "kn")


def float_matmul(layout: str, x2: torch.Tensor, copies: int, rows: int) -> Matmul:
    """x1 @ x2 with copies of the weights in one of the layouts."""
    if layout == "kn":
        weights = [x2.clone() for _ in range(copies)]
        return lambda x1, i: torch.matmul(x1, weights[i])
    weights = [x2.t().contiguous() for _ in range(copies)]
    if layout == "nk":
        return lambda x1, i: F.linear(x1, weights[i])
    packed = [torch.ops.mkldnn._reorder_linear_weight(weight.to_mkldnn(), rows) for weight in weights]
    return lambda x1, i: torch.ops.mkldnn._linear_pointwise(x1, packed[i], None, "none", [], "")


def quantised_matmul(kind: str, made: inputs.Inputs, copies: int) -> Matmul:
    """What torch has for each kind of quantised weights."""
    weights = torch.from_numpy(made.x2)
    scale = torch.from_numpy(made.scale)
    if kind == "int8":
        many = [weights.clone() for _ in range(copies)]
        return lambda x1, i: (torch._int_mm(x1, many[i]).float() * scale).to(torch.bfloat16)
    if kind == "f16-int8":
        many = [weights.t().contiguous() for _ in range(copies)]
        half = scale.half()
        return lambda x1, i: torch._weight_int8pack_mm(x1, many[i], half)
    unsigned = (weights.t().contiguous().to(torch.int32) + 8)
    many = [torch._convert_weight_to_int4pack_for_cpu(unsigned, 1) for _ in range(copies)]
    both = torch.stack([scale, torch.zeros_like(scale)], dim=-1).half().contiguous()
    return lambda x1, i: torch.ops.aten._weight_int4pack_mm_for_cpu(x1, many[i], inputs.GROUP, both)


def timed(matmul: Matmul, x1: torch.Tensor) -> float:
    """One call, in seconds."""
    start = time.perf_counter()
    matmul(x1, 0)
    return time.perf_counter() - start


class Problem:
    """One prepared case."""

    def __init__(self, words: list[str]) -> None:
        kind, (self.rows, k, self.n, self.copies) = words[0], map(int, words[1:])
        self.dtype = DTYPES[kind]
        made = inputs.make(kind, self.rows, k, self.n, dist.get_rank(), dist.get_world_size())
        self.x1 = torch.from_numpy(made.x1) if kind == "int8" else torch.from_numpy(made.x1).to(self.dtype)
        if made.scale is None:
            self.layout, self.matmul = self.fastest(torch.from_numpy(made.x2).to(self.dtype))
        else:
            self.layout, self.matmul = "nk", quantised_matmul(kind, made, self.copies)
        self.residual, self.gamma = (torch.from_numpy(a).to(self.dtype) for a in (made.residual, made.gamma))
        self.y = self.norm_out = torch.empty(0)
        self.alone(0)

    def fastest(self, x2: torch.Tensor) -> tuple[str, Matmul]:
        """The layout that multiplies fastest on the slowest rank; a layout that torch refuses is not in the running."""
        best, chosen = [float("inf")] * 2, None
        for layout in LAYOUTS:
            matmul, seconds = None, torch.full((2,), float("inf"))
            try:
                matmul = float_matmul(layout, x2, self.copies, self.rows)
                # A few rows first, because some kernels would take minutes for all.
                for i, x1 in enumerate((self.x1[:FEW_ROWS], self.x1)):
                    if i == 0 or seconds[0] < 5 * best[0]:
                        seconds[i] = min(timed(matmul, x1) for _ in range(2))
            except RuntimeError:
                pass
            dist.all_reduce(seconds, dist.ReduceOp.MAX)
            if seconds[1] < best[1]:
                best, chosen = seconds.tolist(), (layout, matmul)
        if chosen is None:
            raise RuntimeError(f"torch multiplies {self.dtype} in no layout")
        return chosen

    def operator(self, index: int, parts: list[float]) -> None:
        """One step; parts are matmul, waiting, reducing (with waiting: gloo does not say), norm."""
        start = time.perf_counter()
        total = self.matmul(self.x1, index % self.copies)
        multiplied = time.perf_counter()
        if dist.get_world_size() > 1:
            dist.all_reduce(total)
        reduced = time.perf_counter()
        self.y = total.add_(self.residual)
        self.norm_out = F.rms_norm(self.y, (self.n,), self.gamma, inputs.EPSILON)
        for i, part in enumerate((multiplied - start, 0.0, reduced - multiplied, time.perf_counter() - reduced)):
            parts[i] += part

    def alone(self, index: int) -> None:
        """The matmul."""
        self.matmul(self.x1, index % self.copies)

    def outputs(self) -> list[torch.Tensor]:
        """Some rows of y and norm_out."""
        shown = min(self.rows, DUMP_ROWS)
        return [matrix[:: self.rows // shown][:shown].contiguous() for matrix in (self.y, self.norm_out)]


class Reduction:
    """A prepared all-reduce of fp32."""

    def __init__(self, count: int) -> None:
        self.data = torch.from_numpy((np.arange(count) % 1000 + dist.get_rank()).astype(np.float32))

    def reduce(self) -> None:
        """In place, so the first one is what a dump must be taken of."""
        dist.all_reduce(self.data)

    def outputs(self) -> list[torch.Tensor]:
        """The sums."""
        return [self.data]


class Worker:
    """The commands."""

    def __init__(self) -> None:
        self.case: Problem | Reduction | None = None
        self.index = 0

    def prepare(self, words: list[str]) -> dict:
        """prepare TYPE ROWS K N COPIES"""
        self.case, self.index = None, 0
        self.case = Problem(words)
        return {"text": self.case.layout}

    def reduce(self, words: list[str]) -> dict:
        """reduce COUNT"""
        self.case, self.index = Reduction(int(words[0])), 0
        return {}

    def run(self, words: list[str]) -> dict:
        """run STEP INNER SAMPLES"""
        what, inner, samples = words[0], int(words[1]), int(words[2])
        parts = [0.0] * 4
        seconds = []
        for _ in range(samples):
            dist.barrier()
            start = time.perf_counter()
            for _ in range(inner):
                if what == "operator":
                    self.case.operator(self.index, parts)
                elif what == "matmul":
                    self.case.alone(self.index)
                else:
                    self.case.reduce()
                self.index += 1
            seconds.append((time.perf_counter() - start) / inner)
        slowest = torch.tensor(seconds, dtype=torch.float64)
        mean = torch.tensor(parts, dtype=torch.float64) / (inner * samples * dist.get_world_size())
        dist.all_reduce(slowest, dist.ReduceOp.MAX)
        dist.all_reduce(mean)
        return {"seconds": slowest.tolist(), "parts": dict(zip(("matmul", "wait", "reduce", "norm"), mean.tolist(),
                                                               strict=True))}

    def dump(self, words: list[str]) -> dict:
        """dump FILE: the outputs' bytes, to a file for each rank."""
        with open(f"{words[0]}.{dist.get_rank()}", "wb") as file:
            file.writelines(tensor.view(torch.uint8).numpy().tobytes() for tensor in self.case.outputs())
        return {}

    def drop(self, _words: list[str]) -> dict:
        """drop"""
        self.case = None
        return {}

    def describe(self, _words: list[str]) -> dict:
        """describe"""
        return {"text": f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}; gloo"}


def obey(worker: Worker, line: str) -> dict:
    """One command on all ranks; any rank's failure is all ranks' failure."""
    words = line.split()
    try:
        answer, why = getattr(worker, words[0])(words[1:]), ""
    except Exception as error:  # noqa: BLE001 - whatever torch raises is the peer's reason
        answer, why = {}, str(error).strip().split("\n")[0][:200] or type(error).__name__
    reasons: list[str | None] = [None] * dist.get_world_size()
    dist.all_gather_object(reasons, why)
    why = next((reason for reason in reasons if reason), "")
    return {"ok": False, "why": why} if why else {"ok": True, **answer}


def main() -> int:
    """Rank 0 reads commands and passes them on."""
    threads, rank = int(os.environ["BENCH_THREADS"]), int(os.environ["BENCH_RANK"])
    torch.set_num_threads(threads)
    dist.init_process_group("gloo", init_method=f"file://{os.environ['BENCH_RENDEZVOUS']}",
                            rank=rank, world_size=int(os.environ["BENCH_WORLD"]))
    worker = Worker()
    with torch.inference_mode():
        while True:
            lines = [sys.stdin.readline() or "end"] if dist.get_rank() == 0 else [""]
            dist.broadcast_object_list(lines, 0)
            if lines[0].strip() == "end":
                break
            answer = obey(worker, lines[0])
            if dist.get_rank() == 0:
                print(json.dumps(answer), flush=True)
    dist.destroy_process_group()
    return 0


if __name__ == "__main__":
    sys.exit(main())
