# SPDX-License-Identifier: MIT
"""test_abi.py - the comparison of the binary interface tells additions from breaks, and finds holes in structs.

It passes over nothing: what it cannot read, in the headers or in its own file, is a fault too.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools/check_abi.py"
HEADER = """#include <stddef.h>
#include <stdint.h>
#define MMARN_API
#define MMARN_VERSION_MAJOR 0
#define MMARN_VERSION_MINOR 1
#define MMARN_MOST 64
typedef int32_t mmarn_status;
enum { MMARN_OK = 0, /* a comment, with = in it */ MMARN_BAD = -1 };
typedef struct mmarn_op mmarn_op;
typedef struct mmarn_step {
    size_t struct_size;
    const void *x1, *x2;
    int32_t (*asked)(void *ctx);
    int32_t count, more;
} mmarn_step;
typedef struct mmarn_id {
    uint8_t bytes[64];
} mmarn_id;
MMARN_API mmarn_status mmarn_run(mmarn_op *op,
                                 const mmarn_step *step);
MMARN_API void mmarn_end(mmarn_op **op);
"""


class Abi(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        (self.root / "include/mmarn").mkdir(parents=True)
        (self.root / "src").mkdir()
        self.write()
        self.run_tool(0, "--update")

    def write(self, *changes):
        text = HEADER
        for old, new in changes:
            self.assertIn(old, text)
            text = text.replace(old, new)
        (self.root / "include/mmarn/mmarn.h").write_text(text)

    def run_tool(self, status, *arguments, **environment):
        done = subprocess.run([sys.executable, str(TOOL), "--root", str(self.root), *arguments], capture_output=True,
                              text=True, check=False, env=os.environ | environment)
        self.assertEqual((done.returncode, done.stderr), (status, ""), done.stdout)
        return done.stdout

    def release(self):
        path = self.root / "src/mmarn.abi"
        path.write_text(path.read_text().replace("released: no", "released: yes"))

    def test_unchanged(self):
        self.assertIn("2 functions, 2 structs", self.run_tool(0))
        text = (self.root / "src/mmarn.abi").read_text()
        for line in ("function mmarn_status mmarn_run(mmarn_op *op, const mmarn_step *step)",
                     "function void mmarn_end(mmarn_op **op)", "constant MMARN_BAD = -1", "constant MMARN_MOST = 64",
                     "field mmarn_step.x2 at 16, 8 bytes, const void *",
                     "field mmarn_step.more at 36, 4 bytes, int32_t",
                     "field mmarn_step.asked at 24, 8 bytes, int32_t(*asked)(void *ctx)",
                     "field mmarn_id.bytes at 0, 64 bytes, uint8_t[64]", "struct mmarn_step, 40 bytes"):
            self.assertIn(line, text)

    def test_breaks(self):
        for changes, sentence in (
                ([("const void *x1,", "const void *x0, *x1,")], 'break: "field mmarn_step.x1 at 8'),
                ([("int32_t count, more", "uint32_t count; int32_t more")], "mmarn_step.count at 32, 4 bytes, int32_t"),
                ([("MMARN_BAD = -1", "MMARN_BAD = -2")],
                 'break: "constant MMARN_BAD = -1" has become "constant MMARN_BAD = -2"'),
                ([("MMARN_OK = 0, /*", "MMARN_BAD, MMARN_OK, /*"), (" MMARN_BAD = -1", "")],
                 'break: "constant MMARN_OK = 0" has become "constant MMARN_OK = 1"'),
                ([("MMARN_MOST 64", "MMARN_MOST 32")], 'break: "constant MMARN_MOST = 64" has become'),
                ([("MMARN_MOST 64", "MMARN_MOST (0x40 / 2) /* of them */")], 'has become "constant MMARN_MOST = 32"'),
                ([("MMARN_API void mmarn_end(mmarn_op **op);", "")],
                 'break: "function void mmarn_end(mmarn_op **op)" is gone'),
                ([("const mmarn_step *step);", "mmarn_step *step);")], 'break: "function mmarn_status mmarn_run'),
                ([("typedef int32_t mmarn_status", "typedef int64_t mmarn_status")], 'break: "typedef int32_t'),
                ([("bytes[64]", "bytes[65]")], 'break: "field mmarn_id.bytes at 0, 64 bytes'),
                ([("uint8_t bytes[64];", "uint8_t bytes[64], more[8];")], "new in a struct that cannot grow")):
            with self.subTest(changes=changes):
                self.write(*changes)
                told = self.run_tool(1)
                self.assertIn(sentence, told)
                self.assertNotIn("addition", told)

    def test_an_enum_that_is_a_type(self):
        before = ("typedef int32_t mmarn_status;\nenum {", "typedef enum {"), ("-1 };", "-1 } mmarn_status;")
        self.write(*before)
        self.assertIn('break: "typedef int32_t mmarn_status" has become "typedef enum mmarn_status"', self.run_tool(1))
        self.run_tool(0, "--update")
        self.write(*before, ("BAD = -1", "BAD = -2"))
        self.assertIn('has become "constant MMARN_BAD = -2"', self.run_tool(1))

    def test_a_pointer_to_another_struct(self):
        self.write(("int32_t count, more;", "int32_t count, more; const struct mmarn_more *ascend;"),
                   ("typedef struct mmarn_step {", "struct mmarn_more;\ntypedef struct mmarn_step {"))
        self.assertIn('addition: "field mmarn_step.ascend at 40, 8 bytes, const struct mmarn_more *"', self.run_tool(1))

    def test_nothing_is_passed_over(self):
        for change in (("typedef struct mmarn_id {", "typedef struct {"),
                       ("typedef struct mmarn_id {", "typedef struct mmarn_other {"),
                       ("uint8_t bytes[64];", "union { uint8_t bytes[64]; uint64_t words[8]; } id;"),
                       ("int32_t count, more;", "int32_t count : 3; int32_t more;"),
                       ("MMARN_API void mmarn_end", "extern void mmarn_end"),
                       ("MMARN_API void mmarn_end(mmarn_op **op);", "MMARN_API extern int mmarn_count;"),
                       ("#define MMARN_MOST 64", "#define MMARN_MOST(n) 64"),
                       ("#define MMARN_MOST 64", '#define MMARN_MOST "64"')):
            with self.subTest(change=change):
                self.write(change)
                self.assertIn("is not understood", self.run_tool(1))
                self.assertIn("is not understood", self.run_tool(1, "--update"))

    def test_a_compiler_that_fails(self):
        self.assertIn("no-such-compiler cannot be run", self.run_tool(1, CC="no-such-compiler -m64"))
        self.run_tool(0, CC="cc -g")
        self.write(("uint8_t bytes", "uint9_t bytes"))
        self.assertIn("cc does not take the headers:", self.run_tool(1, CC=""))

    def test_a_compiler_of_another_kind(self):
        fake = self.root / "cc.sh"  # programs that it compiles answer 4 to every question
        fake.write_text('while [ "$1" != -o ]; do shift; done\n'
                        'printf "#!/bin/sh\\nyes 4 | head -n 99\\n" >"$2"\nchmod +x "$2"\n')
        self.assertIn("is of LP64, which is not what sh ", self.run_tool(1, "--update", CC=f"sh {fake}"))

    def test_a_file_that_is_damaged(self):
        self.release()
        path = self.root / "src/mmarn.abi"
        whole = path.read_text()
        self.write(("MMARN_BAD = -1", "MMARN_BAD = -2"))
        for text, sentence in (("", "the first lines must be"),
                               (whole.replace(": yes", ": Yes"), "the first lines must be"),
                               (whole + "<<<<<<<\n", 'src/mmarn.abi:19: "<<<<<<<" is no line')):
            with self.subTest(sentence=sentence):
                path.write_text(text)
                self.assertIn(sentence, self.run_tool(1))
                self.assertIn(sentence, self.run_tool(1, "--update"))
                self.assertEqual(path.read_text(), text)

    def test_additions(self):
        for changes, sentence in (
                ([("count, more;", "count, more; uint64_t flags;")], 'addition: "field mmarn_step.flags at 40'),
                ([("count, more;", "count, more; uint64_t flags;")],
                 'addition: "struct mmarn_step, 40 bytes" has grown at its end: "struct mmarn_step, 48 bytes"'),
                ([("} mmarn_id;", "} mmarn_id; typedef struct mmarn_new { int64_t a; } mmarn_new;")],
                 'addition: "struct mmarn_new, 8 bytes"'),
                ([("MMARN_BAD = -1", "MMARN_BAD = -1, MMARN_NEW = 7")], 'addition: "constant MMARN_NEW = 7"'),
                ([("MMARN_API void mmarn_end", "MMARN_API void mmarn_new(void);\nMMARN_API void mmarn_end")],
                 'addition: "function void mmarn_new(void)"')):
            with self.subTest(changes=changes):
                self.write(*changes)
                told = self.run_tool(1)
                self.assertIn(sentence, told)
                self.assertNotIn("break", told)

    def test_holes(self):
        self.write(("count, more;", "count;"))
        self.assertIn("mmarn_step: bytes 36 to 39, at its end", self.run_tool(1, "--update"))
        self.write(("int32_t count, more;", "int32_t count; const char *name;"))
        self.assertIn("mmarn_step: bytes 36 to 39, before name", self.run_tool(1, "--update"))

    def test_a_release_takes_no_breaks(self):
        broken, grown = ("MMARN_BAD = -1", "MMARN_BAD = -2"), ("more;", "more; uint64_t flags;")
        self.write(broken)
        self.run_tool(0, "--update")
        self.write()
        self.run_tool(0, "--update")
        self.release()
        self.write(broken)
        self.assertIn("0.1 has been released, a break needs another", self.run_tool(1, "--update"))
        self.write(grown)
        self.run_tool(0, "--update")
        self.assertIn("released: yes", (self.root / "src/mmarn.abi").read_text())
        self.write(broken, grown, ("MINOR 1", "MINOR 2"))
        self.run_tool(0, "--update")
        self.assertIn("version 0.2, released: no", (self.root / "src/mmarn.abi").read_text())

    def test_another_version(self):
        self.write(("MINOR 1", "MINOR 2"))
        self.assertIn("is of version 0.1, but the headers are of 0.2", self.run_tool(1))


if __name__ == "__main__":
    unittest.main()
