# SPDX-License-Identifier: MIT
"""Runs examples/llama, alone or under mmarn launch, and the fp64 reference; their paths are the first arguments."""

import subprocess
import sys
import unittest

COMMAND, LLAMA, REFERENCE = sys.argv[1:4]
del sys.argv[1:4]

# In units of what roundings did to the reference; docs/llama.md derives it.
MARGIN = 8


def run(ranks, *arguments, timeout=240):
    """The finished process; ranks is 0 for the program without launch."""
    launch = [COMMAND, "launch", "-n", str(ranks), "--"] if ranks else []
    words = launch + [LLAMA, *map(str, arguments)]
    return subprocess.run(words, timeout=timeout, capture_output=True, check=False)


class Case(unittest.TestCase):
    """A test with what several files of tests need."""

    def text(self, ranks, model, tokenizer, *arguments):
        """What a run that succeeds writes to stdout, as bytes."""
        process = run(ranks, "--model", model, "--tokenizer", tokenizer, *arguments)
        self.assertEqual(process.returncode, 0, process.stderr)
        return process.stdout

    def score(self, ranks, model, tokenizer, dtype, text, *options):
        """(tokens, log-likelihoods with their mean behind them) of a text's file."""
        lines = self.text(ranks, model, tokenizer, "--dtype", dtype, "--score", text, *options).decode().splitlines()
        rows = [line.split() for line in lines]
        self.assertEqual([int(row[0]) for row in rows[:-1]], list(range(1, len(rows))))
        self.assertEqual((rows[-1][0], int(rows[-1][3])), ("mean", len(rows) - 1))
        return [int(row[1]) for row in rows[:-1]], [float(row[2]) for row in rows[:-1]] + [float(rows[-1][1])]

    samples = 16

    def reference(self, model, dtype, ranks, seed, tokens):
        """For each token but the first, and for their mean: (exact, typed, moved exact, moved typed)."""
        words = [REFERENCE, *map(str, (model, dtype, ranks, self.samples, seed, *tokens))]
        lines = subprocess.run(words, timeout=600, capture_output=True, check=True, text=True).stdout.splitlines()
        return [tuple(float(word) for word in line.split()) for line in lines]

    def assert_likelihoods(self, found, reference):
        """Each is within its bound for the weights as the type has them, and the mean for those of the file."""
        self.assertEqual(len(found), len(reference))
        for index, (value, row) in enumerate(zip(found, reference)):
            with self.subTest(token=index + 1 if index + 1 < len(found) else "mean"):
                self.assertLessEqual(abs(value - row[1]), MARGIN * row[3])
        exact, _, moved, _ = reference[-1]
        self.assertLessEqual(abs(found[-1] - exact), MARGIN * moved)

    def compare(self, files, dtype, all_ranks, seed, tokens):
        """files are model, vocabulary and a text with these tokens."""
        for ranks in all_ranks:
            with self.subTest(dtype=dtype, ranks=ranks, seed=seed):
                if ranks == all_ranks[0] or dtype.startswith(("int", "w8")):  # other ranks, other groups
                    reference = self.reference(files[0], dtype, max(1, ranks), seed, tokens)
                found, likelihoods = self.score(ranks, *files[:2], dtype, files[2])
                self.assertEqual(found, tokens[1:])
                self.assert_likelihoods(likelihoods, reference)
