#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_text.py - links in Markdown pages lead somewhere, code shown in them is code that is tested, and no file names
a folder of somebody's own machine.

A relative link must name a file or folder of the project, and its fragment a heading of that page. Links with a scheme
are not followed. A code block behind `<!-- from FILE -->` must consist of lines of that file, in its order; white space
and comments at the end of a line do not count.
"""

import re
import sys
import urllib.parse

from project_files import argument_parser, project_files, report

# Not preceded by what would make it part of a longer path or of an address.
MACHINE_PATH = re.compile(r"(?<![\w.$}~<>-])/(?:work|root|home/\w+|Users/\w+)/")
LINK = re.compile(r"\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)|^\s*\[[^\]]+\]:\s*(\S+)", flags=re.MULTILINE)
CODE = re.compile(r"^(```|~~~).*?^\1[^\n]*$|`[^`\n]*`", flags=re.MULTILINE | re.DOTALL)

EXCERPT = re.compile(r"^<!-- from (\S+) -->\n```\w*\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)


def blank(found):
    return "\n" * found.group().count("\n")


def headings(text):
    """Fragments of a page, as GitHub makes them."""
    titles = re.findall(r"^#{1,6}\s+(.*?)\s*#*$", re.sub(r"^(```|~~~).*?^\1", "", text, flags=re.M | re.S), flags=re.M)
    fragments = []
    for title in titles:
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower()
        base = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        seen = sum(1 for other in fragments if re.fullmatch(rf"{re.escape(base)}(-\d+)?", other))
        fragments.append(f"{base}-{seen}" if seen else base)
    return set(fragments)


def check_link(root, name, link):
    """Why the link leads nowhere, or None."""
    parts = urllib.parse.urlsplit(link)
    if parts.scheme or parts.netloc:
        return None
    path = urllib.parse.unquote(parts.path)
    target = (root / name).parent / path if path else root / name
    if path.startswith("/") or not target.resolve().is_relative_to(root.resolve()):
        return "leaves the project"
    if not target.exists():
        return "no such file"
    if parts.fragment and target.suffix == ".md" and parts.fragment not in headings(target.read_text()):
        return "no such heading"
    return None


def bare(line):
    return re.sub(r"\s*/\*.*?\*/\s*$", "", line).strip()


def check_excerpts(root, name, text):
    for found in EXCERPT.finditer(text):
        source = root / found.group(1)
        lines = iter([bare(line) for line in source.read_text().splitlines()] if source.exists() else [])
        for line in found.group(2).splitlines():
            if bare(line) and bare(line) not in lines:
                yield f"{name}: not in {found.group(1)}, or not in this order: {bare(line)}"
                break


def check_file(root, name):
    try:
        text = (root / name).read_text()
    except UnicodeDecodeError:
        return
    for number, line in enumerate(text.splitlines(), 1):
        found = MACHINE_PATH.search(line)
        if found:
            yield f"{name}:{number}: a path of one machine: {found.group()}"
    if name.endswith(".md"):
        yield from check_excerpts(root, name, text)
        plain = CODE.sub(blank, text)
        for found in LINK.finditer(plain):
            link = found.group(1) or found.group(2)
            why = check_link(root, name, link)
            if why:
                yield f"{name}:{plain.count(chr(10), 0, found.end()) + 1}: link {link}: {why}"


def main():
    root = argument_parser(__doc__).parse_args().root
    names = project_files(root)
    problems = [problem for name in names for problem in check_file(root, name)]
    return report(problems, f"{len(names)} files, every link leads somewhere, every excerpt is there")


if __name__ == "__main__":
    sys.exit(main())
