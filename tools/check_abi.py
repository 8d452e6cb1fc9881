#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_abi.py - the binary interface is the one that src/mmarn.abi has: what programs are compiled with stays.

The file lists every public function, type, constant and struct, with values, sizes and offsets as the compiler ($CC, or
cc) has them where long and pointers have 64 bits (LP64). What differs is an addition (a function, type, constant or
struct; fields at the end of a struct that begins with struct_size) or a break (all else); both fail until --update has
written the file anew, so that a change of the interface is a change of this file, for all to see. Once its version is
released, a break is not written any more: it needs another major.minor. No struct may have holes: what a compiler
leaves undefined there, callers could not keep zero.
"""

import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

from project_files import argument_parser, report
from public_headers import Headers

FILE = "src/mmarn.abi"
HEAD = "# The public interface for LP64, as tools/check_abi.py reads it; docs/compatibility.md says what is promised."
NAMES = {"function": r"(\w+)\(", "typedef": r"\(\*(\w+)\)|(\w+)$", "constant": r"^(\w+) = ", "field": r"^([\w.]+) at ",
         "struct": r"^(\w+), "}


class Fault(Exception):
    """What keeps the interface from being read."""


def version_of(root):
    text = (root / "include/mmarn/mmarn.h").read_text()
    return ".".join(re.search(rf"#define MMARN_VERSION_{part} (\d+)", text).group(1) for part in ("MAJOR", "MINOR"))


def ask_compiler(root, headers):
    """{expression: number} of every constant, size and offset."""
    wanted = ["sizeof(void *)", "sizeof(long)", *headers.constants, *headers.macros]
    for name, fields in headers.structs.items():
        wanted.append(f"sizeof({name})")
        for _, field in fields:
            wanted += [f"offsetof({name}, {field})", f"sizeof((({name} *)0)->{field})"]
    lines = [f'printf("%lld\\n", (long long)({what}));' for what in wanted]
    includes = "\n".join(f'#include "{path}"' for path in headers.paths)
    source = f"#include <stdio.h>\n{includes}\nint main(void)\n{{\n" + "\n".join(lines) + "\nreturn 0;\n}\n"
    with tempfile.TemporaryDirectory() as folder:
        program = pathlib.Path(folder) / "abi"
        text = program.with_suffix(".c")
        text.write_text(source)
        compiler = shlex.split(os.environ.get("CC", "")) or ["cc"]
        try:
            subprocess.run([*compiler, "-std=c11", f"-I{root / 'include'}", "-o", program, text], check=True,
                           capture_output=True, text=True)
            numbers = subprocess.run([program], check=True, capture_output=True, text=True).stdout.split()
        except OSError as error:
            raise Fault(f"{error.filename} cannot be run: {error.strerror}") from error
        except subprocess.CalledProcessError as error:
            raise Fault(f"{shlex.join(compiler)} does not take the headers:\n{error.stderr.strip()}") from error
    found = dict(zip(wanted, map(int, numbers)))
    if found["sizeof(void *)"] != 8 or found["sizeof(long)"] != 8:
        raise Fault(f"{FILE} is of LP64, which is not what {shlex.join(compiler)} compiles for")
    return found


def describe(headers, numbers):
    """The lines of the file, and the holes of structs."""
    lines = [f"function {prototype}" for prototype in headers.functions.values()]
    lines += [f"typedef {declaration}" for declaration in headers.typedefs.values()]
    lines += [f"constant {name} = {numbers[name]}" for name in [*headers.constants, *headers.macros]]
    holes = []
    for name, fields in headers.structs.items():
        end = 0
        for kind, field in fields:
            at, size = numbers[f"offsetof({name}, {field})"], numbers[f"sizeof((({name} *)0)->{field})"]
            if at != end:
                holes.append(f"{name}: bytes {end} to {at - 1}, before {field}, belong to no field")
            lines.append(f"field {name}.{field} at {at}, {size} bytes, {kind}")
            end = at + size
        whole = numbers[f"sizeof({name})"]
        if whole != end:
            holes.append(f"{name}: bytes {end} to {whole - 1}, at its end, belong to no field")
        lines.append(f"struct {name}, {whole} bytes")
    return lines, holes


def key(line):
    """(kind, name) of what a line is about, or None."""
    kind, _, rest = line.partition(" ")
    found = re.search(NAMES[kind], rest) if kind in NAMES else None
    return (kind, found.group(found.lastindex)) if found else None


def grown(name, old, new):
    """A struct whose old fields are all where they were."""
    before, after = ([line for line in lines if line.startswith(f"field {name}.")] for lines in (old, new))
    return bool(before) and before[0].startswith(f"field {name}.struct_size at 0") and after[:len(before)] == before


def compare(old, new):
    """(breaks, additions), a sentence each."""
    breaks, additions = [], []
    before, after = ({key(line): line for line in lines} for lines in (old, new))
    for what, line in before.items():
        now = after.get(what)
        if now is None:
            breaks.append(f'break: "{line}" is gone')
        elif now != line and what[0] == "struct" and grown(what[1], old, new):
            additions.append(f'addition: "{line}" has grown at its end: "{now}"')
        elif now != line:
            breaks.append(f'break: "{line}" has become "{now}"')
    for what, line in after.items():
        kind, struct = what[0], what[1].split(".")[0]
        if what in before:
            continue
        if kind == "field" and ("struct", struct) in before and not grown(struct, old, new):
            breaks.append(f'break: "{line}" is new in a struct that cannot grow there')
        else:
            additions.append(f'addition: "{line}"')
    return breaks, additions


def read(path):
    """(version, released, lines) of the file; (None, False, []) where there is none."""
    if not path.exists():
        return None, False, []
    lines = path.read_text().splitlines()
    found = re.fullmatch(r"version (\S+), released: (yes|no)", "".join(lines[1:2]))
    # A file that is not understood must not be one that has nothing to lose.
    if lines[:1] != [HEAD] or not found:
        raise Fault(f'{FILE}: the first lines must be "{HEAD}" and "version x.y, released: yes" or "no"')
    for number, line in enumerate(lines[2:], 3):
        if not key(line):
            raise Fault(f'{FILE}:{number}: "{line}" is no line of this file')
    return found.group(1), found.group(2) == "yes", lines[2:]


def main():
    parser = argument_parser(__doc__)
    parser.add_argument("--update", action="store_true", help=f"write {FILE} anew")
    arguments = parser.parse_args()
    root, path = arguments.root, arguments.root / FILE
    headers = Headers(root)
    if headers.not_understood:
        return report(headers.not_understood, "")
    try:
        new, holes = describe(headers, ask_compiler(root, headers))
        version, released, old = read(path)
    except Fault as fault:
        return report([str(fault)], "")
    breaks, additions = compare(old, new)
    refused = []
    if arguments.update:
        kept = released and version == version_of(root)
        if breaks and kept:
            refused = [f"{FILE} stays as it is: {version} has been released, a break needs another major.minor"]
        elif not holes:
            path.write_text("\n".join([HEAD, f"version {version_of(root)}, released: {'yes' if kept else 'no'}", *new])
                            + "\n")
            return report([], f"{FILE} has been written: {len(breaks)} breaks, {len(additions)} additions")
    if not breaks and not additions and version != version_of(root):
        breaks.append(f"{FILE} is of version {version}, but the headers are of {version_of(root)}")
    return report(holes + breaks + additions + refused,
                  f"{len(headers.functions)} functions, {len(headers.structs)} structs as in {FILE}")


if __name__ == "__main__":
    sys.exit(main())
