# SPDX-License-Identifier: MIT
"""Runs the mmarn command for the tests beside this file; its path is their first argument."""

import json
import os
import subprocess
import sys
import unittest

COMMAND = sys.argv.pop(1)


def run(*arguments, environment=None, timeout=240):
    """The finished process, its output as text."""
    variables = {**os.environ, **(environment or {})}
    return subprocess.run(
        [COMMAND, *map(str, arguments)], env=variables, timeout=timeout, capture_output=True, text=True, check=False
    )


def start(*arguments):
    """The running process."""
    return subprocess.Popen([COMMAND, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def may_multiply_bf16(environment=None):
    """Whether the library has instructions for pairs of bf16 here."""
    facts = json.loads(run("info", "--json", environment=environment).stdout)
    return "avx512bf16" in facts["library"]["cpu features used"].split()


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
