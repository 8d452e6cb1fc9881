#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_spdx.py - every source file begins with the licence's short name, `SPDX-License-Identifier: MIT`.

Covers C, headers, C++, Python, CMake, make and shell, scripts without a suffix included. The line is a comment of its
own, the first of the file, or the second after `#!`. --fix puts it where it is missing.
"""

import sys

from project_files import argument_parser, project_files, report

TAG = "SPDX-License-Identifier: MIT"
C_SUFFIXES = (".c", ".h", ".inc", ".cpp")
HASH_SUFFIXES = (".py", ".pyi", ".cmake", ".cmake.in", ".sh")
HASH_NAMES = {"CMakeLists.txt", "Makefile"}


def wanted_line(path):
    """The line that the file must have, or None if it is no source."""
    if path.name.endswith(C_SUFFIXES):
        return f"/* {TAG} */"
    if path.name.endswith(HASH_SUFFIXES) or path.name in HASH_NAMES:
        return f"# {TAG}"
    if not path.suffix:
        with path.open("rb") as file:
            if file.read(2) == b"#!":
                return f"# {TAG}"
    return None


def check(path, name, fix):
    line = wanted_line(path)
    if line is None:
        return None
    text = path.read_text()
    lines = text.split("\n")
    place = 1 if lines[0].startswith("#!") else 0
    if lines[place:place + 1] == [line]:
        return None
    if not fix:
        return f'{name}:{place + 1}: not "{line}"; tools/check_spdx.py --fix adds it'
    path.write_text("\n".join([*lines[:place], line, *lines[place:]]))
    return None


def main():
    parser = argument_parser(__doc__)
    parser.add_argument("--fix", action="store_true", help="add the line where it is missing")
    arguments = parser.parse_args()
    names = project_files(arguments.root)
    sources = [name for name in names if wanted_line(arguments.root / name)]
    problems = [check(arguments.root / name, name, arguments.fix) for name in sources]
    return report([problem for problem in problems if problem], f"{len(sources)} source files name their licence")


if __name__ == "__main__":
    sys.exit(main())
