#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""run.py - the library side by side with what a user would pick instead, in one run on one machine.

Needs the target bench_workers to be built, and `make bench` does it all. What is not installed is left out, with its
reason. Writes result.json and plots; an interrupted run leaves what was measured until then.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import library
import measure
import report
import workers
from cases import Case, choose

ROOT = pathlib.Path(__file__).resolve().parent.parent


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a minute instead of a quarter of an hour")
    parser.add_argument("--only", action="append", default=[], metavar="PATTERN",
                        help="cases with this in their name, where * and ? stand for anything; may be repeated")
    parser.add_argument("--peers", action="append", default=[], metavar="PATTERN",
                        help="beside the library only peers with this in their name: mmarn is the library alone")
    parser.add_argument("--list", action="store_true", help="name the cases and measure nothing")
    parser.add_argument("--no-pin", dest="pin", action="store_false",
                        help="leave it to the scheduler where ranks run, instead of giving each its own processors")
    parser.add_argument("--workers", type=pathlib.Path, default=ROOT / "build/bench", metavar="FOLDER",
                        help="where the worker programs are (default: build/bench)")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "build/bench", metavar="FOLDER",
                        help="where result.json and the plots go (default: build/bench)")
    return parser.parse_args()


def measure_ceilings(folder: pathlib.Path) -> dict:
    """What the machine can do at best, from the program of that name."""
    done = subprocess.run([str(folder / "ceilings")], capture_output=True, text=True, check=False, timeout=120)
    return json.loads(done.stdout) if done.returncode == 0 else {}


def progress(text: str) -> None:
    """On a terminal only; the next one takes its place."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def run_cases(bench: measure.Bench, cases: list[Case], ceilings: dict, keep) -> bool:
    """Shows each case when it has been measured. False when interrupted."""
    start = time.monotonic()
    try:
        for number, case in enumerate(cases, 1):
            progress(f"{number} of {len(cases)}, {time.monotonic() - start:.0f} s: {case.name}")
            results = bench.run(case)
            progress("")
            print(report.table(case, results, ceilings), flush=True)
            keep(case, results)
    except KeyboardInterrupt:
        progress("")
        print("interrupted; what was measured is kept", file=sys.stderr)
        return False
    return True


def draw(output: pathlib.Path) -> None:
    """The plots, if matplotlib is there."""
    try:
        import plots
    except ImportError as error:
        print(f"no plots: {error}", file=sys.stderr)
        return
    for path in plots.draw(output / "result.json", output):
        print(f"wrote {path}")


def interrupt(_signal: int, _frame: object) -> None:
    """SIGTERM is taken as an interrupt."""
    raise KeyboardInterrupt


def main() -> int:
    """Measures, reports, draws."""
    arguments = parse()
    cases = choose(arguments.quick, arguments.only)
    if arguments.list or not cases:
        print("\n".join(case.name for case in cases) or "no case has such a name", file=None if cases else sys.stderr)
        return 0 if cases else 2
    if not (arguments.workers / "ours").exists():
        print(f"{arguments.workers}/ours is not built; make bench builds it", file=sys.stderr)
        return 2
    library.PROGRAM = arguments.workers / "plan"
    signal.signal(signal.SIGTERM, interrupt)
    arguments.output.mkdir(parents=True, exist_ok=True)
    progress("measuring the ceilings")
    ceilings, where = measure_ceilings(arguments.workers), report.machine() | {"pinned": arguments.pin}
    progress("")
    print(report.heading(where, ceilings), flush=True)
    pool = workers.Pool(arguments.workers, arguments.pin)
    measured: list[tuple[Case, list[measure.Times]]] = []

    def keep(case: Case, results: list[measure.Times]) -> None:
        measured.append((case, results))
        report.write_json(arguments.output / "result.json", where, ceilings, pool.described, measured)

    with tempfile.TemporaryDirectory(prefix="mmarn-bench-") as scratch:
        bench = measure.Bench(pool, pathlib.Path(scratch), arguments.quick, ceilings.get("cache_bytes", 0.0),
                              arguments.peers)
        try:
            finished = run_cases(bench, cases, ceilings, keep)
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)  # the workers must be ended in this case too
            pool.close()
    if measured:
        print(report.summary(measured))
        print(f"wrote {arguments.output / 'result.json'}")
        draw(arguments.output)
    return 0 if finished else 130


if __name__ == "__main__":
    sys.exit(main())
