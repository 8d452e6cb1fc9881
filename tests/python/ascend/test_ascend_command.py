# SPDX-License-Identifier: MIT
"""The command python -m mmarn.ascend itself: help, arguments, exit codes, and what it refuses to stand in for."""

import os

import pytest

pytest.importorskip("torch", minversion="2.4")

from ascend_run import PROGRAMS, run


def test_help():
    done = run("-m", "mmarn.ascend", "--help")
    assert done.returncode == 0 and done.stdout.startswith("usage: python -m mmarn.ascend") and "hccl" in done.stdout


@pytest.mark.parametrize("how", [[PROGRAMS / "arguments.py"], ["-m", "arguments"]])
def test_arguments_and_exit_code_are_the_programs(how):
    path = os.pathsep.join([str(PROGRAMS), os.environ.get("PYTHONPATH", "")])
    done = run("-m", "mmarn.ascend", *how, "--help", "-m", "3", env={"PYTHONPATH": path})
    assert done.returncode == 3, done.stdout
    assert "__main__ True ['--help', '-m', '3']" in done.stdout


@pytest.mark.parametrize(("arguments", "reason"), [
    ([], "no script was given"),
    (["-m"], "-m is given but no module"),
    (["--rewrite"], "unknown option --rewrite"),
    (["missing.py"], "cannot open missing.py"),
])
def test_wrong_usage(arguments, reason):
    done = run("-m", "mmarn.ascend", *arguments)
    assert done.returncode == 2 and done.stdout.startswith(f"mmarn.ascend: {reason}\nusage: "), done.stdout


@pytest.mark.parametrize("name", ["torch_npu", "mindspeed"])
@pytest.mark.parametrize("where", ["installed", "beside the script"])
def test_real_package_is_not_shadowed(tmp_path, name, where):
    """One sentence and a code; the script does not run."""
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("")
    script = tmp_path / "script.py"
    script.write_text("print('it ran')")
    path = os.pathsep.join([str(tmp_path) if where == "installed" else "", os.environ.get("PYTHONPATH", "")])
    done = run("-m", "mmarn.ascend", script, env={"PYTHONPATH": path})
    assert done.returncode == 1 and "it ran" not in done.stdout
    assert done.stdout.startswith(f"mmarn.ascend stands in for {name}, but a real {name} is installed at {tmp_path}")
    assert done.stdout.count("\n") == 1, done.stdout


def test_import_refuses_beside_a_real_package(tmp_path):
    (tmp_path / "torch_npu.py").write_text("")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = run("-c", "import mmarn.ascend", env={"PYTHONPATH": path})
    assert done.returncode == 1 and "ImportError: mmarn.ascend stands in for torch_npu" in done.stdout


def test_nothing_is_provided_without_the_import():
    done = run("-c", "import importlib.util as u, mmarn; print(u.find_spec('torch_npu'), u.find_spec('mindspeed'))")
    assert done.stdout == "None None\n"
