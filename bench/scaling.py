#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""scaling.py - prints the tables of docs/scaling.md: the model against a run of the bench, and carried to a server and
to clusters of them.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import pathlib
import statistics

import library
import model
from cases import Case
from machines import FABRICS, MACHINES
from report import human

BAND = 1.25
N, TYPE = 8192, "f16"
ROWS = (512, 16, 1)
LAYER_K = 28672  # down_proj of Llama-2-70B
NODE_RANKS = 16


def case_of(fields: dict) -> Case:
    """The case of a result.json's entry."""
    return Case(**{field: fields[field] for field in Case.__dataclass_fields__})


def table(head: list[str], rows: list[list[str]]) -> str:
    """Markdown."""
    lines = ["| " + " | ".join(row) + " |" for row in [head, *rows]]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]])


@dataclasses.dataclass(frozen=True)
class Point:
    """A case that was measured, and what the model says of it: its lower and upper end."""

    name: str
    low: float
    high: float
    seconds: float

    @property
    def off(self) -> float:
        """How many times beyond the nearer end; below 1 when less, 1 when between them."""
        return self.seconds / min(max(self.seconds, self.low), self.high)


def points(results: list[dict]) -> dict[str, list[Point]]:
    """By groups of cases."""
    groups: dict[str, list[Point]] = {}
    for result in results:
        machine = model.from_ceilings(result["ceilings"])
        for one in result["cases"]:
            seconds = next((peer.get("median") for peer in one["peers"] if peer["peer"] == "mmarn"), None)
            if seconds:
                terms = model.predict(case_of(one), machine)
                groups.setdefault(one["group"], []).append(Point(one["name"], terms.total, terms.serial, seconds))
    return groups


def check(results: list[dict]) -> str:
    """Predicted against measured, a line for each group."""
    rows = []
    for group, found in points(results).items():
        ratios = sorted(point.seconds / point.low for point in found)
        worst = max(found, key=lambda point: abs(math.log(point.off)))
        within = sum(1 / BAND <= point.off <= BAND for point in found)
        said = " to ".join(dict.fromkeys((human(worst.low), human(worst.high))))
        rows.append([group, f"{within} of {len(found)}", f"{statistics.median(ratios):.2f}",
                     f"{ratios[0]:.2f} to {ratios[-1]:.2f}", f"{worst.name}: {said}, {human(worst.seconds)}"])
    return table(["group", f"within {BAND}", "measured / lower end", "range", "furthest: model, measured"], rows)


def weak(machine: model.Machine) -> str:
    """Ranks of one thread, k 1024 each, weights from memory: every added rank brings its own work."""
    rows = []
    for ranks in (2, 4, 8, 16, 32, 64, 128):
        cells = [str(ranks)]
        for count in ROWS:
            terms = model.predict(Case("server", TYPE, count, 1024, N, ranks=ranks, rotate=True), machine)
            cells += [human(terms.total)]
            cells += [human(terms.exchange), human(terms.outputs)] if count == ROWS[0] else []
            cells += [human(terms.lines)]
        rows.append(cells)
    head = ["ranks", "512 rows", "exchange", "outputs", "lines", "16 rows", "lines", "1 row", "lines"]
    return table(head, rows)


def strong(machine: model.Machine) -> str:
    """One layer on all processors, cut into more and more ranks."""
    rows = []
    for ranks in (2, 4, 8, 16, 32, 64, 128):
        cells = [f"{ranks} x {machine.processors // ranks}"]
        for count in ROWS:
            terms = model.predict(Case("layer", TYPE, count, LAYER_K // ranks, N, ranks=ranks,
                                       threads=machine.processors // ranks, rotate=True), machine)
            cells += [human(terms.total), human(max(terms.multiply, terms.weights))]
            cells += [human(terms.lock)] if count == 1 else []
        rows.append(cells)
    head = ["ranks x threads", "512 rows", "matmul", "16 rows", "matmul", "1 row", "matmul", "lock"]
    return table(head, rows)


def nodes(machine: model.Machine, count: int) -> str:
    """The same layer over nodes, with a transport that is not written yet."""
    threads = machine.processors // NODE_RANKS

    def node_case(rows: int, share: int) -> Case:
        return Case("nodes", TYPE, rows, LAYER_K // NODE_RANKS // share, N, ranks=NODE_RANKS, threads=threads,
                    rotate=True)

    lines = [["one node", *(cell for rows in ROWS
                            for cell in (human(model.predict(node_case(rows, 1), machine).total), "-"))]]
    for fabric in FABRICS:
        cells = [fabric.name]
        for rows in ROWS:
            case = node_case(rows, count)
            cells += [human(model.predict_nodes(case, machine, count, fabric)),
                      human(model.wire(case, machine, count, fabric))]
        lines.append(cells)
    return table([f"{count} nodes", "512 rows", "wire", "16 rows", "wire", "1 row", "wire"], lines)


def main() -> int:
    """Everything, or the check alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--machine", choices=sorted(MACHINES), default="epyc-2x64", help="a server (machines.py)")
    parser.add_argument("--nodes", type=int, default=16, help="of the clusters (default: 16)")
    parser.add_argument("--check", type=pathlib.Path, nargs="+", metavar="RESULT",
                        help="compare with these runs of the bench instead, as build/bench/result.json")
    parser.add_argument("--workers", type=pathlib.Path, default=library.PROGRAM.parent, metavar="FOLDER",
                        help="where the program plan is (default: build/bench)")
    arguments = parser.parse_args()
    library.PROGRAM = arguments.workers / "plan"
    if arguments.check:
        print(check([json.loads(path.read_text()) for path in arguments.check]))
        return 0
    machine = MACHINES[arguments.machine]
    print(f"{machine.name}, {TYPE}, n {N}; ranks of one thread, k 1024 each:\n\n{weak(machine)}\n")
    print(f"k {LAYER_K} in all, on all processors:\n\n{strong(machine)}\n")
    print(f"k {LAYER_K} in all, {NODE_RANKS} ranks on each node:\n\n{nodes(machine, arguments.nodes)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
