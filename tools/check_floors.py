#!/usr/bin/env python3
"""check_floors.py - includes go down the floors api -> op -> {gemm, coll, norm} -> base, and nowhere else.

In src/ every quoted include is written from src/ or include/, so that its path shows the floor; a file may include its
own floor and lower ones, never a sibling's. The command includes the public headers, base/cpu.h and its own files; the
public headers and the reference implementation include nothing of the library; tests may include anything.
"""

import re
import sys

from project_files import argument_parser, project_files, report

PUBLIC = {f"mmarn/{name}.h" for name in ("mmarn", "mmarn_types", "mmarn_group", "mmarn_ascend")}
BELOW = {
    "base": set(),
    "gemm": {"base"},
    "coll": {"base"},
    "norm": {"base"},
    "op": {"gemm", "coll", "norm", "base"},
    "api": {"op", "gemm", "coll", "norm", "base"},
}
CLI_MAY = PUBLIC | {"base/cpu.h"}
STANDARD = re.compile(r"(assert|complex|ctype|errno|fenv|float|inttypes|iso646|limits|locale|math|setjmp|signal"
                      r"|stdalign|stdarg|stdatomic|stdbool|stddef|stdint|stdio|stdlib|stdnoreturn|string|tgmath"
                      r"|threads|time|uchar|wchar|wctype)\.h")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]')


def is_internal(target):
    return target.split("/")[0] in BELOW


def check_src(name, quote, target, root):
    floor = name.split("/")[1]
    if quote == "<":
        return "a project header in angle brackets" if is_internal(target) or target in PUBLIC else None
    if target in PUBLIC:
        return None
    if not is_internal(target) or not (root / "src" / target).is_file():
        return "the path does not show a floor of src/"
    if target.split("/")[0] not in BELOW[floor] | {floor}:
        return f"{floor} may include {', '.join(sorted(BELOW[floor] | {floor}))} only"
    return None


def check_include(name, quote, target, root):
    """Why the file may not include the target, or None."""
    if name.startswith("src/"):
        return check_src(name, quote, target, root)
    if name.startswith("include/"):
        known = STANDARD.fullmatch(target) if quote == "<" else f"mmarn/{target}" in PUBLIC
        return None if known else "a public header includes standard headers and its neighbours only"
    if name.startswith(("cli/", "measure/")) and is_internal(target) and target not in CLI_MAY:
        return "the command may include base/cpu.h of src/ and nothing else"
    if name.startswith("reference/") and is_internal(target):
        return "the reference must not rest on the library"
    if name.startswith("examples/") and is_internal(target):
        return "an example uses the public header alone"
    return None


def main():
    root = argument_parser(__doc__).parse_args().root
    problems = []
    names = project_files(root, ".c", ".h", ".inc")
    for name in names:
        if name.startswith("src/") and name.split("/")[1] not in BELOW:
            problems.append(f"{name}: not in a folder of a floor")
            continue
        for number, line in enumerate((root / name).read_text().splitlines(), 1):
            found = INCLUDE.match(line)
            why = found and check_include(name, *found.groups(), root)
            if why:
                problems.append(f"{name}:{number}: includes {found.group(2)}: {why}")
    return report(problems, f"{len(names)} files keep to their floors")


if __name__ == "__main__":
    sys.exit(main())
