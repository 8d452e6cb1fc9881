"""The example and the benchmark run as the programs they are."""

import json
import pathlib
import runpy
import subprocess
import sys

PROJECT = pathlib.Path(__file__).resolve().parents[3]


def run(*command):
    return subprocess.run([sys.executable, *command], cwd=PROJECT, capture_output=True, text=True, timeout=100,
                          check=True).stdout


def test_example():
    """Both ranks print, and the same numbers."""
    lines = sorted(run("examples/ranks.py").splitlines())
    assert [line.split(":")[0] for line in lines] == ["rank 0", "rank 1"]
    assert lines[0].split(":")[1] == lines[1].split(":")[1]


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
