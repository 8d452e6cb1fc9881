#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_format.py - C code looks as .clang-format says, by the one version of clang-format that everybody uses.

That version is pinned in tools/requirements.txt, from which tools/setup.sh --python makes build/venv; a clang-format
on PATH will do when it is the same version. --fix rewrites the files instead of naming them. Exit code 77 says that
there is none: a test that cannot run here, not a fault in the code.
"""

import pathlib
import re
import shutil
import subprocess
import sys

from project_files import argument_parser, project_files, report

TOOLS = pathlib.Path(__file__).resolve().parent
MISSING = 77


def pinned_version():
    return re.search(r"^clang-format==(\S+)", (TOOLS / "requirements.txt").read_text(), flags=re.MULTILINE).group(1)


def find_clang_format():
    """The program in the pinned version, or None."""
    for program in (TOOLS.parent / "build/venv/bin/clang-format", shutil.which("clang-format")):
        if program and pathlib.Path(program).is_file():
            said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
            if re.search(rf"\b{re.escape(pinned_version())}\b", said):
                return str(program)
    return None


def main():
    parser = argument_parser(__doc__)
    parser.add_argument("--fix", action="store_true", help="format the files in place")
    arguments = parser.parse_args()
    program = find_clang_format()
    if not program:
        print(f"clang-format {pinned_version()} is not there; tools/setup.sh --python installs it", file=sys.stderr)
        return MISSING
    names = project_files(arguments.root, ".c", ".h", ".inc")
    problems = []
    if names:
        mode = ["-i"] if arguments.fix else ["--dry-run", "--Werror"]
        # Twice, because the first pass can leave a wrapped comment that the program itself would lay out anew.
        for _ in range(2 if arguments.fix else 1):
            done = subprocess.run([program, *mode, *names], cwd=arguments.root, capture_output=True, text=True,
                                  check=False)
        problems = [line for line in done.stderr.splitlines() if "error:" in line]
        if done.returncode and not problems:
            problems = [done.stderr.strip()]
    return report(problems, f"{len(names)} files are formatted")


if __name__ == "__main__":
    sys.exit(main())
