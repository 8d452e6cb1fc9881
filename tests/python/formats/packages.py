# SPDX-License-Identifier: MIT
"""The packages that write the formats, as far as their own dequantisation needs them.

They lie in a folder of their own (tools/requirements-formats.txt). AutoGPTQ and AutoAWQ are no longer kept, and as
packages they no longer import; the one file of each that unpacks weights does.
"""

import importlib
import importlib.util
import pathlib
import sys

import pytest

FOLDER = pathlib.Path(sys.prefix, "formats")


def load_file(name, path):
    """The module in a file of FOLDER; skips the test if it is not there."""
    file = FOLDER / path
    if not file.exists():
        pytest.skip(f"{file} is not there; tools/setup.sh --python installs it")
    spec = importlib.util.spec_from_file_location(name, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def load_package(name):
    """A module of FOLDER, whose dependencies are in the usual place; skips the test if it is not there."""
    if not (FOLDER / name.split(".")[0]).is_dir():
        pytest.skip(f"{name} is not there; tools/setup.sh --python installs it")
    sys.path.append(str(FOLDER))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(FOLDER))
