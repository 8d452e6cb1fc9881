# SPDX-License-Identifier: MIT
"""The worker programs: started once per shape of a group, asked for cases and times over pipes, ended together.

A group's ranks sleep while they are not asked for anything, so many groups can be kept alive and measured in turn.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
CONTROL_BYTES = 1 << 20


class WorkerError(Exception):
    """A peer cannot: its own reason, or that its program ended or hung."""


class WorkerTimeoutError(WorkerError):
    """No answer in time; the peer's group has been ended."""


@dataclasses.dataclass(frozen=True)
class Peer:
    """What is compared. A chain is another library's matmul and another's all-reduce."""

    name: str
    program: str
    matmul: str = ""
    comm: str = ""
    variant: str = ""


OURS = Peer("mmarn", "ours")
SPLIT = Peer("mmarn (split)", "ours_split")
TORCH = Peer("torch", "peer_torch.py", comm="gloo")
MATMULS = ("openblas", "onednn", "ggml", "mkl")
CHAINS = tuple(Peer(f"{matmul}+MPI", f"{matmul}_mpi", matmul, "mpi") for matmul in MATMULS)
SHARED = {shot: tuple(Peer(f"{matmul}+{shot}", f"{matmul}_shm", matmul, "shm", shot) for matmul in MATMULS)
          for shot in ("oneshot", "twoshot")}
PACKAGES = {"openblas": "libopenblas-dev was not there when the bench was built",
            "onednn": "libdnnl-dev (oneDNN 2) was not there when the bench was built",
            "ggml": "no ggml was there when the bench was built",
            "mkl": "no MKL was there when the bench was built"}


def missing(peer: Peer, folder: pathlib.Path) -> str:
    """Why a peer cannot be started at all; empty when it can."""
    if peer is TORCH:
        try:
            import torch.distributed  # noqa: F401 - only a look
        except ImportError:
            return f"torch is not installed for {sys.executable}"
        return ""
    if peer.comm == "mpi" and shutil.which("mpirun") is None:
        return "openmpi-bin is not installed"
    if not (folder / peer.program).exists():
        other = "libopenmpi-dev was not there when the bench was built"
        shared = folder / f"{peer.matmul}_shm"
        return other if peer.comm == "mpi" and shared.exists() else PACKAGES.get(peer.matmul, "it was not built")
    return ""


class Group:
    """The ranks of one peer."""

    def __init__(self, peer: Peer, folder: pathlib.Path, ranks: int, threads: int, pin: bool) -> None:
        self.peer, self.ranks, self.threads = peer, ranks, threads
        self.pin = pin and ranks * threads <= len(os.sched_getaffinity(0))
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the group
        self.control = os.memfd_create("bench-control")
        self.shared = os.memfd_create("bench-shared")
        os.ftruncate(self.control, CONTROL_BYTES)
        self.rendezvous = tempfile.mktemp(prefix="bench-gloo-")
        self.processes = [self._start(command, rank) for rank, command in enumerate(self._commands(folder))]

    def _commands(self, folder: pathlib.Path) -> list[list[str]]:
        if self.peer is TORCH:
            return [[sys.executable, str(HERE / self.peer.program)]] * self.ranks
        program = [str(folder / self.peer.program), self.peer.variant]
        if self.peer.comm != "mpi":
            return [program] * self.ranks
        run = ["mpirun", "-n", str(self.ranks), "--bind-to", "none", "--oversubscribe"]
        if os.geteuid() == 0:
            run.append("--allow-run-as-root")
        return [run + program]

    def _start(self, command: list[str], rank: int) -> subprocess.Popen:
        own = os.getpid()
        threads = str(self.threads)
        environment = dict(os.environ, BENCH_CONTROL=f"/proc/{own}/fd/{self.control}",
                           BENCH_SHARED=f"/proc/{own}/fd/{self.shared}", BENCH_THREADS=threads, OMP_NUM_THREADS=threads,
                           OPENBLAS_NUM_THREADS=threads, GLOO_SOCKET_IFNAME="lo", PYTHONDONTWRITEBYTECODE="1",
                           BENCH_RENDEZVOUS=self.rendezvous)
        if self.peer.comm != "mpi":
            environment |= {"BENCH_RANK": str(rank), "BENCH_WORLD": str(self.ranks)}
        if self.pin:
            environment["BENCH_PIN"] = "1"
        pipe = subprocess.PIPE if rank == 0 else subprocess.DEVNULL
        return subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=self.log,
                                process_group=0)

    def ask(self, line: str, seconds: float = 120.0) -> dict:
        """One command's answer. WorkerError: the peer's reason; when it hung or ended, the group is ended too."""
        first = self.processes[0]
        try:
            first.stdin.write(line.encode() + b"\n")
            first.stdin.flush()
            text = self._read_line(time.monotonic() + seconds)
        except (BrokenPipeError, ValueError):
            text = b""
        if not text.endswith(b"\n"):
            why = self._last_words()
            self.close()
            raise WorkerError(why) if why else WorkerTimeoutError(f"no answer within {seconds:g} s")
        answer = json.loads(text)
        if not answer["ok"]:
            raise WorkerError(answer["why"])
        return answer

    def _read_line(self, deadline: float) -> bytes:
        """What comes up to the end of a line; less when the time is over or a rank has ended."""
        stream = self.processes[0].stdout
        text = b""
        while not text.endswith(b"\n") and time.monotonic() < deadline:
            if select.select([stream], [], [], 0.2)[0]:
                some = os.read(stream.fileno(), 65536)
                text += some
                if not some:
                    break
            elif any(process.poll() is not None for process in self.processes):
                break
        return text

    def _last_words(self) -> str:
        with contextlib.suppress(OSError):
            self.log.seek(0)
            lines = self.log.read().decode(errors="replace").strip().splitlines()
            ended = next((process.poll() for process in self.processes if process.poll() is not None), None)
            if ended is not None:
                return f"the program ended with status {ended}: {lines[-1] if lines else 'no message'}"
        return ""

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return bool(self.processes)

    def close(self) -> None:
        """The end of its input ends a group; whatever does not take the hint is killed, by its own process group."""
        if not self.processes:
            return
        for process in self.processes:
            for stream in (process.stdin, process.stdout):
                if stream:
                    with contextlib.suppress(OSError):
                        stream.close()
        for process in self.processes:
            try:
                process.wait(timeout=3)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self.processes = []
        os.close(self.control)
        os.close(self.shared)
        self.log.close()
        pathlib.Path(self.rendezvous).unlink(missing_ok=True)


class Pool:
    """Groups that are alive, all of one shape at a time."""

    def __init__(self, folder: pathlib.Path, pin: bool) -> None:
        self.folder, self.pin = folder, pin
        self.groups: dict[Peer, Group] = {}
        self.described: dict[str, str] = {}

    def get(self, peer: Peer, ranks: int, threads: int) -> Group:
        """The peer's group of this shape, started if need be."""
        for other, group in list(self.groups.items()):
            if not group.alive or (group.ranks, group.threads) != (ranks, threads):
                group.close()
                del self.groups[other]
        if peer not in self.groups:
            why = missing(peer, self.folder)
            if why:
                raise WorkerError(why)
            self.groups[peer] = Group(peer, self.folder, ranks, threads, self.pin)
            self.described[peer.name] = self.groups[peer].ask("describe", 60.0).get("text", "")
        return self.groups[peer]

    def close(self) -> None:
        """Ends all."""
        for group in self.groups.values():
            group.close()
        self.groups.clear()
