# SPDX-License-Identifier: MIT
"""test_environment.py - docs/environment.md has every variable that the code reads, and no other."""

import pathlib
import re
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from project_files import project_files  # noqa: E402

NAME = r"[A-Z][A-Z0-9_]*"
# Functions that are given a variable's name, or a second one to fall back on; os.environ; a constant with a name.
READS = (re.compile(rf'(?<![\w.])(?:getenv|find_variable|read_number|number|get)\(((?:"{NAME}"(?:, )?)+)'),
         re.compile(rf'environ(?:\.get\(|\.pop\(|\[)\s*["\']({NAME})["\'](?!\]\s*=[^=])'),
         re.compile(rf'["\']({NAME})["\'] in os\.environ'),
         re.compile(rf'^{NAME}_VARIABLE = "({NAME})"', flags=re.MULTILINE))


def variables_read(text):
    return {name for pattern in READS for found in pattern.findall(text) for name in re.findall(NAME, found)}


def code_of_project():
    """(name, text) of everything that runs, but for this test."""
    own = pathlib.Path(__file__).name
    for name in project_files(ROOT, ".c", ".h", ".py", ".sh", "Makefile", ".ci/run"):
        if not name.endswith(own):
            yield name, (ROOT / name).read_text()


class Environment(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        page = (ROOT / "docs/environment.md").read_text()
        first_columns = re.findall(r"^\| (`[^|]*?) \|", page, flags=re.MULTILINE)
        cls.listed = {name for column in first_columns for name in re.findall(rf"`({NAME})`", column)}
        cls.code = list(code_of_project())

    def test_every_variable_is_listed(self):
        """Tests change what programs of others look at, such as PYTHONPATH: of theirs only MMARN's own count."""
        missing = {f"{variable}, which {name} reads" for name, text in self.code for variable in variables_read(text)
                   if variable not in self.listed and (variable.startswith("MMARN_") or not name.startswith("tests/"))}
        self.assertEqual(missing, set())

    def test_every_listed_variable_is_read(self):
        read = {variable for _, text in self.code for variable in variables_read(text)}
        self.assertEqual(self.listed - read, set())

    def test_what_counts_as_reading(self):
        self.assertEqual(variables_read('getenv("A_1"); x = number("B", "C_D"); set_number("E", 1); setenv("F", 1);'),
                         {"A_1", "B", "C_D"})
        self.assertEqual(variables_read("os.environ.get('A', 0)\nos.environ[\"B\"]\nos.environ['C'] = 1\n"
                                        "if 'D' in os.environ:\nif os.environ['E'] == 1:\nF_VARIABLE = \"F\"\n"
                                        "table.get('G')\nenviron.pop('H')\n"), {"A", "B", "D", "E", "F", "H"})


if __name__ == "__main__":
    unittest.main()
