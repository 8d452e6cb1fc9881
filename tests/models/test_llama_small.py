# SPDX-License-Identifier: MIT
"""examples/llama with small random models against the fp64 reference, for shards of every kind; always runs."""

import os
import pathlib
import random
import tempfile
import unittest

from llama_case import Case
from llama_files import encode, write_model, write_tokenizer

DTYPES = "f32", "f16", "bf16", "int8", "int4", "w8a8"
LETTERS = "abcdefgh"

# One with a classifier of its own, grouped int4 and a hidden layer of a prime size; one with so little of everything
# that ranks go without heads, hidden columns and rows of the classifier.
WIDE = {"dim": 48, "hidden": 71, "layers": 2, "heads": 8, "kv_heads": 4, "seq_len": 96, "own_classifier": True}
NARROW = {"dim": 36, "hidden": 2, "layers": 3, "heads": 2, "kv_heads": 1, "seq_len": 96, "own_classifier": False}


def vocabulary(source, letters, pairs):
    entries = [(b"<unk>", 0.0), (b"\n<s>\n", 0.0), (b"\n</s>\n", 0.0), (b" ", -50.0)]
    entries += [(letter.encode(), -50.0) for letter in letters]
    unions = {(source.choice(letters) + source.choice(letters)).encode() for _ in range(pairs)}
    return entries + [(union, source.uniform(-9, 0)) for union in sorted(unions)]


class Small(Case):
    samples = 32  # with seeds that differ from run to run

    def setUp(self):
        self.seed = int(os.environ.get("MMARN_TEST_SEED") or random.randrange(1 << 30))
        print("seed", self.seed, flush=True)
        self.random = random.Random(self.seed)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def make(self, shape, letters, pairs):
        entries = vocabulary(self.random, letters, pairs)
        model, tokenizer = self.folder / "model", self.folder / "tokenizer"
        write_model(model, self.seed, vocab=len(entries), **shape)
        write_tokenizer(tokenizer, entries)
        return model, tokenizer, entries

    def compare_all(self, shape, letters, pairs):
        model, tokenizer, entries = self.make(shape, letters, pairs)
        text = "".join(self.random.choice(letters) for _ in range(75))
        (self.folder / "text").write_text(text)
        tokens = encode(entries, text)
        self.assertGreater(len(tokens), 40)  # more than go through the layers together
        for dtype in DTYPES:
            self.compare((model, tokenizer, self.folder / "text"), dtype, (0, 1, 2, 3, 8), self.seed, tokens)

    def test_sequence_parallel(self):
        """Rows dealt out or not: the same bits, so the same text and likelihoods, also with more ranks than rows."""
        for shape, letters, pairs in ((WIDE, LETTERS, 20), (NARROW, "ab", 1)):
            model, tokenizer, _ = self.make(shape, letters, pairs)
            text = "".join(self.random.choice(letters) for _ in range(75))
            (self.folder / "text").write_text(text)
            for dtype in ("f32", "bf16", "w8a8"):
                for ranks in (0, 2, 3):
                    with self.subTest(shape=shape, dtype=dtype, ranks=ranks):
                        files = (ranks, model, tokenizer, dtype, self.folder / "text")
                        self.assertEqual(self.score(*files, "--sequence-parallel"), self.score(*files))
            arguments = (3, model, tokenizer, "--steps", 60, "--prompt", "ab")
            self.assertEqual(self.text(*arguments, "--sequence-parallel"), self.text(*arguments))

    def test_uneven_shards(self):
        self.compare_all(WIDE, LETTERS, 20)

    def test_empty_shards(self):
        self.compare_all(NARROW, "ab", 1)

    def test_sampling(self):
        model, tokenizer, _ = self.make(WIDE, LETTERS, 20)

        def text(ranks, *arguments):
            return self.text(ranks, model, tokenizer, "--steps", 60, "--prompt", "abc", *arguments)

        warm = ("--temperature", 1.5, "--seed", 7)
        self.assertEqual(text(3, *warm), text(3, *warm))
        self.assertNotEqual(text(3, *warm), text(3, "--temperature", 1.5, "--seed", 8))
        greedy = text(1)
        self.assertTrue(greedy.startswith(b"abc"))
        self.assertEqual(text(1, *warm, "--top-p", 0), greedy)
        self.assertEqual(text(1, "--seed", 9), greedy)


if __name__ == "__main__":
    unittest.main()
