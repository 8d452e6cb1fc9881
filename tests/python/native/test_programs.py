# SPDX-License-Identifier: MIT
"""The example and the benchmark run as the programs they are."""

import json
import pathlib
import re
import runpy
import subprocess
import sys

PROJECT = pathlib.Path(__file__).resolve().parents[3]


def run(*command):
    return subprocess.run([sys.executable, *command], cwd=PROJECT, capture_output=True, text=True, timeout=100,
                          check=True).stdout


def test_example():
    """Both ranks print, and the same numbers. Where output is not buffered, lines may run into each other."""
    said = re.findall(r"rank (\d): (y\[0, 0\] = [-\d.]+, norm_out\[0, 0\] = [-\d.]+)", run("examples/ranks.py"))
    assert [rank for rank, _ in sorted(said)] == ["0", "1"]
    assert said[0][1] == said[1][1]


def test_overhead(monkeypatch, capsys):
    def said(*arguments):
        monkeypatch.setattr(sys, "argv", ["python_overhead.py", "--seconds", "0.01", *arguments])
        runpy.run_path(str(PROJECT / "bench/python_overhead.py"), run_name="__main__")
        return capsys.readouterr().out

    document = json.loads(said("--json"))
    by_numpy = [row for row in document["calls"] if row["framework"] == "numpy"]
    assert len(by_numpy) == 5
    assert all(row["overhead_us"] > 0 and row["one_row_us"] > 0 for row in by_numpy)
    assert "Op, new outputs" in said()
