#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""python_overhead.py [--json] [--seconds S] - what a call costs from Python, before any kernel runs.

Measured on arrays of no rows: the library checks them and returns before it computes or communicates, so the time of
such a call is that of the way through Python, the reading of the arrays, new outputs, the library's checks and the way
back; it bounds the time to the first kernel from above. (New outputs without elements cost less than others by one
malloc, well under 0.1 us.) Beside it: the whole call with one row on one rank and one thread, and torch's own smallest
operations in the same process. Each figure is the smallest of several repetitions.
"""

import argparse
import json
import timeit

import numpy

import mmarn

K = N = 64
REPEATS = 7
WARM_UP = 100


def measure(call, seconds):
    """Microseconds of one call: the best of REPEATS, of which each takes its share of the time."""
    timer = timeit.Timer(call)
    trial = timer.timeit(WARM_UP)
    count = max(1, int(WARM_UP * seconds / REPEATS / trial))
    return 1e6 * min(timer.repeat(REPEATS, count)) / count


def calls(group, make, rows):
    """(name, call) for arrays of one framework."""
    x1, residual, y, norm_out = (make(rows, size) for size in (K, N, N, N))
    x2, gamma = make(K, N), make(1, N)[0]
    op = mmarn.Op(group, x2, gamma)
    outputs = {"y": y, "norm_out": norm_out}
    function = mmarn.mm_all_reduce_add_rms_norm
    return [
        ("Op, new outputs", lambda: op(x1, residual)),
        ("Op, outputs passed", lambda: op(x1, residual, **outputs)),
        ("mm_all_reduce_add_rms_norm, new outputs", lambda: function(x1, x2, residual, gamma, group)),
        ("mm_all_reduce_add_rms_norm, outputs passed", lambda: function(x1, x2, residual, gamma, group, **outputs)),
        ("all_reduce in place", lambda: group.all_reduce(y, y)),
    ]


def frameworks():
    """(name, function that makes a float32 array) of those that are installed."""
    found = [("numpy", lambda *shape: numpy.ones(shape, numpy.float32))]
    try:
        import torch
    except ImportError:
        return found
    return [("torch", lambda *shape: torch.ones(shape)), *found]


def torch_operations():
    import torch

    x, w = torch.ones(1, K), torch.ones(K, N)
    return [("x @ w", lambda: x @ w), ("x + x", lambda: x + x), ("empty_like(x)", lambda: torch.empty_like(x))]


def rows_of(seconds):
    """The table: dictionaries with framework, call, overhead_us and one_row_us (either may be None)."""
    table = []
    with mmarn.Group(threads=1) as group:
        for framework, make in frameworks():
            for (name, empty), (_, one_row) in zip(calls(group, make, 0), calls(group, make, 1), strict=True):
                table.append({"framework": framework, "call": name, "overhead_us": measure(empty, seconds),
                              "one_row_us": measure(one_row, seconds)})
    if any(row["framework"] == "torch" for row in table):
        for name, call in torch_operations():
            table.append({"framework": "torch", "call": f"torch's own {name}", "overhead_us": None,
                          "one_row_us": measure(call, seconds)})
    return table


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON document instead of the table")
    parser.add_argument("--seconds", type=float, default=0.5, help="for each figure (default: %(default)s)")
    arguments = parser.parse_args()
    table = rows_of(arguments.seconds)
    if arguments.json:
        print(json.dumps({"version": mmarn.__version__, "k": K, "n": N, "calls": table}, indent=1))
        return
    print(f"{'arrays':8}{'call':46}{'no rows, us':>12}{'one row, us':>13}")
    for row in table:
        overhead = "" if row["overhead_us"] is None else f"{row['overhead_us']:.2f}"
        print(f"{row['framework']:8}{row['call']:46}{overhead:>12}{row['one_row_us']:13.2f}")


if __name__ == "__main__":
    main()
