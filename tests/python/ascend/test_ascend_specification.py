# SPDX-License-Identifier: MIT
"""The specification's own Python call, byte for byte, and a smaller twin that needs no specification.

MMARN_SPEC names the specification; its Python script is run as it stands: 8 processes, full size, port 50001. What
every rank computed is recorded by programs/recorder and compared with float64.
"""

import os
import pathlib
import re
import socket

import pytest

torch = pytest.importorskip("torch", minversion="2.4")

from ascend_bound import check_rank
from ascend_run import PROGRAMS, free_port, run

SPECIFIED_PORT = 50001


def run_recorded(script, folder, *arguments, timeout):
    """Runs the script with every rank's call recorded in folder; returns its output and the records, by rank."""
    path = os.pathsep.join([str(PROGRAMS / "recorder"), os.environ.get("PYTHONPATH", "")])
    done = run("-m", "mmarn.ascend", script, *arguments, timeout=timeout,
               env={"PYTHONPATH": path, "MMARN_RECORD": str(folder)})
    assert done.returncode == 0, done.stdout
    return done.stdout, [torch.load(file) for file in sorted(folder.glob("rank*.pt"))]


def assert_printed(output, ranks):
    """Every rank printed both results; the pieces of what they print may be mixed."""
    assert output.count("norm_out:") == ranks and output.count("y:") == ranks, output


def check_all(records, ranks, shapes):
    assert len(records) == ranks
    for rank, record in enumerate(records):
        assert record["finite"], f"rank {rank}: not all elements are finite"
        assert {name: tuple(record[name].shape[-1:]) for name in shapes} == shapes
        print(f"rank {rank}: shares of the bound used:", check_rank(rank, records))


@pytest.fixture
def specified_script(tmp_path):
    """The Python script at the end of the specification, in a file of its own."""
    spec = os.environ.get("MMARN_SPEC")
    if not spec:
        pytest.skip("MMARN_SPEC does not name the specification")
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", SPECIFIED_PORT)) == 0:
            pytest.skip(f"something listens on port {SPECIFIED_PORT}, which the specification's script uses")
    blocks = re.findall(r"^```python\n(.*?)^```", pathlib.Path(spec).read_text() + "\n", flags=re.MULTILINE | re.DOTALL)
    script = tmp_path / "specified.py"
    script.write_text(blocks[-1])
    return script


@pytest.mark.timeout(600)
def test_specified_script_is_right_on_every_rank(specified_script, tmp_path):
    """8 ranks, b s k n = 4 1024 1024 8192, float16; each prints its results, and its call is recorded from outside."""
    output, records = run_recorded(specified_script, tmp_path, timeout=500)
    assert_printed(output, 8)
    check_all(records, 8, {"x1": (1024,), "x2": (8192,), "y": (8192,), "norm_out": (8192,), "gamma": (8192,)})


def test_twin(tmp_path):
    output, records = run_recorded(PROGRAMS / "twin.py", tmp_path, free_port(), timeout=120)
    assert_printed(output, 4)
    check_all(records, 4, {"x1": (256,), "x2": (512,), "y": (512,), "norm_out": (512,), "gamma": (512,)})
