# SPDX-License-Identifier: MIT
"""The oldest NumPy that is promised, which exports nothing that is read-only by DLPack and knows no max_version."""

import os
import pathlib
import subprocess
import sys

import pytest

OLDEST = pathlib.Path(sys.prefix, "oldest")
NEWER = "jax or flags"  # what needs a package that wants a newer NumPy, or is made of such a NumPy's own capsules


@pytest.mark.skipif(not OLDEST.is_dir(), reason="build/venv holds no older NumPy")
def test_oldest_numpy():
    file = pathlib.Path(__file__).with_name("test_foreign.py")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", f"not ({NEWER})", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False,
                          env={**os.environ, "PYTHONPATH": str(OLDEST)})
    assert done.returncode == 0, done.stdout
    version = subprocess.run([sys.executable, "-c", "import numpy; print(numpy.__version__)"], capture_output=True,
                             text=True, timeout=60, check=True, env={**os.environ, "PYTHONPATH": str(OLDEST)})
    assert version.stdout.startswith("1.26.")
