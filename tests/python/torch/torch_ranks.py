# SPDX-License-Identifier: MIT
"""Processes that wait for functions to run as the ranks of a gloo process group.

Starting a process and importing torch takes seconds, so one pool serves all tests of a session. For each function as
many of its processes as there shall be ranks make a new default process group, call function(world, rank, *arguments)
and destroy the group. Whatever goes wrong, a pool that failed is thrown away with its processes, and every wait has a
deadline.
"""

from __future__ import annotations

import datetime
import os
import pathlib
import socket
import tempfile
import time
import traceback

import torch.multiprocessing as mp

DEADLINE = 150.0  # many times what the longest needs; compiling on a busy machine is slow
LARGEST = 4


def _call(rank: int, world: int, init_method: str, function, arguments: tuple):
    import torch.distributed as dist

    dist.init_process_group("gloo", init_method=init_method, rank=rank, world_size=world,
                            timeout=datetime.timedelta(seconds=DEADLINE))
    try:
        return function(world, rank, *arguments)
    finally:
        dist.destroy_process_group()


def _serve(rank: int, pipe, cache: str) -> None:
    # Torch's cache of compiled graphs would otherwise hold gradients of other versions of the package.
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = cache
    import torch

    torch.set_num_threads(1)
    while True:
        task = pipe.recv()
        try:
            answer = True, _call(rank, *task)
        except BaseException:  # noqa: BLE001  (any exception is reported to the test)
            answer = False, traceback.format_exc()
        pipe.send(answer)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class RankPool:
    """LARGEST processes at most, each started when it is first needed."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._runs = 0
        self._ranks: list = []

    def run(self, world: int, function, *arguments, tcp: bool = False, deadline: float = DEADLINE) -> list:
        """What function(world, rank, *arguments) returned on each rank. AssertionError if it failed on one."""
        end = time.monotonic() + deadline
        self._start(world)
        self._runs += 1
        store = pathlib.Path(self._folder.name, f"store{self._runs}").as_uri()
        init_method = f"tcp://127.0.0.1:{_free_port()}" if tcp else store
        ranks = self._ranks[:world]
        for _, pipe in ranks:
            pipe.send((world, init_method, function, arguments))
        answers = [self._answer(pipe, end) for _, pipe in ranks]
        failures = [f"rank {rank}:\n{text}" for rank, (good, text) in enumerate(answers) if not good]
        if failures:
            self._kill()
            raise AssertionError("\n".join(failures))
        return [result for _, result in answers]

    def _start(self, world: int) -> None:
        assert 1 <= world <= LARGEST
        context = mp.get_context("spawn")
        while len(self._ranks) < world:
            near, far = context.Pipe()
            arguments = len(self._ranks), far, str(pathlib.Path(self._folder.name, "cache"))
            process = context.Process(target=_serve, args=arguments, daemon=True)
            process.start()
            far.close()
            self._ranks.append((process, near))

    @staticmethod
    def _answer(pipe, end: float) -> tuple:
        try:
            if pipe.poll(max(0.0, end - time.monotonic())):
                return pipe.recv()
            return False, "no answer before the deadline"
        except EOFError:
            return False, "the process has ended"

    def close(self) -> None:
        """Ends the processes."""
        self._kill()
        self._folder.cleanup()

    def _kill(self) -> None:
        for process, _ in self._ranks:
            process.kill()
        for process, pipe in self._ranks:
            process.join()
            pipe.close()
        self._ranks = []
