# SPDX-License-Identifier: MIT
"""test_papers.py - the checks of what a contributor brings along: licence lines and commit messages."""

import shutil
import subprocess
import unittest

from test_tools import TOOLS, Tree

C_LINE, HASH_LINE = "/* SPDX-License-Identifier: MIT */", "# SPDX-License-Identifier: MIT"


class Spdx(Tree):
    SOURCES = {"src/a.c": C_LINE, "a.h": C_LINE, "list.inc": C_LINE, "b.cpp": C_LINE, "x.py": HASH_LINE,
               "x.pyi": HASH_LINE, "y.cmake": HASH_LINE, "z.cmake.in": HASH_LINE, "src/CMakeLists.txt": HASH_LINE,
               "Makefile": HASH_LINE, "t.sh": HASH_LINE, ".ci/run": HASH_LINE}

    def test_clean(self):
        for name, line in self.SOURCES.items():
            self.write(name, ("#!/bin/sh\n" if name == ".ci/run" else "") + f"{line}\ntext\n")
        for name in ("a.md", "LICENSE", "list.txt"):
            self.write(name, "no source\n")
        self.assertIn(f"{len(self.SOURCES)} source files", self.passes("check_spdx.py"))

    def test_missing(self):
        self.write("a.c", "int a;\n")
        self.write("b.c", f"\n{C_LINE}\n")
        self.write("c.py", f"#!/usr/bin/env python3\nimport sys\n{HASH_LINE}\n")
        self.write("d.sh", "# SPDX-License-Identifier: Apache-2.0\n")
        self.write("e.py")
        self.fails("check_spdx.py", "a.c:1: not", "b.c:1: not", "c.py:2: not", "d.sh:1: not", "e.py:1: not")

    def test_fix(self):
        plain = self.write("a.c", "int a;\n")
        script = self.write("b", "#!/bin/sh\necho\n")
        whole = self.write("c.py", f"{HASH_LINE}\nimport sys\n")
        empty = self.write("d.py")
        for _ in range(2):  # a second time changes nothing
            self.passes("check_spdx.py", "--fix")
            self.assertEqual(plain.read_text(), f"{C_LINE}\nint a;\n")
            self.assertEqual(script.read_text(), f"#!/bin/sh\n{HASH_LINE}\necho\n")
            self.assertEqual(whole.read_text(), f"{HASH_LINE}\nimport sys\n")
            self.assertEqual(empty.read_text(), f"{HASH_LINE}\n")

    def test_the_licence(self):
        self.assertTrue((TOOLS.parent / "LICENSE").read_text().startswith("MIT License\n"))


@unittest.skipUnless(shutil.which("git"), "needs git")
class Commits(Tree):
    def setUp(self):
        super().setUp()
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit("base: the first\n")

    def git(self, *words):
        options = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", "-C", str(self.root), *options, *words], check=True, capture_output=True)

    def commit(self, message):
        self.git("commit", "--quiet", "--allow-empty", "--cleanup=verbatim", "--message", message)

    def fails_for(self, message, *sentences):
        self.git("checkout", "--quiet", "-B", "change", "main")
        self.commit(message)
        self.fails("check_commits.py", *sentences)

    def test_clean(self):
        self.git("checkout", "--quiet", "-b", "change")
        self.commit("op: a title alone\n")
        self.commit("coll, python/csrc: two areas\n\nWhy.\n\n    $ quoted output " + "x " * 60 + "\nhttps://example.org/"
                    + "x" * 90 + "\n")
        self.commit("x: " + "t" * 69 + "\n\n" + "b " * 40 + "\n")
        self.git("checkout", "--quiet", "-b", "other", "main")
        self.commit("doc: beside it\n")
        self.git("merge", "--no-ff", "--message", "Merge branch 'change', whatever its title is", "change")
        self.assertIn("4 commits", self.passes("check_commits.py"))
        self.assertIn("0 commits", self.passes("check_commits.py", "main..main"))

    def test_faults(self):
        self.fails_for("Fix it\n", 'the title is not "area: what": Fix it')
        self.fails_for("Op: fix it\n", 'the title is not "area: what"')
        self.fails_for("op:fix it\n", 'the title is not "area: what"')
        self.fails_for("op: fix it.\n", "the title ends with a full stop")
        self.fails_for("op: " + "t" * 69 + "\n", "the title has 73 columns, at most 72")
        self.fails_for("op: what\nwhy\n", "the second line is not empty: why")
        self.fails_for("op: what\n\n" + "b " * 40 + "b\n", "a line has 81 columns, at most 80")

    def test_no_such_commits(self):
        done = self.run_tool("check_commits.py", "nowhere..main")
        self.assertEqual(done.returncode, 1)
        self.assertIn("nowhere", done.stderr)


if __name__ == "__main__":
    unittest.main()
