#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_floors.py - includes and symbols go down the floors api -> op -> {gemm, coll, norm} -> base, and nowhere else.

In src/ every quoted include is written from src/ or include/, so that its path shows the floor; a file may include its
own floor and lower ones, never a sibling's. What lies below the ranks knows of the public interface its types alone.
measure/ and, above it, the command stand on the public headers and base/cpu.h; the public headers and the reference
implementation include nothing of the library, examples and Python's extension only its public headers; tests may
include anything.

With --build the objects there are held to the same: a function that is declared by hand, instead of by an include, is
found by its symbol. Objects whose source is no more are not looked at.
"""

import pathlib
import re
import subprocess
import sys

from project_files import argument_parser, project_files, report

TYPES = "mmarn/mmarn_types.h"
PUBLIC = {TYPES} | {f"mmarn/{name}.h" for name in ("mmarn", "mmarn_group", "mmarn_ascend")}
BELOW = {
    "base": set(),
    "gemm": {"base"},
    "coll": {"base"},
    "norm": {"base"},
    "op": {"gemm", "coll", "norm", "base"},
    "api": {"op", "gemm", "coll", "norm", "base"},
}
TYPES_ONLY = {"base", "gemm", "norm"}
# Beside the library: which folders a file may include from, and whether base/cpu.h too.
BESIDE = {
    "reference": ({"reference"}, False),
    "measure": ({"measure", "reference"}, True),
    "cli": ({"cli", "measure"}, True),
    "examples": ({"examples"}, False),
    "python": ({"python"}, False),
}
FOLDERS = set(BESIDE) | {"bench", "tests"}
STANDARD = re.compile(r"(assert|complex|ctype|errno|fenv|float|inttypes|iso646|limits|locale|math|setjmp|signal"
                      r"|stdalign|stdarg|stdatomic|stdbool|stddef|stdint|stdio|stdlib|stdnoreturn|string|tgmath"
                      r"|threads|time|uchar|wchar|wctype)\.h")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]')
# A line of nm -A -P: the object, a name, its kind, for defined ones a value.
SYMBOL = re.compile(r"^(.+): (\S+) ([A-Za-z])(?: |$)")


def may_use(floor):
    """The floors that one stands on, its own among them."""
    return BELOW[floor] | {floor}


def check_src(name, quote, target, root):
    floor = name.split("/")[1]
    if quote == "<":
        return "a project header in angle brackets" if target.split("/")[0] in BELOW or target in PUBLIC else None
    if target in PUBLIC:
        return f"{floor} may include {TYPES} of the public headers only" if floor in TYPES_ONLY and target != TYPES \
            else None
    if target.split("/")[0] not in BELOW or not (root / "src" / target).is_file():
        return "the path does not show a floor of src/"
    if target.split("/")[0] not in may_use(floor):
        return f"{floor} may include {', '.join(sorted(may_use(floor)))} only"
    return None


def check_beside(folder, target):
    folders, cpu = BESIDE[folder]
    first = target.split("/")[0] if "/" in target else ""
    if first in BELOW and not (cpu and target == "base/cpu.h"):
        return f"{folder} may include {'base/cpu.h and nothing else' if cpu else 'nothing'} of src/"
    if first in FOLDERS - folders:
        return f"{folder} may include {', '.join(sorted(folders))} only"
    return None


def check_include(name, quote, target, root):
    """Why the file may not include the target, or None."""
    folder = name.split("/")[0]
    if folder == "src":
        return check_src(name, quote, target, root)
    if folder == "include":
        known = STANDARD.fullmatch(target) if quote == "<" else f"mmarn/{target}" in PUBLIC
        return None if known else "a public header includes standard headers and its neighbours only"
    if folder == "bench" and target.startswith(("cli/", "tests/")):
        return "bench stands on measure/, not on the command or the tests"
    return check_beside(folder, target) if folder in BESIDE else None


def check_includes(root, names):
    problems = []
    for name in names:
        if name.startswith("src/") and name.split("/")[1] not in BELOW:
            problems.append(f"{name}: not in a folder of a floor")
            continue
        for number, line in enumerate((root / name).read_text().splitlines(), 1):
            found = INCLUDE.match(line)
            why = found and check_include(name, *found.groups(), root)
            if why:
                problems.append(f"{name}:{number}: includes {found.group(2)}: {why}")
    return problems


def objects_of(root, build):
    """{object: name of its source}, of the library and of what lies beside it, as CMake places them."""
    found = {}
    for folder in ("src", *BESIDE):
        for path in sorted((build / folder).glob("**/CMakeFiles/*.dir/**/*.o")):
            parts = path.relative_to(build).parts
            at = parts.index("CMakeFiles")
            source = pathlib.PurePosixPath(*parts[:at], *parts[at + 2:]).with_suffix("")
            if (root / source).is_file():
                found[str(path)] = str(source)
    return found


def symbols_of(objects):
    """(uses, defined): both are lists of (source, symbol) of global names."""
    done = subprocess.run(["nm", "-A", "-P", "-g", *objects], capture_output=True, text=True, check=True)
    uses, defined = [], []
    for path, symbol, kind in (found.groups() for found in map(SYMBOL.match, done.stdout.splitlines()) if found):
        (uses if kind in "Uwv" else defined).append((objects[path], symbol))
    return uses, defined


def check_use(user, symbol, definer):
    """Why a source may not use what another one of src/ defines, or None."""
    folder, floor = user.split("/")[0], definer.split("/")[1]
    if folder == "src":
        own = user.split("/")[1]
        return None if floor in may_use(own) else f"{own} may use {', '.join(sorted(may_use(own)))} only"
    public = floor == "api" and symbol.startswith("mmarn_") and folder != "reference"
    cpu = BESIDE[folder][1] and floor == "base" and symbol.startswith("cpu_")
    return None if public or cpu else f"{folder} may not use this of src/"


def check_objects(root, build):
    """(problems, number of objects)."""
    objects = objects_of(root, build)
    uses, defined = symbols_of(objects) if objects else ([], [])
    definers = {symbol: source for source, symbol in defined if source.startswith("src/")}
    if not definers:
        return [f"{build}: no objects of src/ with symbols; build first"], 0
    problems = []
    for user, symbol in uses:
        definer = definers.get(symbol)
        why = definer and check_use(user, symbol, definer)
        if why:
            problems.append(f"{user}: uses {symbol} of {definer}: {why}")
    return problems, len(objects)


def main():
    parser = argument_parser(__doc__)
    parser.add_argument("--build", type=pathlib.Path, help="look at the objects of this build too")
    arguments = parser.parse_args()
    names = project_files(arguments.root, ".c", ".h", ".inc")
    problems, summary = check_includes(arguments.root, names), f"{len(names)} files keep to their floors"
    if arguments.build:
        more, count = check_objects(arguments.root, arguments.build)
        problems += more
        summary += f", and so do the symbols of {count} objects"
    return report(problems, summary)


if __name__ == "__main__":
    sys.exit(main())
