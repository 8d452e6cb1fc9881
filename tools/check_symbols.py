#!/usr/bin/env python3
"""check_symbols.py - the header, the symbol map and the built libraries name the same functions.

The shared library exports exactly the functions that the headers declare with MMARN_API, all in version MMARN_0.1, and
mmarn.map lists them one by one; the static library defines them and no other global name.
"""

import pathlib
import re
import subprocess
import sys

from project_files import argument_parser, report

VERSION = "MMARN_0.1"


def header_functions(text):
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    text = re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE)
    return set(re.findall(r"\bMMARN_API\b[^;(]*?(\w+)\s*\(", text))


def map_functions(text):
    """Names listed under the version, or a problem when the map has another shape."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    found = re.fullmatch(r"\s*(\S+)\s*\{\s*global:(.*)local:\s*\*;\s*\};\s*", text, flags=re.DOTALL)
    if not found or found.group(1) != VERSION:
        return None
    return set(found.group(2).replace(";", " ").split())


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
    headers = sorted((arguments.root / "include/mmarn").glob("*.h"))
    functions = set().union(*(header_functions(header.read_text()) for header in headers))
    listed = map_functions((arguments.root / "src/mmarn.map").read_text())
    if listed is None:
        return report([f"src/mmarn.map: not one version {VERSION} that ends with local: *"], "")
    exported = defined_symbols("--dynamic", "--with-symbol-versions", str(arguments.shared)) - {VERSION}
    problems = compare("src/mmarn.map", listed, functions)
    problems += compare(arguments.shared.name, exported, {f"{name}@@{VERSION}" for name in functions})
    problems += compare(arguments.static.name, defined_symbols("--extern-only", str(arguments.static)), functions)
    return report(problems, f"{len(functions)} public functions, and nothing else, in {VERSION}")


if __name__ == "__main__":
    sys.exit(main())
