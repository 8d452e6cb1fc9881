# SPDX-License-Identifier: MIT
"""Ranks for tests: threads of this process, or processes of their own; every wait has an end."""

import multiprocessing
import threading
import time

import mmarn

TIMEOUT = 60.0


def run_threads(world, function, **options):
    """function(group) on world threads, each with its own Group of one id; what each returned.

    An exception of any rank is raised here; the one of the rank that failed first.
    """
    id = mmarn.create_id()
    results, failures = [None] * world, []

    def member(rank):
        try:
            with mmarn.Group(id, rank, world, **{"threads": 1, "timeout": TIMEOUT, **options}) as group:
                results[rank] = function(group)
        except BaseException as failure:  # noqa: BLE001 - raised again by the waiting thread
            failures.append(failure)

    threads = [threading.Thread(target=member, args=(rank,), daemon=True) for rank in range(world)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * TIMEOUT)
        assert not thread.is_alive(), "a rank hangs"
    if failures:
        raise failures[0]
    return results


class Processes:
    """function(rank, id, pipe, *arguments) in a process for each rank; leaving the block ends those that are left."""

    def __init__(self, world, function, *arguments):
        context = multiprocessing.get_context("spawn")
        id = mmarn.create_id()
        self.pipes, self.members = [], []
        for rank in range(world):
            ours, theirs = context.Pipe()
            self.pipes.append(ours)
            self.members.append(context.Process(target=function, args=(rank, id, theirs, *arguments), daemon=True))

    def __enter__(self):
        for member in self.members:
            member.start()
        return self

    def __exit__(self, *exception):
        for member in self.members:
            member.kill()
            member.join(TIMEOUT)

    def receive(self, rank):
        assert self.pipes[rank].poll(TIMEOUT), f"rank {rank} says nothing"
        return self.pipes[rank].recv()

    def join(self):
        """Their exit codes."""
        end = time.monotonic() + TIMEOUT
        for member in self.members:
            member.join(max(0, end - time.monotonic()))
        return [member.exitcode for member in self.members]
