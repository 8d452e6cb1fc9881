# SPDX-License-Identifier: MIT
"""Ranks that are processes: they meet, die, are interrupted, and are started by `mmarn launch`'s variables."""

import os
import signal
import time

import numpy
import pytest

import mmarn
from cases import make_case
from ranks import Processes


def case():
    return make_case("bf16", 5, [48, 32, 64, 32], 6, 40)


def run_op(rank, id, pipe):
    data = case()
    with mmarn.Group(id, rank, 4, threads=1, timeout=60) as group:
        op = mmarn.Op(group, data.x2[rank], data.gamma, **data.op_options(rank))
        for _ in range(3):
            y, norm_out = op(data.x1[rank], data.residual)
    pipe.send((y.view(numpy.uint16), norm_out.view(numpy.uint16)))


def test_op():
    data = case()
    with Processes(4, run_op) as ranks:
        results = [ranks.receive(rank) for rank in range(4)]
        assert ranks.join() == [0] * 4
    for y, norm_out in results:
        data.check(y.view(data.gamma.dtype), norm_out.view(data.gamma.dtype))
        assert y.tobytes() == results[0][0].tobytes()


def wait_for_peer(rank, id, pipe):
    group = mmarn.Group(id, rank, 2, threads=1, timeout=60)
    pipe.send("joined")
    if rank == 0:
        try:
            group.all_reduce(numpy.ones(4, numpy.float32))
        except ConnectionError as error:
            pipe.send((type(error), str(error), error.status))
    time.sleep(60)


def test_killed_peer():
    """Noticed by the one that waits, long before its deadline."""
    with Processes(2, wait_for_peer) as ranks:
        assert [ranks.receive(rank) for rank in range(2)] == ["joined"] * 2
        time.sleep(0.2)
        victim = ranks.members[1]
        victim.kill()
        victim.join(30)
        assert ranks.receive(0) == (ConnectionError, f"rank 1 (pid {victim.pid}) died", "MMARN_ERR_PEER")


def be_interrupted(rank, id, pipe, where, threads):
    """Rank 0 waits for what never comes; where: in which wait."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if where == "joining":
        if rank == 1:
            time.sleep(60)
        pipe.send("waiting")
        try:
            mmarn.Group(id, rank, 2, threads=threads, timeout=None)
        except KeyboardInterrupt:
            pipe.send(time.monotonic())
        return
    group = mmarn.Group(id, rank, 2, threads=threads, timeout=None)
    ones = numpy.ones((64, 512), numpy.float32)
    op = mmarn.Op(group, numpy.ones((512, 512), numpy.float32), ones[0])
    if rank == 1:
        pipe.poll(60)
    else:
        pipe.send("waiting")
    try:
        op(ones, ones) if where == "op" else group.all_reduce(ones)
    except KeyboardInterrupt:
        pipe.send(time.monotonic())
        pipe.poll(60)
    except ConnectionAbortedError as error:
        pipe.send(str(error))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("where", ["joining", "all_reduce", "op"])
def test_interrupt(where, threads):
    """Ctrl-C ends a wait at once; in a call it ends the group, and the peers are told who did it."""
    with Processes(2, be_interrupted, where, threads) as ranks:
        assert ranks.receive(0) == "waiting"
        time.sleep(0.5)
        sent = time.monotonic()
        os.kill(ranks.members[0].pid, signal.SIGINT)
        caught = ranks.receive(0)
        assert caught - sent < 1.0, "0.2 s are promised on a machine that has nothing else to do"
        if where != "joining":
            ranks.pipes[1].send("go")
            assert ranks.receive(1) == "rank 0 aborted the group"


def join_from_env(rank, id, pipe):
    os.environ.update(MMARN_ID=id.hex(), MMARN_RANK=str(rank), MMARN_WORLD_SIZE="2")
    with mmarn.Group.from_env(name="launched", threads=1) as group:
        pipe.send((group.rank, group.world_size, group.name, group.all_reduce(numpy.float32([rank])).tolist()))


def test_from_env(monkeypatch):
    with Processes(2, join_from_env) as ranks:
        assert [ranks.receive(rank) for rank in range(2)] == [(rank, 2, "launched", [1.0]) for rank in range(2)]
    for name in ("MMARN_ID", "MMARN_RANK", "MMARN_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ValueError, match="^MMARN_WORLD_SIZE is not set; start the program with `mmarn launch`$"):
        mmarn.Group.from_env()
