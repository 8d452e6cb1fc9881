# SPDX-License-Identifier: MIT
"""examples/llama with a trained model, stories260K; skipped where MMARN_MODELS does not name a folder that has it."""

import sys
import unittest

from llama_case import Case
from llama_files import encode, find_model, read_tokenizer

FILES = find_model()
SKIPPED = 77
VOCAB = 512


class Stories(Case):
    def setUp(self):
        self.model, self.tokenizer, self.expected = FILES

    def test_greedy_text(self):
        for ranks in (0, 1, 2, 3, 4, 8):
            for options in ((), ("--sequence-parallel",)):
                with self.subTest(ranks=ranks, options=options):
                    text = self.text(ranks, self.model, self.tokenizer, "--steps", 200, "--temperature", 0, *options)
                    self.assertEqual(text, self.expected.read_bytes())

    def test_a_prompt_is_continued(self):
        text = self.expected.read_text()
        prompt = text[: text.index("One day")].rstrip()
        words = ("--steps", 60, "--prompt", prompt)
        self.assertTrue(text.encode().startswith(self.text(3, self.model, self.tokenizer, *words).rstrip()))

    def compare_with_reference(self, dtype, all_ranks):
        tokens = encode(read_tokenizer(self.tokenizer, VOCAB), self.expected.read_text())
        self.compare(FILES, dtype, all_ranks, 1, tokens)

    def test_f32(self):
        self.compare_with_reference("f32", (1, 2, 3, 4, 8))

    def test_f16(self):
        self.compare_with_reference("f16", (1, 2, 3, 4, 8))

    def test_bf16(self):
        self.compare_with_reference("bf16", (1, 2, 3, 4, 8))

    def test_int8(self):
        self.compare_with_reference("int8", (1, 3))

    def test_w8a8(self):
        self.compare_with_reference("w8a8", (1, 3))

    def test_int4(self):
        self.compare_with_reference("int4", (1, 8))


if __name__ == "__main__":
    if not FILES:
        print("skipped: MMARN_MODELS names no folder with stories260K.bin, tok512.bin and expected-200.txt")
        sys.exit(SKIPPED)
    unittest.main()
