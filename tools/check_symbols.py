#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_symbols.py - the headers, the symbol map and the built libraries name the same functions.

The shared library exports exactly the functions that the public headers declare with MMARN_API, each in the version of
the map's node that lists it; the static library defines them and no other global name. The map has a node for each
version that brought functions: the first ends with `local: *;`, each later one names the one before it as its parent.
"""

import pathlib
import re
import subprocess
import sys

from project_files import argument_parser, report
from public_headers import Headers

NODE = re.compile(r"\s*(MMARN_\d+(?:\.\d+)*)\s*\{\s*global:([^:{}]*?)(local:\s*\*;)?\s*\}\s*(\S*?)\s*;\s*")


def map_functions(text):
    """({function: version}, None), or (None, what is wrong with the map's shape)."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    listed, before, at = {}, "", 0
    while at < len(text):
        found = NODE.match(text, at)
        if not found:
            return None, "not a list of nodes `MMARN_x.y { global: ...; };`"
        version, names, local, parent = found.groups()
        if parent != before:
            return None, f"node {version} must have {before or 'no node'} as its parent, not {parent or 'none'}"
        if bool(local) != (before == ""):
            return None, f"node {version}: the first node ends with local: *, and no other"
        for name in names.replace(";", " ").split():
            if name in listed:
                return None, f"{name} is in {listed[name]} and in {version}"
            listed[name] = version
        before, at = version, found.end()
    return listed, None


def defined_symbols(*arguments):
    output = subprocess.run(["nm", "--defined-only", *arguments], capture_output=True, check=True, text=True).stdout
    return {line.split()[-1] for line in output.splitlines() if len(line.split()) == 3}


def compare(where, found, expected):
    problems = [f"{where}: {name} is missing" for name in sorted(expected - found)]
    return problems + [f"{where}: {name} should not be there" for name in sorted(found - expected)]


def main():
    parser = argument_parser(__doc__)
    parser.add_argument("--shared", type=pathlib.Path, required=True, help="libmmarn.so")
    parser.add_argument("--static", type=pathlib.Path, required=True, help="libmmarn.a")
    arguments = parser.parse_args()
    headers = Headers(arguments.root)
    functions = set(headers.functions)
    listed, why = map_functions((arguments.root / "src/mmarn.map").read_text())
    if listed is None:
        return report([f"src/mmarn.map: {why}"], "")
    versions = set(listed.values())
    exported = defined_symbols("--dynamic", "--with-symbol-versions", str(arguments.shared)) - versions
    exported -= {f"{version}@@{version}" for version in versions}
    problems = headers.not_understood + compare("src/mmarn.map", set(listed), functions)
    wanted = {f"{name}@@{version}" for name, version in listed.items() if name in functions}
    problems += compare(arguments.shared.name, exported, wanted | {f"{name}@@?" for name in functions - set(listed)})
    problems += compare(arguments.static.name, defined_symbols("--extern-only", str(arguments.static)), functions)
    return report(problems, f"{len(functions)} public functions, and nothing else, in {', '.join(sorted(versions))}")


if __name__ == "__main__":
    sys.exit(main())
