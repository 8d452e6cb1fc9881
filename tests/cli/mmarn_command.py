"""Runs the mmarn command for the tests beside this file; its path is their first argument."""

import json
import os
import pathlib
import re
import subprocess
import sys
import unittest

COMMAND = sys.argv.pop(1)
GEMM = pathlib.Path(__file__).resolve().parents[2] / "src/gemm"


def run(*arguments, environment=None, timeout=240):
    """The finished process, its output as text."""
    variables = {**os.environ, **(environment or {})}
    return subprocess.run(
        [COMMAND, *map(str, arguments)], env=variables, timeout=timeout, capture_output=True, text=True, check=False
    )


def start(*arguments):
    """The running process."""
    return subprocess.Popen([COMMAND, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def constant(name, file):
    """A number that a file of src/gemm names."""
    return int(re.search(rf"\b{name} = (\d+)\b", (GEMM / file).read_text()).group(1))


def bf16_rows(dtype):
    """Rows from which on the library multiplies the type as bf16, on processors that can."""
    if dtype == "bf16":
        return constant("WORTH_A_LOOK", "gemm_tile_dot.c")
    return constant("FEW_ROWS", "gemm_tile_quant.c") + 1


def peak_kind(dtype, rows, environment=None):
    """The multiply-adds that the library does a type with, from what it may use and when it uses it."""
    x1 = dtype.partition("-")[0]
    if x1 == "int8":
        return "int8"
    facts = json.loads(run("info", "--json", environment=environment).stdout)
    dot = "avx512bf16" in facts["library"]["cpu features used"].split()
    return "bf16" if x1 == "bf16" and dot and rows >= bf16_rows(dtype) else "fp32"


class Case(unittest.TestCase):
    """A test with the assertions that all of them need."""

    def assert_exit(self, process, status):
        self.assertEqual(process.returncode, status, process.stdout + process.stderr)

    def assert_sentence(self, process, *parts):
        """stderr is one line that holds all the parts, and stdout is empty."""
        self.assertEqual(process.stdout, "")
        self.assertEqual(process.stderr.count("\n"), 1, process.stderr)
        for part in parts:
            self.assertIn(part, process.stderr)

    def json_of(self, process):
        """The one object on the one line of stdout; nothing was written to stderr."""
        self.assertEqual(process.stderr, "")
        self.assertEqual(process.stdout.count("\n"), 1, process.stdout)
        return json.loads(process.stdout)


def main():
    unittest.main()
