# SPDX-License-Identifier: MIT
"""test_version.py - the header has the version; what cannot read it from there says the same, or does not say it."""

import pathlib
import re
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from project_files import project_files  # noqa: E402

HEADER = (ROOT / "include/mmarn/mmarn.h").read_text()
MAJOR, MINOR, PATCH = (re.search(rf"^#define MMARN_VERSION_{part} (\d+)$", HEADER, flags=re.MULTILINE).group(1)
                       for part in ("MAJOR", "MINOR", "PATCH"))
VERSION = f"{MAJOR}.{MINOR}.{PATCH}"


class Version(unittest.TestCase):
    def test_changelog(self):
        """An Unreleased section, then the header's version with a date, then older ones."""
        titles = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
        self.assertEqual(titles[0], "[Unreleased]")
        self.assertRegex(titles[1], rf"^\[{re.escape(VERSION)}\] - \d{{4}}-\d\d-\d\d$")
        numbers = [tuple(map(int, re.match(r"\[(\d+)\.(\d+)\.(\d+)\] - ", title).groups())) for title in titles[1:]]
        self.assertEqual(numbers, sorted(numbers, reverse=True))

    def test_readme(self):
        self.assertIn(f"**Status: {MAJOR}.{MINOR}.**", (ROOT / "README.md").read_text())

    def test_nowhere_else(self):
        written = re.compile(rf"(?<![\d.]){re.escape(VERSION)}(?![\d.])")
        places = []
        for name in project_files(ROOT):
            if name == "CHANGELOG.md" or name.startswith(("tests/", "tools/requirements")):
                continue
            try:
                text = (ROOT / name).read_text()
            except UnicodeDecodeError:
                continue
            places += [f"{name}: {line}" for line in text.splitlines() if written.search(line)]
        self.assertEqual(places, [])

    def test_python_package(self):
        """pyproject.toml has a pattern that reads the header; it gives this version."""
        text = (ROOT / "pyproject.toml").read_text()
        self.assertIn('dynamic = ["version"]', text)
        pattern = re.search(r"^regex = '(.*)'$", text, flags=re.MULTILINE).group(1)
        self.assertEqual(re.search(pattern, HEADER).groupdict(), {"major": MAJOR, "minor": MINOR, "patch": PATCH})

    @unittest.skipUnless(len(sys.argv) > 1, "no command was given")
    def test_command(self):
        told = subprocess.run([COMMAND, "--version"], capture_output=True, check=True, text=True).stdout
        self.assertIn(VERSION, told)


if __name__ == "__main__":
    COMMAND = sys.argv[1] if len(sys.argv) > 1 else None
    unittest.main(argv=sys.argv[:1])
