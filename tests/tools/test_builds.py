# SPDX-License-Identifier: MIT
"""test_builds.py - options that break the arithmetic of docs/numerics.md: CMake mends them, to the same machine code;
sources that are compiled by hand with them are refused with a sentence; and the command computes as it should in a
process that a library has changed. The arguments are the C compiler, CMake, its generator and the command mmarn.
"""

import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMPILER, CMAKE, GENERATOR, COMMAND = sys.argv[1:5]
SENTENCE = "mmarn's results are defined to the bit"
MACROS = subprocess.run([COMPILER, "-dM", "-E", "-x", "c", os.devnull], capture_output=True, check=True,
                        text=True).stdout
CLANG = "__clang__" in MACROS
X86_64 = "__x86_64__" in MACROS

# Every compiler tells of these; GCC of all parts, and clang does without those that its pragmas undo.
BREAKING = ["-ffast-math", "-Ofast", "-ffinite-math-only"]
GCC_BREAKING = ["-funsafe-math-optimizations", "-fassociative-math -fno-signed-zeros -fno-trapping-math",
                "-freciprocal-math", "-fno-signed-zeros", "-fsingle-precision-constant", "-ffp-contract=fast",
                "-std=gnu11"]
GCC_X86_64_BREAKING = ["-mfpmath=387", "-mfpmath=both"]
HARMLESS = ["", "-O3", "-fno-math-errno", "-frounding-math", "-fno-trapping-math", "-ffast-math -fno-fast-math"]
HOSTILE = "-Ofast -ffast-math -funsafe-math-optimizations -fno-signed-zeros -ffp-contract=fast"
GCC_HOSTILE = " -fsingle-precision-constant -fassociative-math -freciprocal-math -ffinite-math-only"


def compile_by_hand(path, options, *more):
    command = [COMPILER, "-std=c11", "-D_GNU_SOURCE", "-I", ROOT / "src", "-I", ROOT / "include", *shlex.split(options)]
    return subprocess.run([*command, *more, ROOT / path], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          check=False, text=True)


class ByHand(unittest.TestCase):
    def test_refused(self):
        breaking = BREAKING + ([] if CLANG else GCC_BREAKING) + (GCC_X86_64_BREAKING if X86_64 and not CLANG else [])
        for options in breaking:
            with self.subTest(options=options):
                done = compile_by_hand("src/norm/norm_ref.c", options, "-fsyntax-only")
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(SENTENCE, done.stderr)

    def test_accepted(self):
        for options in HARMLESS:
            with self.subTest(options=options):
                done = compile_by_hand("src/norm/norm_ref.c", options, "-fsyntax-only")
                self.assertEqual(done.returncode, 0, done.stderr)

    def test_every_file_that_computes(self):
        patterns = ("gemm/**/*.c", "norm/**/*.c", "op/**/*.c", "api/*.c", "base/**/convert*.c", "coll/**/*.c")
        names = sorted(str(path.relative_to(ROOT)) for pattern in patterns for path in (ROOT / "src").glob(pattern)
                       if X86_64 or "x86" not in path.parts)
        self.assertGreater(len(names), 40)
        unaware = [name for name in names if SENTENCE not in compile_by_hand(name, "-ffast-math", "-E").stderr]
        self.assertEqual(unaware, [])


class ByCMake(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.hostile = HOSTILE + ("" if CLANG else GCC_HOSTILE)
        environment = dict(os.environ, CFLAGS=cls.hostile, LDFLAGS="-ffast-math")
        done = subprocess.run([CMAKE, "-S", ROOT, "-B", cls.folder.name, "-G", GENERATOR, "-DBUILD_TESTING=OFF",
                               f"-DCMAKE_C_COMPILER={COMPILER}"], env=environment, capture_output=True, check=False,
                              text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        cls.commands = json.loads((pathlib.Path(cls.folder.name) / "compile_commands.json").read_text())

    def assembly(self, name, removed):
        """What the file becomes with the options that CMake gives, without those that are to be removed."""
        entry = next(entry for entry in self.commands if entry["file"] == str(ROOT / name))
        words = shlex.split(entry["command"])
        at = words.index("-o")
        words = [word for word in words[:at] if word not in removed] + ["-S", "-o", "-", str(ROOT / name)]
        return subprocess.run(words, cwd=entry["directory"], capture_output=True, check=True, text=True).stdout

    def test_same_code(self):
        for name in ("src/norm/norm_ref.c", "src/coll/reduce.c", "src/gemm/dequantise.c", "src/op/check_pieces.c",
                     "src/norm/x86/norm_avx2.c" if X86_64 else "src/gemm/ref/expand_ref.c", "reference/exact.c"):
            with self.subTest(name=name):
                plain = self.assembly(name, self.hostile.split())
                self.assertGreater(len(plain), 500)
                self.assertEqual(self.assembly(name, []), plain)

    @unittest.skipUnless(GENERATOR == "Ninja" and shutil.which("ninja"), "asks Ninja how it links")
    def test_no_start_up_code(self):
        for target in ("src/libmmarn.so", "mmarn"):
            done = subprocess.run(["ninja", "-C", self.folder.name, "-t", "commands", target], capture_output=True,
                                  check=True, text=True)
            links = [line for line in done.stdout.splitlines() if " -ffast-math " in line and " -c " not in line]
            link = links[-1].removeprefix(": && ").split(" && ")[0]
            done = subprocess.run([*shlex.split(link), "-###"], cwd=self.folder.name, capture_output=True, check=False,
                                  text=True)
            self.assertIn("collect2" if not CLANG else "ld", done.stderr)
            self.assertNotIn("crtfastmath", done.stderr)

    def test_other_systems_are_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([CMAKE, "-S", ROOT, "-B", folder, "-G", GENERATOR, "-DCMAKE_SYSTEM_NAME=FreeBSD",
                                   f"-DCMAKE_C_COMPILER={COMPILER}"], capture_output=True, check=False, text=True)
            self.assertEqual(done.returncode, 1)
            self.assertIn("mmarn needs Linux (futex, memfd, abstract sockets) and cannot be built for FreeBSD",
                          " ".join(done.stderr.split()))


class Command(unittest.TestCase):
    def test_in_a_changed_process(self):
        """A library that lets exceptions trap, and rounds upward, is loaded before the command starts."""
        with tempfile.TemporaryDirectory() as folder:
            source, library = pathlib.Path(folder, "odd.c"), pathlib.Path(folder, "odd.so")
            source.write_text("#define _GNU_SOURCE\n#include <fenv.h>\n__attribute__((constructor)) static void odd(void)\n"
                              "{\n    feenableexcept(FE_ALL_EXCEPT);\n    fesetround(FE_UPWARD);\n}\n")
            subprocess.run([COMPILER, "-shared", "-fPIC", "-o", library, source, "-lm"], check=True)
            for dtype in ("f32", "bf16"):
                done = subprocess.run([COMMAND, "run", "-n", "2", "-s", "1x4x64x64", "-d", dtype], check=False,
                                      env=dict(os.environ, LD_PRELOAD=str(library)), capture_output=True, text=True)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
