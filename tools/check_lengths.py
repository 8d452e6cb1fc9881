#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_lengths.py - no file over 500 lines, no function over 60, so that each can be read in one go.

Covers *.c, *.h, *.inc and *.py. A C function is measured from the brace that opens it in the first column to the one
that closes it there, which the project's format makes reliable; a Python function from its def to its last line.
"""

import ast
import statistics
import sys

from project_files import argument_parser, project_files, report

FILE_LINES = 500
FUNCTION_LINES = 60


def c_functions(lines):
    """(number of the first line, lines) of each function."""
    start = None
    for number, line in enumerate(lines, 1):
        if line.rstrip() == "{":
            start = number
        elif start and line.startswith("}"):
            yield start, number - start + 1
            start = None


def python_functions(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.lineno, node.end_lineno - node.lineno + 1


def main():
    root = argument_parser(__doc__).parse_args().root
    problems, lengths = [], []
    for name in project_files(root, ".c", ".h", ".inc", ".py"):
        text = (root / name).read_text()
        lines = text.splitlines()
        lengths.append(len(lines))
        if len(lines) > FILE_LINES:
            problems.append(f"{name}: {len(lines)} lines, at most {FILE_LINES} are allowed")
        functions = python_functions(text) if name.endswith(".py") else c_functions(lines)
        for start, length in functions:
            if length > FUNCTION_LINES:
                problems.append(f"{name}:{start}: a function of {length} lines, at most {FUNCTION_LINES} are allowed")
    median = statistics.median(lengths) if lengths else 0
    longest = max(lengths, default=0)
    return report(problems, f"{len(lengths)} files, median {median:g} lines, longest {longest}")


if __name__ == "__main__":
    sys.exit(main())
