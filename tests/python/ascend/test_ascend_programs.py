# SPDX-License-Identifier: MIT
"""Programs under `python -m mmarn.ascend`: values, refusals, groups, devices; each checks itself (programs/*.py)."""

import pytest

pytest.importorskip("torch", minversion="2.4")

from ascend_run import PROGRAMS, free_port, run, run_program


def test_scenarios_have_the_models_bits(seed):
    output = run_program("scenarios.py", seed, free_port())
    assert output.count("9 scenarios") == 2, output


def test_refusals_in_order_and_on_both_ranks():
    output = run_program("refusals.py", free_port())
    assert output.count("all refused") == 2, output


def test_one_process(seed):
    assert "all is as it should be" in run_program("alone.py", seed, free_port())


@pytest.mark.parametrize("level", ["OFF", "DETAIL"])
def test_groups_under_torchrun(level):
    done = run("-m", "torch.distributed.run", "--nproc-per-node", 2, "--master-port", free_port(), "-m", "mmarn.ascend",
               PROGRAMS / "groups.py", env={"TORCH_DISTRIBUTED_DEBUG": level})
    assert done.returncode == 0 and done.stdout.count("groups are right") == 2, done.stdout


def test_program_for_cuda():
    done = run("-m", "mmarn.ascend", "--rewrite-devices", PROGRAMS / "from_cuda.py", free_port())
    assert done.returncode == 0 and done.stdout.count("runs on the CPU") == 2, done.stdout
