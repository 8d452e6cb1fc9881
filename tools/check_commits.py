#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_commits.py - commit messages have the form that CONTRIBUTING.md asks for.

Looks at the commits of a range as `git rev-list` takes it, `main..HEAD` when none is given, merges left out:

    area: what the commit does      at most 72 columns, no full stop; areas are lower case: `op:`, or `coll, cli:`
                                    an empty line
    Why, in sentences.              at most 80 columns; not for one long word, as an address is, and quoted output,
                                    which is indented by four spaces
"""

import re
import subprocess
import sys

from project_files import argument_parser, report

TITLE_COLUMNS = 72
BODY_COLUMNS = 80
AREA = r"[a-z0-9][a-z0-9_./-]*"
TITLE = re.compile(rf"{AREA}(, {AREA})*: \S.*")


def messages(root, commits):
    """(short hash, message) of each commit, oldest first."""
    command = ["git", "-C", str(root), "log", "--reverse", "--no-merges", "--format=%h%n%B%x00", commits, "--"]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    if done.returncode != 0:
        raise SystemExit(f"check_commits.py: {done.stderr.strip()}")
    for entry in done.stdout.split("\0"):
        name, _, message = entry.strip("\n").partition("\n")
        if name:
            yield name, message


def check(message):
    """What is wrong with a message."""
    title, *body = message.rstrip("\n").split("\n")
    if not TITLE.fullmatch(title):
        yield f'the title is not "area: what": {title}'
    if len(title) > TITLE_COLUMNS:
        yield f"the title has {len(title)} columns, at most {TITLE_COLUMNS} are allowed: {title}"
    if title.endswith("."):
        yield f"the title ends with a full stop: {title}"
    if body and body[0]:
        yield f"the second line is not empty: {body[0]}"
    for line in body:
        if len(line) > BODY_COLUMNS and " " in line.strip() and not line.startswith("    "):
            yield f"a line has {len(line)} columns, at most {BODY_COLUMNS} are allowed: {line}"


def main():
    parser = argument_parser(__doc__)
    parser.add_argument("commits", nargs="?", default="main..HEAD", help="as git rev-list takes them (main..HEAD)")
    arguments = parser.parse_args()
    found = list(messages(arguments.root, arguments.commits))
    problems = [f"{name}: {problem}" for name, message in found for problem in check(message)]
    return report(problems, f"{len(found)} commits have messages of the right form")


if __name__ == "__main__":
    sys.exit(main())
