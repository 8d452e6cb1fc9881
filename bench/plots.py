# SPDX-License-Identifier: MIT
"""Plots of a result.json: roofline, where the time goes, scaling with ranks, rows and k, and the model (model.py)."""

from __future__ import annotations

import json
import math
import pathlib
import sys

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from report import PEAKS

PARTS = ("matmul", "wait", "reduce", "norm")
PART_NAMES = {"matmul": "matmul", "wait": "waiting", "reduce": "reducing (residual added, for mmarn)", "norm": "norm"}
BYTES = {"f16": 2, "bf16": 2, "f32": 4, "int8": 1, "f16-int8": 1, "f16-int4": 0.5}
ACTIVATIONS = {"f32": 4, "int8": 1}  # others: 2
MODEL, BAND = "mmarn, the model", 1.25


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
    intensity = [2.0 ** (i / 4) for i in range(-8, 53)]
    for key, style in (("f32_gflops", "-"), ("bf16_gflops", "-."), ("int8_gops", "--")):
        if ceilings[key]:
            roof = [min(ceilings[key], ceilings["memory_gbs"] * x) for x in intensity]
            axes.plot(intensity, roof, "k" + style, linewidth=1, label=f"{key.split('_')[0]}: multiply-adds and memory")
    cached = [min(ceilings["f32_gflops"], ceilings["cache_gbs"] * x) for x in intensity]
    axes.plot(intensity, cached, "k:", linewidth=1, label="f32: multiply-adds and last-level cache")
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
    figure.tight_layout()
    return _save(figure, output / "roofline.png")


def _median(case: dict, which: str) -> float | None:
    peers = _timed(case)
    if which == "library":
        return next((peer["median"] for peer in peers if peer["peer"] == "mmarn"), None)
    return min((peer["median"] for peer in peers if peer["peer"] != "mmarn"), default=None)


def _bars(axes: Axes, case: dict) -> None:
    """One bar for each peer that says where its time goes."""
    peers = _taken_apart(case)
    left = [0.0] * len(peers)
    names = [peer["peer"] for peer in peers]
    for part in PARTS:
        widths = [peer["parts"][part] * 1e3 for peer in peers]
        axes.barh(names, widths, left=left, height=0.7, label=PART_NAMES[part])
        left = [start + width for start, width in zip(left, widths, strict=True)]
    axes.set_ylim(len(peers) - 0.4, -0.6)
    axes.set_title(f"{case['name']}, ms", fontsize=8)
    axes.tick_params(labelsize=7)


def _taken_apart(case: dict) -> list[dict]:
    return [peer for peer in case["peers"] if peer.get("median") and sum(peer["parts"].values()) > 0]


