# SPDX-License-Identifier: MIT
"""Runs programs under `python -m mmarn.ascend`, each in processes of its own.

Importing mmarn.ascend changes torch for the whole process, so the test process itself never does. Every run is a
process group with a deadline; whatever is left of it when the run ends is killed.
"""

import os
import pathlib
import signal
import socket
import subprocess
import sys

PROGRAMS = pathlib.Path(__file__).parent / "programs"


def free_port() -> int:
    """A TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(*command: object, timeout: float = 150, env: dict[str, str] | None = None) -> subprocess.CompletedProcess:
    """Runs `python <command>`; its output is text, standard error in standard output."""
    process = subprocess.Popen([sys.executable, *map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, start_new_session=True, env=os.environ | (env or {}))
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.terminate()  # torchrun then ends its ranks, which are in sessions of their own
        process.communicate(timeout=40)
        raise
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
    return subprocess.CompletedProcess(command, process.returncode, output)


def run_program(name: str, *arguments: object, **options: object) -> str:
    """Runs programs/<name> under mmarn.ascend, expects success and returns its output."""
    done = run("-m", "mmarn.ascend", PROGRAMS / name, *arguments, **options)
    assert done.returncode == 0, f"{name} {arguments} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout
