#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_doors.py - every public function that can compute opens a scope of src/base/float_env.h.

Those are the ones that return an mmarn_status; what the headers have besides only lets go of things or tells what is known.
Each must be defined in src/api, with FLOAT_ENV_SCOPE() as the first line of its body.
"""

import re
import sys

from project_files import argument_parser, project_files, report

SCOPE = "FLOAT_ENV_SCOPE();"
DECLARED = re.compile(r"^MMARN_API\s+mmarn_status\s+(\w+)\s*\(", re.MULTILINE)
DEFINED = re.compile(r"^mmarn_status\s+(mmarn_\w+)\s*\([^;{}]*\)\n\{\n(.*)$", re.MULTILINE)


def main():
    root = argument_parser(__doc__).parse_args().root
    declared = [door for header in sorted((root / "include/mmarn").glob("*.h"))
                for door in DECLARED.findall(header.read_text())]
    first_lines = {}
    for name in project_files(root, ".c"):
        if name.startswith("src/api/"):
            first_lines.update((door, (name, line.strip()))
                               for door, line in DEFINED.findall((root / name).read_text()))
    problems = []
    for door in declared:
        if door not in first_lines:
            problems.append(f"include/mmarn: {door} is not defined in src/api")
        elif first_lines[door][1] != SCOPE:
            problems.append(f"{first_lines[door][0]}: {door} does not begin with {SCOPE}")
    return report(problems, f"{len(declared)} public functions compute in the library's own floating-point environment")


if __name__ == "__main__":
    sys.exit(main())