def time_split(result: dict, output: pathlib.Path) -> pathlib.Path | None:
    """Matmul, waiting, reducing, norm: for cases in which the library was taken apart too."""
    cases = [case for case in result["cases"]
             if any(peer["peer"] == "mmarn (split)" and peer.get("median") for peer in case["peers"])]
    if not cases:
        return None
    columns = min(3, len(cases))
    lines = -(-len(cases) // columns)
    height = 0.75 + 0.22 * max(len(_taken_apart(case)) for case in cases)
    figure, grid = plt.subplots(lines, columns, figsize=(5 * columns, height * lines), squeeze=False)
    for axes in grid.flat[len(cases):]:
        axes.remove()
    for axes, case in zip(grid.flat, cases, strict=False):
        _bars(axes, case)
    _legend(figure, grid.flat[0])
    return _save(figure, output / "time_split.png")


def _legend(figure: plt.Figure, axes: Axes) -> None:
    """One for all panels, above them, in room of its own."""
    handles, names = axes.get_legend_handles_labels()
    width, height = figure.get_size_inches()
    columns = max(1, int(width / 2))
    room = 0.25 + 0.2 * -(-len(names) // columns)
    figure.set_size_inches(width, height + room)
    figure.legend(handles, names, loc="upper center", ncols=columns, fontsize=8, frameon=False)
    figure.tight_layout(rect=(0, 0, 1, height / (height + room)))


def _panels(result: dict, along: str, fits) -> dict[str, dict[str, dict[int, float]]]:
    """Gop/s by type, peer and the number that changes; types with at least two points."""
    panels: dict[str, dict[str, dict[int, float]]] = {}
    for case in result["cases"]:
        if not (case["rows"] and case["threads"] == 1 and fits(case)):
            continue
        lines = panels.setdefault(case["kind"], {})
        for peer in _timed(case):
            name = "+".join(peer["peer"].split("+")[-2:])
            lines.setdefault(name, {})[case[along]] = _operations(case) / peer["median"] * 1e-9
        if case.get("predicted") and _median(case, "library"):
            lines.setdefault(MODEL, {})[case[along]] = _operations(case) / case["predicted"]["total"] * 1e-9
    return {kind: lines for kind, lines in panels.items() if any(len(points) > 1 for points in lines.values())}


def _scaling(result: dict, output: pathlib.Path, along: str, fits, title: str) -> pathlib.Path | None:
    """A panel for each type, all to one scale, with the type's multiply-adds as the upper end."""
    panels = _panels(result, along, fits)
    if not panels:
        return None
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure, grid = plt.subplots(rows, columns, figsize=(4.2 * columns, 3.4 * rows), squeeze=False, sharey=True)
    for axes in grid.flat[len(panels):]:
        axes.remove()
    names = sorted({name for lines in panels.values() for name in lines}, key=lambda name: (name != "mmarn", name))
    style = {name: {"color": f"C{number % 10}", "linewidth": 1} for number, name in enumerate(names)}
    style["mmarn"] = {"color": "k", "linewidth": 2.5}
    style[MODEL] = {"color": "k", "linewidth": 1, "linestyle": ":"}
    for axes, (kind, lines) in zip(grid.flat, sorted(panels.items()), strict=False):
        for name in names:  # all of them, so that the first panel's legend covers every panel
            points = sorted(lines.get(name, {}).items()) or [(math.nan, math.nan)]
            axes.plot(*zip(*points, strict=True), marker="." if name == MODEL else "o", label=name, **style[name])
        peak = result["ceilings"].get(PEAKS[kind])
        if peak:
            axes.axhline(peak, color="k", linewidth=0.6, linestyle="--", label="multiply-adds of the type")
        axes.set(xscale="log", yscale="log", xlabel=along, title=kind)
        axes.xaxis.set_major_locator(FixedLocator(sorted({x for points in lines.values() for x in points})))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.grid(visible=True, which="both", axis="y", linewidth=0.3)
    low, high = grid.flat[0].get_ylim()
    grid.flat[0].set_ylim(min(low, high / 8), high)
    for axes in grid[:, 0]:
        axes.set_ylabel(f"Gop/s; {title}")
    _legend(figure, grid.flat[0])
    return _save(figure, output / f"scaling_{along}.png")


def against_model(result: dict, output: pathlib.Path) -> pathlib.Path | None:
    """A point for each case: across what the model says, its lower end marked, up what was measured."""
    cases = [case for case in result["cases"] if case.get("predicted") and _median(case, "library")]
    if not cases:
        return None
    figure, axes = plt.subplots(figsize=(7.5, 7))
    groups = list(dict.fromkeys(case["group"] for case in cases))
    for number, group in enumerate(groups):
        for case in (case for case in cases if case["group"] == group):
            ends = case["predicted"]["total"] * 1e3, case["predicted"]["serial"] * 1e3
            axes.plot(ends, [_median(case, "library") * 1e3] * 2, color=f"C{number}", linewidth=1)
            axes.plot(ends[0], _median(case, "library") * 1e3, "o", markersize=5, color=f"C{number}")
        axes.plot([], [], "o-", markersize=5, linewidth=1, color=f"C{number}", label=group)
    times = [value * 1e3 for case in cases for value in (case["predicted"]["total"], _median(case, "library"))]
    span = [min(times) / 1.5, max(times) * 1.5]
    axes.plot(span, span, "k-", linewidth=1, label="as predicted")
    axes.fill_between(span, [x / BAND for x in span], [x * BAND for x in span], color="k", alpha=0.1,
                      label=f"within {BAND} of it", linewidth=0)
    axes.set(xscale="log", yscale="log", xlim=span, ylim=span, xlabel="ms, the model: reading hidden (o) to not at all",
             ylabel="ms, measured", aspect="equal")
    axes.legend(fontsize=8)
    figure.tight_layout()
    return _save(figure, output / "model.png")


def draw(source: pathlib.Path, output: pathlib.Path) -> list[pathlib.Path]:
    """All plots that the measured cases are enough for."""
    result = json.loads(source.read_text())
    paths = [
        roofline(result, output),
        time_split(result, output),
        against_model(result, output),
        _scaling(result, output, "ranks", lambda case: case["group"] == "ranks", "8192 of k in total"),
        _scaling(result, output, "rows", lambda case: (case["k"], case["n"], case["ranks"]) == (4096, 8192, 2)
                 and case["group"] != "ranks", "k 4096, n 8192"),
        _scaling(result, output, "k", lambda case: (case["rows"], case["n"], case["ranks"]) == (512, 8192, 2)
                 and case["group"] != "ranks", "512 rows, n 8192"),
    ]
    return [path for path in paths if path]


if __name__ == "__main__":
    print("\n".join(map(str, draw(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])))))
