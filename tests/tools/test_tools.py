# SPDX-License-Identifier: MIT
"""test_tools.py - each check in tools/ passes a clean little tree and names the fault that is seeded into it."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

TOOLS = pathlib.Path(__file__).resolve().parents[2] / "tools"
STYLE = (TOOLS.parent / ".clang-format").read_text()
HEADER = """#include <stddef.h>
#define MMARN_API
/* A comment that mentions MMARN_API fake(int). */
MMARN_API int mmarn_one(void);
MMARN_API const char *mmarn_two(int a,
                                int b);
typedef void (*mmarn_log_fn)(void *ctx);
"""
MAP = "/* text; */\nMMARN_0.1 {\n    global:\n        mmarn_one;\n        mmarn_two;\n    local:\n        *;\n};\n"
SOURCE = """__attribute__((visibility("default"))) int mmarn_one(void) { return 1; }
__attribute__((visibility("default"))) const char *mmarn_two(int a, int b) { return a ? "" : (b ? "a" : "b"); }
"""


class Tree(unittest.TestCase):
    """A temporary project without git, and a way to run one tool over it."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)

    def write(self, name, text=""):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def run_tool(self, name, *arguments):
        command = [sys.executable, str(TOOLS / name), "--root", str(self.root), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def passes(self, name, *arguments):
        done = self.run_tool(name, *arguments)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        return done.stdout

    def fails(self, name, *expected, arguments=()):
        done = self.run_tool(name, *arguments)
        self.assertEqual((done.returncode, done.stderr), (1, ""), done.stdout)
        for text in expected:
            self.assertIn(text, done.stdout)
        self.assertIn(f"{len(expected)} problem(s)", done.stdout)


class Floors(Tree):
    def setUp(self):
        super().setUp()
        for name in ("base/cpu.h", "gemm/gemm.h", "norm/norm.h", "op/op.h"):
            self.write(f"src/{name}")
        self.write("include/mmarn/mmarn.h", "#include <stdint.h>\n")
        self.write("src/api/api.c", '#include "mmarn/mmarn.h"\n#include "op/op.h"\n#include "base/cpu.h"\n')
        self.write("src/base/cpu.c", '#include "base/cpu.h"\n#include "mmarn/mmarn_types.h"\n')
        self.write("reference/model.c", '#include "mmarn/mmarn.h"\n#include "reference/model.h"\n')
        self.write("measure/peak.c", '#include "peak.h"\n#include "base/cpu.h"\n#include "reference/model.h"\n')
        self.write("cli/main.c", '#include "cli.h"\n#include "base/cpu.h"\n#include "mmarn/mmarn.h"\n'
                                 '#include "measure/peak.h"\n')
        self.write("bench/ours.c", '#include "measure/peak.h"\n#include "gemm/gemm.h"\n')
        self.write("tests/unit/test.c", '#include "gemm/gemm.h"\n#include "norm/norm.h"\n#include "cli/cli.h"\n')

    def test_clean(self):
        self.passes("check_floors.py")

    def test_upwards_and_sideways(self):
        self.write("src/base/cpu.c", '#include "op/op.h"\n')
        self.write("src/gemm/gemm.c", '#include "gemm/gemm.h"\n#include "norm/norm.h"\n')
        self.write("src/norm/x86/norm.c", '#include "op/op.h"\n')
        self.fails("check_floors.py", "src/base/cpu.c:1: includes op/op.h", "src/gemm/gemm.c:2: includes norm/norm.h",
                   "src/norm/x86/norm.c:1: includes op/op.h: norm may include base, norm only")

    def test_the_operator_below_it(self):
        self.write("src/base/cpu.h", '#include "mmarn/mmarn.h"\n')
        self.write("src/gemm/gemm.c", '#include "mmarn/mmarn_ascend.h"\n')
        self.write("src/coll/id.h", '#include "mmarn/mmarn_group.h"\n')
        self.fails("check_floors.py", "src/base/cpu.h:1: includes mmarn/mmarn.h: base may include mmarn/mmarn_types.h",
                   "src/gemm/gemm.c:1: includes mmarn/mmarn_ascend.h: gemm may")

    def test_path_without_floor(self):
        self.write("src/gemm/gemm.c", '#include "gemm.h"\n# include "base/missing.h"\n#include <base/cpu.h>\n')
        self.fails("check_floors.py", "gemm.c:1: includes gemm.h", "gemm.c:2: includes base/missing.h",
                   "gemm.c:3: includes base/cpu.h")

    def test_outside_the_library(self):
        self.write("cli/other.c", '#include "op/op.h"\n#include "tests/unit/test.h"\n')
        self.write("reference/model.c", '#include "base/cpu.h"\n#include "measure/peak.h"\n')
        self.write("measure/peak.c", '#include "base/memory.h"\n#include "cli/main.h"\n')
        self.write("bench/ours.c", '#include "cli/main.h"\n')
        self.write("examples/one.c", '#include "base/cpu.h"\n#include "measure/peak.h"\n')
        self.write("include/mmarn/other.h", "#include <unistd.h>\n")
        self.write("src/loose.c")
        self.fails("check_floors.py", "cli/other.c:1", "cli/other.c:2", "reference/model.c:1", "reference/model.c:2",
                   "measure/peak.c:1", "measure/peak.c:2", "bench/ours.c:1", "examples/one.c:1", "examples/one.c:2",
                   "include/mmarn/other.h:1", "src/loose.c:")


class FloorsOfObjects(Tree):
    """Symbols: no file below includes anything."""

    def setUp(self):
        super().setUp()
        self.build = str(self.root / "build")
        self.compile("src/base/cpu.c", "int cpu_count(void) { return 2; }\nint memory_size(void) { return 1; }\n")
        self.compile("src/gemm/gemm.c", "int cpu_count(void);\nint gemm_tile(void) { return cpu_count(); }\n")
        self.compile("src/norm/x86/norm.c", "int norm_row(void) { return 3; }\n")
        self.compile("src/op/op.c", "int gemm_tile(void);\nint norm_row(void);\n"
                                    "int op_run(void) { return gemm_tile() + norm_row(); }\n")
        self.compile("src/api/api.c", "int op_run(void);\nint mmarn_run(void) { return op_run(); }\n")
        self.compile("measure/peak.c", "int cpu_count(void);\nint mmarn_run(void);\nint printf(const char *, ...);\n"
                                       'int peak(void) { printf("x"); return cpu_count() + mmarn_run(); }\n')

    def compile(self, source, text):
        """Writes a source, and the object that CMake would make of it."""
        folder, name = source.split("/", 1)
        target = "mmarn_objects" if folder == "src" else f"mmarn_{folder}"
        made = self.root / "build" / folder / "CMakeFiles" / f"{target}.dir" / f"{name}.o"
        made.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cc", "-c", "-o", str(made), str(self.write(source, text))], check=True)

    def call(self, function):
        """A text whose only function calls that one, which nothing but itself declares."""
        return f"int {function}(void);\nint caller_of_{function}(void) {{ return {function}(); }}\n"

    def test_clean(self):
        self.assertIn("the symbols of 6 objects", self.passes("check_floors.py", "--build", self.build))

    def test_upwards_and_sideways(self):
        self.compile("src/base/up.c", self.call("mmarn_run"))
        self.compile("src/gemm/aside.c", self.call("norm_row"))
        self.compile("src/norm/x86/aside.c", self.call("gemm_tile"))
        self.compile("src/op/up.c", self.call("mmarn_run"))
        self.compile("src/coll/up.c", "int op_run(void);\nint (*const table[])(void) = {op_run};\n")
        self.passes("check_floors.py")
        self.fails("check_floors.py", "src/base/up.c: uses mmarn_run of src/api/api.c: base may use base only",
                   "src/gemm/aside.c: uses norm_row of src/norm/x86/norm.c: gemm may use base, gemm only",
                   "src/norm/x86/aside.c: uses gemm_tile of src/gemm/gemm.c: norm may use base, norm only",
                   "src/op/up.c: uses mmarn_run of src/api/api.c", "src/coll/up.c: uses op_run of src/op/op.c",
                   arguments=("--build", self.build))

    def test_beside_the_library(self):
        self.compile("measure/inside.c", self.call("gemm_tile"))
        self.compile("cli/memory.c", self.call("memory_size"))
        self.compile("reference/model.c", self.call("mmarn_run"))
        self.fails("check_floors.py", "measure/inside.c: uses gemm_tile of src/gemm/gemm.c: measure may not use this",
                   "cli/memory.c: uses memory_size of src/base/cpu.c", "reference/model.c: uses mmarn_run of src/api",
                   arguments=("--build", self.build))

    def test_source_that_is_no_more(self):
        self.compile("src/gemm/old.c", self.call("norm_row"))
        (self.root / "src/gemm/old.c").unlink()
        self.passes("check_floors.py", "--build", self.build)

    def test_nothing_built(self):
        other = str(self.root / "other")
        self.fails("check_floors.py", "no objects of src/ with symbols", arguments=("--build", other))


class Doors(Tree):
    def setUp(self):
        super().setUp()
        self.write("include/mmarn/mmarn.h", "MMARN_API mmarn_status mmarn_run(int a,\n                      int b);\n"
                                            "MMARN_API int mmarn_version(void);\n")

    def test_clean(self):
        self.write("src/api/a.c", "int mmarn_version(void)\n{\n    return 1;\n}\n\nmmarn_status mmarn_run(int a, int b)\n"
                                  "{\n    FLOAT_ENV_SCOPE();\n    return 0;\n}\n")
        self.assertIn("1 public functions", self.passes("check_doors.py"))

    def test_without_scope(self):
        self.write("src/api/a.c", "mmarn_status mmarn_run(int a,\n        int b)\n{\n    return a + b;\n}\n")
        self.fails("check_doors.py", "src/api/a.c: mmarn_run does not begin with FLOAT_ENV_SCOPE();")

    def test_elsewhere(self):
        self.write("src/op/a.c", "mmarn_status mmarn_run(int a, int b)\n{\n    FLOAT_ENV_SCOPE();\n    return 0;\n}\n")
        self.fails("check_doors.py", "include/mmarn: mmarn_run is not defined in src/api")


class Lengths(Tree):
    def function(self, lines):
        return "int f(void)\n{\n" + "    g();\n" * (lines - 2) + "}\n"

    def test_limits_are_allowed(self):
        self.write("a.c", self.function(60) * 8 + "\n" * 12)
        self.write("b.py", "def f():\n" + "    pass\n" * 59)
        self.assertIn("2 files, median 280 lines, longest 500", self.passes("check_lengths.py"))

    def test_one_more(self):
        self.write("a.c", self.function(61))
        self.write("b.py", "def f():\n" + "    pass\n" * 60)
        self.write("c.inc", "\n" * 501)
        self.fails("check_lengths.py", "a.c:2: a function of 61 lines", "b.py:1: a function of 61 lines",
                   "c.inc: 501 lines")


class Symbols(Tree):
    def setUp(self):
        super().setUp()
        self.write("include/mmarn/mmarn.h", HEADER)
        self.write("src/mmarn.map", MAP)

    def build(self, source=SOURCE):
        """The arguments that name two libraries made of the source and the tree's own map."""
        shared, static = str(self.root / "lib.so"), str(self.root / "lib.a")
        c, o = str(self.write("a.c", source)), str(self.root / "a.o")
        script = f"-Wl,--version-script={self.root}/src/mmarn.map"
        subprocess.run(["cc", "-fPIC", "-fvisibility=hidden", "-c", "-o", o, c], check=True)
        subprocess.run(["cc", "-shared", script, "-o", shared, o], check=True)
        subprocess.run(["ar", "rcs", static, o], check=True)
        return ("--shared", shared, "--static", static)

    def test_clean(self):
        self.assertIn("2 public functions", self.passes("check_symbols.py", *self.build()))

    def test_missing_in_library(self):
        arguments = self.build(SOURCE.replace("mmarn_one", "mmarn_other"))
        self.fails("check_symbols.py", "lib.so: mmarn_one@@MMARN_0.1 is missing", "lib.a: mmarn_one is missing",
                   "lib.a: mmarn_other should not be there", arguments=arguments)

    def test_leak_from_static(self):
        arguments = self.build(SOURCE + "int error_fail(void) { return 0; }\n")
        self.fails("check_symbols.py", "lib.a: error_fail should not be there", arguments=arguments)

    def test_map_differs(self):
        arguments = self.build()
        self.write("src/mmarn.map", MAP.replace("mmarn_two", "mmarn_three"))
        self.fails("check_symbols.py", "mmarn.map: mmarn_two is missing", "mmarn.map: mmarn_three should not be",
                   "mmarn_two@@? is missing", "mmarn_two@@MMARN_0.1 should not be", arguments=arguments)
        self.write("src/mmarn.map", MAP.replace("0.1", "0.2"))
        self.fails("check_symbols.py", "mmarn_one@@MMARN_0.2 is missing", "mmarn_two@@MMARN_0.2 is missing",
                   "mmarn_one@@MMARN_0.1 should not be", "mmarn_two@@MMARN_0.1 should not be",
                   "MMARN_0.1 should not be there", arguments=arguments)

    def test_several_nodes(self):
        first = MAP.replace("        mmarn_two;\n", "")
        self.write("src/mmarn.map", first + "MMARN_0.2 {\n    global:\n        mmarn_two;\n} MMARN_0.1;\n")
        arguments = self.build()
        self.assertIn("MMARN_0.1, MMARN_0.2", self.passes("check_symbols.py", *arguments))
        for text, why in (
                (first + "MMARN_0.2 { global: mmarn_two; };\n", "node MMARN_0.2 must have MMARN_0.1 as its parent"),
                (first + "MMARN_0.2 { global: mmarn_two; } MMARN_0.3;\n", "as its parent, not MMARN_0.3"),
                (first + "MMARN_0.2 { global: mmarn_two; local: *; } MMARN_0.1;\n", "the first node ends with local"),
                (first.replace("local:", "").replace("*;", ""), "the first node ends with local"),
                (first + "MMARN_0.2 { global: mmarn_one; } MMARN_0.1;\n", "mmarn_one is in MMARN_0.1 and in MMARN_0.2"),
                ("mmarn_one;\n", "not a list of nodes")):
            self.write("src/mmarn.map", text)
            self.fails("check_symbols.py", why, arguments=arguments)

    def test_every_header(self):
        arguments = self.build()
        self.write("include/mmarn/mmarn_more.h", "MMARN_API void mmarn_three(void);\n")
        self.fails("check_symbols.py", "mmarn.map: mmarn_three is missing", "mmarn_three@@? is missing",
                   "lib.a: mmarn_three is missing", arguments=arguments)
        self.write("include/mmarn/mmarn_more.h", "MMARN_API extern int mmarn_count;\n")
        self.fails("check_symbols.py", "mmarn_more.h: \"MMARN_API extern int mmarn_count\" is not understood",
                   arguments=arguments)


class Format(Tree):
    def test_fault_and_fix(self):
        self.write(".clang-format", STYLE)
        path = self.write("a.c", "int f(void) {\n  return 0; }\n")
        done = self.run_tool("check_format.py")
        if done.returncode == 77:
            self.skipTest(done.stderr)
        self.assertEqual(done.returncode, 1)
        self.assertIn("a.c:1:", done.stdout)
        self.passes("check_format.py", "--fix")
        self.assertEqual(path.read_text(), "int f(void)\n{\n    return 0;\n}\n")
        self.passes("check_format.py")


class Text(Tree):
    def test_clean(self):
        self.write("docs/b.md", "# Some `title`, here\n")
        self.write("a.md", "[b](docs/b.md#some-title-here) [c](https://example.org/work/x) [d](#a)\n# A\n`[x](no.md)`\n"
                           "```\n[y](no.md)\n```\n[docs]: docs\n")
        self.passes("check_text.py")

    def test_links(self):
        self.write("docs/b.md", "# Title\n\n[a](c.md)\n[out](../../elsewhere.md)\n[t](#tittle)\n[ref]: ../gone\n")
        self.fails("check_text.py", "docs/b.md:3: link c.md: no such file",
                   "docs/b.md:4: link ../../elsewhere.md: leaves", "docs/b.md:5: link #tittle: no such heading",
                   "docs/b.md:6: link ../gone: no such file")

    def test_excerpts(self):
        self.write("x.c", "a();\nb(); /* why */\nc();\n")
        self.write("good.md", "<!-- from x.c -->\n```c\na();\n\n    c();   /* other words */\n```\n")
        self.passes("check_text.py")
        self.write("order.md", "<!-- from x.c -->\n```c\nc();\na();\n```\n")
        self.write("gone.md", "<!-- from y.c -->\n```c\na();\n```\n")
        self.fails("check_text.py", "order.md: not in x.c, or not in this order: a();", "gone.md: not in y.c")

    def test_machine_paths(self):
        # Put together here, so that this file passes the check itself.
        self.write("a.sh", "\ncd " + "/".join(["", "work", "main"]) + "\n")
        self.write("b.c", 'x = "' + "/".join(["", "root", "x"]) + '";\n')
        self.write("c.txt", "/".join(["https:", "", "x.org", "work", "main"]) + " src/work/x\n")
        self.fails("check_text.py", "a.sh:2: a path of one machine", "b.c:1: a path of one machine")


if __name__ == "__main__":
    unittest.main()
