# SPDX-License-Identifier: MIT
"""What was measured, as lines on the terminal and as JSON."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import platform
import statistics
import sys
import time

import model
from cases import Case
from measure import Times

PEAKS = {"f32": "f32_gflops", "f16": "f32_gflops", "bf16": "bf16_gflops", "int8": "int8_gops",
         "f16-int8": "f32_gflops", "f16-int4": "f32_gflops"}


def human(seconds: float) -> str:
    """Three digits and a unit."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if abs(seconds) >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.0f} ns"


def peak_of(case: Case, ceilings: dict) -> float:
    """Operations per second that the processor has for the type; fp32's where it has no instructions of its own."""
    return (ceilings.get(PEAKS[case.kind]) or ceilings.get("f32_gflops", 0.0)) * 1e9


def ratio(times: Times, ours: Times) -> float:
    """How many times longer than the library: the median over rounds."""
    return statistics.median(theirs / own for theirs, own in zip(times.seconds, ours.seconds, strict=False))


def share_of_ceilings(case: Case, seconds: float, ceilings: dict) -> str:
    """Next to what the machine could do at best."""
    if case.count or not ceilings:
        return ""
    compute = case.operations / seconds / peak_of(case, ceilings)
    memory = case.weight_bytes / seconds / (ceilings["memory_gbs"] * 1e9)
    if case.rotate and memory > compute:
        return f"{case.weight_bytes / seconds * 1e-9:7.1f} GB/s {memory:5.0%}"
    return f"{case.operations / seconds * 1e-9:7.1f} Gop/s {compute:4.0%}"


def table(case: Case, results: list[Times], ceilings: dict) -> str:
    """One case."""
    lines = [f"{case.name}"]
    ours = results[0] if results and results[0].samples else None
    for times in results:
        if not times.samples:
            lines.append(f"    {times.peer:18} -  {times.why or 'no time was left for it'}")
            continue
        line = f"    {times.peer:18} {human(times.median):>9} +-{times.spread / 2:4.0%}"
        line += f"  x{ratio(times, ours):5.2f}" if ours else ""
        line += "  " + share_of_ceilings(case, times.median, ceilings)
        if times.alone is not None:
            line += f"  matmul {human(times.alone)}, beyond it {human(times.median - times.alone)}"
        lines.append(line.rstrip() + (f"  ({times.note})" if times.note else ""))
    if ceilings and ours:
        terms = model.predict(case, model.from_ceilings(ceilings))
        lines.append(f"    {'the model':18} {human(terms.total):>9} to {human(terms.serial)}")
    return "\n".join(lines)


def machine() -> dict:
    """Where this was measured."""
    model = platform.machine()
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return {"model": model, "processors": len(os.sched_getaffinity(0)), "kernel": platform.release(),
            "python": sys.version.split()[0], "started": time.strftime("%Y-%m-%d %H:%M:%S")}


def heading(where: dict, ceilings: dict) -> str:
    """The first lines."""
    load = os.getloadavg()[0]
    lines = [f"{where['model']}, {where['processors']} processors, Linux {where['kernel']}, load {load:.1f}"]
    if ceilings:
        lines.append("ceilings: " + ", ".join((
            f"fp32 {ceilings['f32_gflops']:.0f} Gflop/s ({ceilings['level']})",
            f"bf16 {ceilings['bf16_gflops']:.0f} Gflop/s", f"int8 {ceilings['int8_gops']:.0f} Gop/s",
            f"memory {ceilings['memory_gbs']:.1f} GB/s", f"last-level cache {ceilings['cache_gbs']:.1f} GB/s",
            f"a message by cache line {ceilings['line_ns']:.0f} ns, by futex {human(ceilings['futex_ns'] * 1e-9)}")))
    if load > 0.5:
        lines.append("other programs are running: compare figures within a case only, and mind the spread")
    lines.append("case: GROUP/TYPE/ROWSxKxN/RANKSxTHREADS; k is each rank's. Times: median of one step, half the "
                 "distance of the quartiles, times the library's own.")
    return "\n".join(lines)


def predicted(case: Case, ceilings: dict) -> dict | None:
    """What the model says of the library, in seconds, and of what it consists."""
    if not ceilings:
        return None
    terms = model.predict(case, model.from_ceilings(ceilings))
    return dataclasses.asdict(terms) | {"total": terms.total, "serial": terms.serial}


def write_json(path: pathlib.Path, where: dict, ceilings: dict, peers: dict[str, str],
               measured: list[tuple[Case, list[Times]]]) -> None:
    """All of it; replaced at once, so that an interrupted run leaves a whole file."""
    cases = []
    for case, results in measured:
        one = dataclasses.asdict(case) | {"name": case.name, "predicted": predicted(case, ceilings), "peers": []}
        for times in results:
            entry = dataclasses.asdict(times)
            if times.samples:
                entry |= {"median": times.median, "spread": times.spread, "matmul_median": times.alone}
                if results[0].samples:
                    entry["times_ours"] = ratio(times, results[0])
            one["peers"].append(entry)
        cases.append(one)
    partial = path.with_suffix(".part")
    partial.write_text(json.dumps({"machine": where, "ceilings": ceilings, "peers": peers, "cases": cases}, indent=1))
    partial.replace(path)


def summary(measured: list[tuple[Case, list[Times]]]) -> str:
    """Where the library is not the fastest."""
    behind, ahead = [], 0
    for case, results in measured:
        others = [times for times in results[1:] if times.samples and times.peer != "mmarn (split)"]
        if not results or not results[0].samples or not others:
            continue
        best = min(others, key=lambda times: ratio(times, results[0]))
        if ratio(best, results[0]) < 1.0:
            behind.append(f"    {case.name}: {best.peer} takes {ratio(best, results[0]):.2f} of the library's time")
        else:
            ahead += 1
    lines = [f"the library is the fastest in {ahead} of {ahead + len(behind)} cases"]
    return "\n".join(lines + (["behind in:"] + behind if behind else []))
