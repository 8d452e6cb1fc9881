# SPDX-License-Identifier: MIT
"""examples/llama with command lines, checkpoints and vocabularies that are wrong: a sentence and a status, no crash."""

import pathlib
import random
import struct
import tempfile
import unittest

from llama_case import Case, run
from llama_files import write_model, write_tokenizer

SHAPE = {"dim": 8, "hidden": 6, "layers": 1, "heads": 2, "kv_heads": 1, "vocab": 5, "seq_len": 16}
ENTRIES = [(b"<unk>", 0.0), (b"<s>", 0.0), (b"</s>", 0.0), (b" ", 0.0), (b"a", 0.0)]
USAGE, RUNTIME = 2, 3
FIELDS = "dim", "hidden_dim", "n_layers", "n_heads", "n_kv_heads", "vocab_size", "seq_len"


class Hostile(Case):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.model, self.tokenizer = pathlib.Path(folder.name) / "model", pathlib.Path(folder.name) / "tokenizer"
        write_model(self.model, 1, own_classifier=True, **SHAPE)
        write_tokenizer(self.tokenizer, ENTRIES)

    def refused(self, status, *parts, arguments=(), ranks=0):
        """One sentence with these parts on stderr, nothing on stdout."""
        names = ("--model", self.model, "--tokenizer", self.tokenizer, "--steps", 4)
        process = run(ranks, *names, *arguments)
        self.assertEqual(process.returncode, status, process.stderr)
        self.assertEqual(process.stdout, b"")
        self.assertTrue(process.stderr.startswith(b"llama: "), process.stderr)
        if not ranks:
            self.assertEqual(process.stderr.count(b"\n"), 1, process.stderr)
        for part in parts:
            self.assertIn(part, process.stderr.decode())

    def set_field(self, field, value):
        data = bytearray(self.model.read_bytes())
        struct.pack_into("<i", data, 4 * FIELDS.index(field), value)
        self.model.write_bytes(data)

    def test_the_untouched_files_work(self):
        self.assertTrue(self.text(0, self.model, self.tokenizer, "--steps", 4).endswith(b"\n"))
        self.assertEqual(self.text(0, self.model, self.tokenizer, "--steps", 0), b"\n")
        for steps in (4, 16):  # the prompt, which a space is put before, is the whole text
            prompt = "a" * (steps - 1)
            text = self.text(0, self.model, self.tokenizer, "--steps", steps, "--prompt", prompt)
            self.assertEqual(text, prompt.encode() + b"\n")

    def test_header(self):
        good = self.model.read_bytes()
        for field in FIELDS:
            for value in (0, -1, 1, 3, 1 << 20, (1 << 20) + 1, (1 << 31) - 1, -(1 << 31)):
                with self.subTest(field=field, value=value):
                    self.model.write_bytes(good)
                    self.set_field(field, value)
                    # A value that the file already has is not a mistake.
                    if value != struct.unpack_from("<i", good, 4 * FIELDS.index(field))[0]:
                        self.refused(RUNTIME, "is no model", str(self.model))

    def test_every_length(self):
        good = self.model.read_bytes()
        source = random.Random(2)
        for length in [0, 1, 27, 28, 29, len(good) - 1, *source.sample(range(len(good)), 10)]:
            with self.subTest(length=length):
                self.model.write_bytes(good[:length])
                self.refused(RUNTIME, "is no model", str(length))
        self.model.write_bytes(good + b"\0")
        self.refused(RUNTIME, str(len(good)), str(len(good) + 1))

    def test_random_headers(self):
        good = self.model.read_bytes()
        source = random.Random(3)
        for number in range(40):
            data = bytearray(good)
            for _ in range(3):
                data[source.randrange(28)] ^= 1 << source.randrange(8)
            with self.subTest(number=number):
                self.model.write_bytes(data)
                if data != good:
                    self.refused(RUNTIME, "is no model")

    def test_weights(self):
        good = self.model.read_bytes()
        for value, sentence, dtype in (
            (float("nan"), "not finite", "f32"),
            (float("inf"), "not finite", "int8"),
            (1e30, "too large", "f16"),
            (1e30, "too large", "int4"),
        ):
            with self.subTest(value=value, dtype=dtype):
                at = 28 + 4 * (SHAPE["vocab"] * SHAPE["dim"] + SHAPE["dim"])  # the first of wq, row 0
                floats = struct.pack("<f", value) * SHAPE["dim"] ** 2
                self.model.write_bytes(good[:at] + floats + good[at + len(floats) :])
                self.refused(RUNTIME, sentence, arguments=("--dtype", dtype))

    def test_tokenizer(self):
        good = self.tokenizer.read_bytes()
        for name, data in {
            "empty": b"",
            "cut": good[:-1],
            "no entry": good[:4],
            "more": good + b"\0",
            "longest 0": struct.pack("<i", 0) + good[4:],
            "longest huge": struct.pack("<i", (1 << 31) - 1) + good[4:],
            "length below 0": good[:8] + struct.pack("<i", -1) + good[12:],
            "length huge": good[:8] + struct.pack("<i", (1 << 31) - 1) + good[12:],
            "length beyond the longest": good[:8] + struct.pack("<i", 6) + good[12:],
            "score": good[:4] + struct.pack("<f", float("nan")) + good[8:],
        }.items():
            with self.subTest(name):
                self.tokenizer.write_bytes(data)
                self.refused(RUNTIME, str(self.tokenizer))

    def test_files(self):
        missing = self.model.parent / "missing"
        self.refused(RUNTIME, "missing", "cannot be opened", arguments=("--model", missing))
        self.refused(RUNTIME, "missing", "cannot be opened", arguments=("--tokenizer", missing))
        self.refused(RUNTIME, "missing", "cannot be opened", arguments=("--score", missing))
        self.refused(RUNTIME, "is not a file", arguments=("--model", self.model.parent))
        self.refused(RUNTIME, "cannot be read", arguments=("--tokenizer", self.model.parent))
        self.refused(RUNTIME, "missing", arguments=("--model", missing), ranks=2)

    def test_options(self):
        for name, value in (
            ("--dtype", "f64"),
            ("--steps", "-1"),
            ("--steps", "4x"),
            ("--temperature", "nan"),
            ("--temperature", "-1"),
            ("--top-p", "1.1"),
            ("--seed", "99999999999999999999"),
        ):
            with self.subTest(option=name, value=value):
                self.refused(USAGE, name, value, arguments=(name, value))
        self.refused(USAGE, "stray", arguments=("stray",))
        self.refused(RUNTIME, "17", "16", arguments=("--steps", 17))
        self.refused(RUNTIME, "do not fit", arguments=("--prompt", "a" * 100))
        self.refused(RUNTIME, "7 tokens", "only 5 fit", arguments=("--prompt", "aaaaa"))
        process = run(0, "--model", self.model)
        self.assertEqual((process.returncode, process.stdout), (USAGE, b""))
        self.assertIn(b"--tokenizer", process.stderr)

    def test_help(self):
        process = run(0, "--help")
        self.assertEqual((process.returncode, process.stderr), (0, b""))
        for name in ("--model", "--tokenizer", "--prompt", "--steps", "--dtype", "--top-p", "--seed", "--score"):
            self.assertIn(name.encode(), process.stdout)


if __name__ == "__main__":
    unittest.main()
