# SPDX-License-Identifier: MIT
"""project_files.py - which files belong to the project: for the checks that lie beside it.

In a git checkout these are the tracked files and the new ones that .gitignore does not name; elsewhere, as in a
released archive, everything but build folders. Paths are relative to the root, with forward slashes, sorted.
"""

import argparse
import pathlib
import subprocess

SKIPPED_FOLDERS = {".git", "build", "__pycache__"}


def _from_git(root):
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    return [name for name in listed.split("\0") if name]


def _from_folder(root):
    names = (path.relative_to(root) for path in root.rglob("*"))
    return [name.as_posix() for name in names if not SKIPPED_FOLDERS.intersection(name.parts)]


def project_files(root, *suffixes):
    """Names of the files under root, those that end in one of the suffixes when any is given."""
    root = pathlib.Path(root)
    names = _from_git(root) if (root / ".git").exists() else None
    if names is None:
        names = _from_folder(root)
    wanted = {name for name in names if not suffixes or name.endswith(suffixes)}
    return sorted(name for name in wanted if (root / name).is_file())


def argument_parser(text):
    """A parser with the option that all checks share."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent,
                        help="the project's folder (default: the one that this tool lies in)")
    return parser


def report(problems, summary):
    """Prints what is wrong, or the summary when nothing is; returns the exit status."""
    for problem in problems:
        print(problem)
    if problems:
        print(f"{len(problems)} problem(s)")
        return 1
    print(summary)
    return 0
