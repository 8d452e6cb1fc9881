"""Plots of a result.json: roofline, where the time goes, and scaling with ranks, rows and k."""

from __future__ import annotations

import json
import pathlib
import sys

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

PARTS = ("matmul", "wait", "reduce", "norm")
PART_NAMES = {"matmul": "matmul", "wait": "waiting", "reduce": "reducing (residual added, for mmarn)", "norm": "norm"}
BYTES = {"f16": 2, "bf16": 2, "f32": 4, "int8": 1, "f16-int8": 1, "f16-int4": 0.5}
ACTIVATIONS = {"f32": 4, "int8": 1}  # others: 2


def _timed(case: dict) -> list[dict]:
    return [peer for peer in case["peers"] if peer.get("median") and peer["peer"] != "mmarn (split)"]


def _operations(case: dict) -> float:
    return 2.0 * case["rows"] * case["k"] * case["n"] * case["ranks"]


def _traffic(case: dict) -> float:
    """Bytes that must be read and written at least once, by all ranks: x1, x2, and the results and the residual."""
    x1 = case["rows"] * case["k"] * ACTIVATIONS.get(case["kind"], 2)
    x2 = case["k"] * case["n"] * BYTES[case["kind"]]
    rest = 3 * case["rows"] * case["n"] * (4 if case["kind"] == "f32" else 2)
    return case["ranks"] * (x1 + x2 + rest)


def _save(figure: plt.Figure, path: pathlib.Path) -> pathlib.Path:
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return path


def roofline(result: dict, output: pathlib.Path) -> pathlib.Path | None:
    """Operations per second against operations per byte; the library filled, the best peer hollow."""
    cases = [case for case in result["cases"] if case["rows"] and _timed(case)]
    ceilings = result["ceilings"]
    if not cases or not ceilings:
        return None
    figure, axes = plt.subplots(figsize=(9, 6))
    intensity = [2.0**i for i in range(-2, 14)]
    for key, style in (("f32_gflops", "-"), ("int8_gops", "--")):
        roof = [min(ceilings[key], ceilings["memory_gbs"] * x) for x in intensity]
        axes.plot(intensity, roof, "k" + style, linewidth=1, label=f"{key.split('_')[0]} multiply-adds and memory")
    cached = [min(ceilings["f32_gflops"], ceilings["cache_gbs"] * x) for x in intensity]
    axes.plot(intensity, cached, "k:", linewidth=1, label="fp32 and last-level cache")
    for number, kind in enumerate(sorted({case["kind"] for case in cases})):
        for which, fill in (("library", f"C{number}"), ("best peer", "none")):
            points = [(_operations(case) / _traffic(case), _operations(case) / median * 1e-9)
                      for case in cases if case["kind"] == kind for median in [_median(case, which)] if median]
            if points:
                axes.scatter(*zip(*points, strict=True), s=36, facecolors=fill, edgecolors=f"C{number}",
                             label=f"{kind}, {which}")
    axes.set(xscale="log", yscale="log", xlabel="operations per byte", ylabel="Gop/s",
             title="Filled: the library; hollow: the best peer")
    axes.legend(fontsize=7, ncols=2)
    return _save(figure, output / "roofline.png")


def _median(case: dict, which: str) -> float | None:
    peers = _timed(case)
    if which == "library":
        return next((peer["median"] for peer in peers if peer["peer"] == "mmarn"), None)
    return min((peer["median"] for peer in peers if peer["peer"] != "mmarn"), default=None)


def _bars(axes: Axes, case: dict) -> None:
    """One bar for each peer that says where its time goes."""
    peers = [peer for peer in case["peers"] if peer.get("median") and sum(peer["parts"].values()) > 0]
    left = [0.0] * len(peers)
    names = [peer["peer"] for peer in peers]
    for part in PARTS:
        widths = [peer["parts"][part] * 1e3 for peer in peers]
        axes.barh(names, widths, left=left, label=PART_NAMES[part])
        left = [start + width for start, width in zip(left, widths, strict=True)]
    axes.invert_yaxis()
    axes.set_title(case["name"], fontsize=8)
    axes.set_xlabel("ms")
    axes.tick_params(labelsize=7)


def time_split(result: dict, output: pathlib.Path) -> pathlib.Path | None:
    """Matmul, waiting, reducing, norm: for cases in which the library was taken apart too."""
    cases = [case for case in result["cases"]
             if any(peer["peer"] == "mmarn (split)" and peer.get("median") for peer in case["peers"])]
    if not cases:
        return None
    columns = min(3, len(cases))
    lines = -(-len(cases) // columns)
    figure, grid = plt.subplots(lines, columns, figsize=(5 * columns, 2.6 * lines), squeeze=False)
    for axes in grid.flat[len(cases):]:
        axes.remove()
    for axes, case in zip(grid.flat, cases, strict=False):
        _bars(axes, case)
    grid.flat[0].legend(fontsize=6)
    return _save(figure, output / "time_split.png")


def _scaling(result: dict, output: pathlib.Path, along: str, fits, title: str) -> pathlib.Path | None:
    """Gop/s of every peer along one number; a panel for each type, with at least two points."""
    panels: dict[str, dict[str, dict[int, float]]] = {}
    for case in result["cases"]:
        if case["rows"] and case["threads"] == 1 and fits(case):
            for peer in _timed(case):
                name = "+".join(peer["peer"].split("+")[-2:])
                points = panels.setdefault(case["kind"], {}).setdefault(name, {})
                points[case[along]] = _operations(case) / peer["median"] * 1e-9
    panels = {kind: lines for kind, lines in panels.items() if any(len(points) > 1 for points in lines.values())}
    if not panels:
        return None
    figure, grid = plt.subplots(1, len(panels), figsize=(4.5 * len(panels), 4), squeeze=False)
    for axes, (kind, lines) in zip(grid.flat, sorted(panels.items()), strict=True):
        for name, points in lines.items():
            axes.plot(*zip(*sorted(points.items()), strict=True), marker="o", label=name,
                      linewidth=2.5 if name == "mmarn" else 1)
        axes.set(xscale="log", yscale="log", xlabel=along, ylabel="Gop/s", title=f"{kind}; {title}")
        axes.legend(fontsize=6)
    return _save(figure, output / f"scaling_{along}.png")


def draw(source: pathlib.Path, output: pathlib.Path) -> list[pathlib.Path]:
    """All plots that the measured cases are enough for."""
    result = json.loads(source.read_text())
    paths = [
        roofline(result, output),
        time_split(result, output),
        _scaling(result, output, "ranks", lambda case: case["group"] == "ranks", "8192 of k in total"),
        _scaling(result, output, "rows", lambda case: (case["k"], case["n"], case["ranks"]) == (4096, 8192, 2)
                 and case["group"] != "ranks", "k 4096, n 8192"),
        _scaling(result, output, "k", lambda case: (case["rows"], case["n"], case["ranks"]) == (512, 8192, 2)
                 and case["group"] != "ranks", "512 rows, n 8192"),
    ]
    return [path for path in paths if path]


if __name__ == "__main__":
    print("\n".join(map(str, draw(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])))))
