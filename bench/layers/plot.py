#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""plot.py IN.json OUT.png - a roofline of what build/bench/layers measured: each case is a point.

Across: operations for each byte that must be moved (weights with their scales, x1, residual, y, norm_out). Up: what was
reached. Ceilings were measured for each block of cases; drawn are their medians, and all of them as a band.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import statistics
import sys

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

# One hue for each kind of weights; the lighter shade is bf16's.
COLOURS = {
    "f16": "#08519c", "bf16": "#6baed6", "f32": "#252525",
    "int8-f16": "#a63603", "int8-bf16": "#fd8d3c",
    "f16-int8": "#006d2c", "bf16-int8": "#74c476",
    "f16-int4": "#7a0177", "bf16-int4": "#f768a1",
}
KINDS = {"fp32": "-", "bf16": "-.", "int8": ":"}  # of multiply-adds
MARKERS = {1: "o", 4: "s", 16: "^", 128: "D", 512: "P"}


def ceilings(axes: Axes, cases: list[dict], span: tuple[float, float]) -> list[Line2D]:
    """The ceilings over a span of operations per byte, and their lines for the legend."""
    reads = [case["read_gbs"] for case in cases]
    read = statistics.median(reads)
    lines = axes.plot(span, [x * read for x in span], "k--", linewidth=1.2, label=f"reading memory, {read:.1f} GB/s")
    axes.fill_between(span, [x * min(reads) for x in span], [x * max(reads) for x in span], color="k", alpha=0.08, lw=0)
    for kind, style in KINDS.items():
        peaks = [case["peak_gflops"] for case in cases if case["peak_kind"] == kind]
        if not peaks:
            continue
        peak = statistics.median(peaks)
        lines += axes.plot(span, [peak, peak], color="k", linestyle=style, linewidth=1.2,
                           label=f"{kind} multiply-adds, {peak:.1f} GFLOP/s")
        axes.fill_between(span, min(peaks), max(peaks), color="k", alpha=0.08, lw=0)
    return lines


def points(axes: Axes, cases: list[dict]) -> None:
    """A marker for each case; lighter when there are so many that they lie on each other."""
    alpha = 0.9 if len(cases) < 100 else 0.55
    for dtype, colour in COLOURS.items():
        for rows, marker in MARKERS.items():
            chosen = [case for case in cases if (case["dtype"], case["rows"]) == (dtype, rows)]
            axes.scatter([case["operations"] / case["moved_bytes"] for case in chosen],
                         [case["gflops"] for case in chosen], s=42, marker=marker, color=colour, alpha=alpha,
                         edgecolors="white", linewidths=0.5, zorder=3)


def legends(figure: plt.Figure, lines: list[Line2D], cases: list[dict]) -> None:
    """Ceilings, colours and markers, beside the picture where they hide no point."""
    dtypes, rows = {case["dtype"] for case in cases}, {case["rows"] for case in cases}
    groups = [
        ("ceilings, measured", lines),
        ("types", [Line2D([], [], color=colour, marker="o", linestyle="", label=dtype)
                   for dtype, colour in COLOURS.items() if dtype in dtypes]),
        ("rows", [Line2D([], [], color="0.4", marker=marker, linestyle="", label=str(count))
                  for count, marker in MARKERS.items() if count in rows]),
    ]
    top = 0.9
    for title, handles in groups:
        figure.legend(handles=handles, title=title, loc="upper left", bbox_to_anchor=(0.71, top), fontsize=9,
                      title_fontproperties={"weight": "bold", "size": 9}, alignment="left", frameon=False)
        top -= 0.07 + 0.03 * len(handles)


def draw(result: dict, output: pathlib.Path) -> None:
    """The picture."""
    cases = [case for case in result["cases"] if "time_ms" in case]
    if not cases:
        raise SystemExit("plot.py: no case was measured, so there is nothing to draw")
    models = ", ".join(dict.fromkeys(case["model"] for case in cases))
    ranks = ", ".join(str(tp) for tp in dict.fromkeys(case["tp"] for case in cases))
    intensity = [case["operations"] / case["moved_bytes"] for case in cases]
    reached = [case["gflops"] for case in cases]
    span = (min(intensity) / 2, max(intensity) * 2)
    figure, axes = plt.subplots(figsize=(11, 6.5))
    figure.subplots_adjust(left=0.08, right=0.69, bottom=0.1, top=0.9)
    lines = ceilings(axes, cases, span)
    points(axes, cases)
    axes.set(xscale="log", yscale="log", xlim=span,
             ylim=(min(reached) / 2, 2 * max(*reached, *(case["peak_gflops"] for case in cases))),
             xlabel="operations per byte moved (FLOP/B)", ylabel="operations per second (GFLOP/s)")
    axes.grid(which="major", color="0.9")
    axes.set_axisbelow(True)
    axes.set_title(f"o_proj and down_proj of {models}; TP {ranks}\n{result['machine']}, {result['kernel']} kernels",
                   fontsize=10, loc="left")
    legends(figure, lines, cases)
    figure.savefig(output, dpi=120)


def main() -> int:
    """Reads, draws, says where."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=pathlib.Path, metavar="IN.json")
    parser.add_argument("output", type=pathlib.Path, metavar="OUT.png")
    arguments = parser.parse_args()
    draw(json.loads(arguments.source.read_text()), arguments.output)
    print(f"wrote {arguments.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
