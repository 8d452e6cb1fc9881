# SPDX-License-Identifier: MIT
"""The model tests need torch, and the modules of examples/ and of the torch tests."""

import pathlib
import sys

import pytest

pytest.importorskip("torch", minversion="2.4")

HERE = pathlib.Path(__file__).resolve().parent
sys.path += [str(HERE.parent / "torch"), str(HERE.parents[2] / "examples")]
