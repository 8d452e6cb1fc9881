#!/usr/bin/env python3
"""check_abi.py - the binary interface is the one that src/mmarn.abi has: what programs are compiled with stays.

The file lists every public function, constant and struct, with values, sizes and offsets as the compiler has them for
64-bit pointers. What differs is an addition (a function, constant or struct; fields at the end of a struct that begins
with struct_size) or a break (all else); both fail until --update has written the file anew, so that a change of the
interface is a change of this file, for all to see. Once its version is released, a break is not written any more: it
needs another major.minor. No struct may have holes: what a compiler leaves undefined there, callers could not keep zero.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

from project_files import argument_parser, report
from public_headers import Headers

FILE = "src/mmarn.abi"
HEAD = "# The public interface, as tools/check_abi.py reads it; docs/compatibility.md says what is promised."


def version_of(root):
    text = (root / "include/mmarn/mmarn.h").read_text()
    return ".".join(re.search(rf"#define MMARN_VERSION_{part} (\d+)", text).group(1) for part in ("MAJOR", "MINOR"))


def ask_compiler(root, headers):
    """{expression: number} of every constant, size and offset."""
    wanted = [*headers.constants, *headers.macros]
    for name, fields in headers.structs.items():
        wanted.append(f"sizeof({name})")
        for _, field in fields:
            wanted += [f"offsetof({name}, {field})", f"sizeof((({name} *)0)->{field})"]
    lines = [f'printf("%lld\\n", (long long){what});' for what in wanted]
    includes = "\n".join(f'#include "{path}"' for path in headers.paths)
    source = f"#include <stdio.h>\n{includes}\nint main(void)\n{{\n" + "\n".join(lines) + "\nreturn 0;\n}\n"
    with tempfile.TemporaryDirectory() as folder:
        program = pathlib.Path(folder) / "abi"
        program.with_suffix(".c").write_text(source)
        subprocess.run([os.environ.get("CC", "cc"), "-std=c11", f"-I{root / 'include'}", "-o", program,
                        program.with_suffix(".c")], check=True)
        numbers = subprocess.run([program], check=True, capture_output=True, text=True).stdout.split()
    return dict(zip(wanted, map(int, numbers)))


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


def grown(name, old, new):
    """A struct whose old fields are all where they were."""
    before = [line for line in old if line.startswith(f"field {name}.")]
    after = [line for line in new if line.startswith(f"field {name}.")]
    return bool(before) and before[0].startswith(f"field {name}.struct_size at 0") and after[:len(before)] == before


def compare(old, new):
    """(breaks, additions), a sentence each."""
    breaks, additions = [], []
    for line in old:
        struct = re.match(r"struct (\w+)", line)
        if line not in new and not (struct and grown(struct.group(1), old, new)):
            breaks.append(f"break: \"{line}\" is gone or changed")
    known = {re.match(r"struct (\w+)", line).group(1) for line in old if line.startswith("struct ")}
    for line in new:
        struct = re.match(r"(?:struct|field) (\w+)", line)
        if line in old:
            continue
        if struct and struct.group(1) in known and not grown(struct.group(1), old, new):
            breaks.append(f"break: \"{line}\" is new in a struct that cannot grow there")
        else:
            additions.append(f"addition: \"{line}\"")
    return breaks, additions


def read(path):
    """(version, released, lines)."""
    head, version, *lines = path.read_text().splitlines()
    found = re.fullmatch(r"version (\S+), released: (yes|no)", version)
    if head != HEAD or not found:
        return None, False, []
    return found.group(1), found.group(2) == "yes", lines


def main():
    parser = argument_parser(__doc__)
    parser.add_argument("--update", action="store_true", help=f"write {FILE} anew")
    arguments = parser.parse_args()
    root, path = arguments.root, arguments.root / FILE
    headers = Headers(root)
    new, holes = describe(headers, ask_compiler(root, headers))
    version, released, old = read(path) if path.exists() else (None, False, [])
    breaks, additions = compare(old, new)
    if arguments.update and not holes and not (breaks and released and version == version_of(root)):
        kept = "yes" if released and version == version_of(root) else "no"
        path.write_text("\n".join([HEAD, f"version {version_of(root)}, released: {kept}", *new]) + "\n")
        return report([], f"{FILE} has been written: {len(breaks)} breaks, {len(additions)} additions")
    if not breaks and not additions and version != version_of(root):
        breaks.append(f"{FILE} is of version {version}, but the headers are of {version_of(root)}")
    return report(holes + breaks + additions,
                  f"{len(headers.functions)} functions, {len(headers.structs)} structs as in {FILE}")


if __name__ == "__main__":
    sys.exit(main())
