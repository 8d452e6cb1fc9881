# SPDX-License-Identifier: MIT
"""Groups as objects: names, ranks that are threads, lifetimes, and what is left when nobody closes them."""

import gc
import os
import subprocess
import sys
import threading
import weakref

import numpy
import pytest

import mmarn
from ranks import run_threads

ONES = numpy.ones(4, numpy.float32)


def test_description():
    assert mmarn.__version__ in mmarn.describe() and "transports: self shm" in mmarn.describe()
    assert len(mmarn.create_id()) == 64 and mmarn.create_id() != mmarn.create_id()


def test_attributes():
    with mmarn.Group(name="alone", threads=1) as group:
        assert (group.rank, group.world_size, group.name, group.closed) == (0, 1, "alone", False)
        assert repr(group) == "<mmarn.Group 'alone': rank 0 of 1>"
    assert group.closed and repr(group) == "<mmarn.Group 'alone': closed>"
    assert mmarn.Group().name is None


@pytest.mark.parametrize("world", [2, 3, 8])
def test_threads_as_ranks(world):
    """Each has a Group of its own under one name, and finds its own by it."""

    def call(group):
        assert mmarn.find_group("ranks") is group and group.world_size == world
        return group.all_reduce(numpy.float32([group.rank, 1]))

    for total in run_threads(world, call, name="ranks"):
        assert total.tolist() == [world * (world - 1) / 2, world]
    with pytest.raises(ValueError, match='^name is "ranks" but this process has no group of that name$'):
        mmarn.find_group("ranks")


def test_name_is_taken():
    with mmarn.Group(name="mine"), pytest.raises(ValueError, match='^name is "mine" but this thread already has'):
        mmarn.Group(name="mine")
    mmarn.Group(name="mine").close()


def test_several_groups():
    """One process in several groups at a time, and calls on them in any order."""
    other = [mmarn.create_id()]

    def call(group):
        with mmarn.Group(other[0], 1 - group.rank, 2, threads=1, timeout=60) as second:
            return [group.all_reduce(ONES).sum(), second.all_reduce(3 * ONES).sum(), group.all_reduce(ONES).sum()]

    assert run_threads(2, call) == [[8, 24, 8]] * 2


def test_context_manager_closes_on_exceptions():
    with pytest.raises(KeyError), mmarn.Group() as group:
        raise KeyError
    assert group.closed
    with mmarn.Group() as group, mmarn.Op(group, numpy.eye(4, dtype=numpy.float32), ONES) as op:
        pass
    assert op.closed and op.group is group


def test_an_op_keeps_its_group():
    op = mmarn.Op(mmarn.Group(name="kept", threads=1), numpy.eye(4, dtype=numpy.float32), ONES)
    gone = weakref.ref(op.group)
    gc.collect()
    assert mmarn.find_group("kept") is op.group
    assert op(ONES.reshape(1, 4), ONES.reshape(1, 4))[0].tolist() == [[2, 2, 2, 2]]
    del op
    gc.collect()
    assert gone() is None


def test_a_dropped_group_leaves():
    mmarn.Group(name="dropped")
    gc.collect()
    with pytest.raises(ValueError, match="dropped"):
        mmarn.find_group("dropped")


def test_abort_from_another_thread():
    """Ends a wait on all ranks."""
    members = {}
    ready = threading.Barrier(3)

    def call(group):
        members[group.rank] = group
        ready.wait(30)
        if group.rank == 1:
            done.wait(30)
        with pytest.raises(ConnectionAbortedError, match="^rank 0 aborted the group$"):
            group.all_reduce(ONES)
        done.set()

    def end():
        ready.wait(30)
        members[0].abort()

    done = threading.Event()
    aborter = threading.Thread(target=end)
    aborter.start()
    run_threads(2, call)
    aborter.join(30)


def test_a_signal_handler_runs_during_a_wait():
    """And a wait goes on when the handler raises nothing."""
    import signal

    rung = []
    old = signal.signal(signal.SIGALRM, lambda *_: rung.append(1))
    id = mmarn.create_id()
    go = threading.Event()

    def peer():
        with mmarn.Group(id, 1, 2, threads=1) as group:
            go.wait(30)
            group.all_reduce(ONES)

    thread = threading.Thread(target=peer)
    thread.start()
    try:
        with mmarn.Group(id, 0, 2, threads=1) as group:
            signal.signal(signal.SIGALRM, lambda *_: go.set())
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            assert group.all_reduce(ONES).sum() == 8
    finally:
        signal.signal(signal.SIGALRM, old)
        thread.join(30)


def python(code):
    """Runs a program and returns what it wrote; it must end soon and well."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout


def test_exit_with_open_groups():
    """The interpreter ends though a group, its Op and a rank that waits in a daemon thread are there."""
    assert python("""
import threading, time, numpy, mmarn
ones = numpy.ones((1, 4), numpy.float32)
alone = mmarn.Group(threads=1)
op = mmarn.Op(alone, numpy.eye(4, dtype=numpy.float32), ones[0], borrow_x2=True)
id = mmarn.create_id()
joined = threading.Barrier(3)
def member(rank):
    group = mmarn.Group(id, rank, 2, threads=1)
    joined.wait()
    if rank == 0:
        group.all_reduce(ones)
    time.sleep(60)
for rank in range(2):
    threading.Thread(target=member, args=(rank,), daemon=True).start()
joined.wait()
time.sleep(0.2)
print(op(ones, ones)[0].sum())
""") == "8.0\n"


def test_exit_while_joining():
    python("""
import threading, time, mmarn
threading.Thread(target=lambda: mmarn.Group(mmarn.create_id(), 0, 2, timeout=None), daemon=True).start()
time.sleep(0.2)
""")


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there is one processor only")
def test_bound_ranks_are_told():
    """Once for the group, by rank 0, as a warning where the Group was made."""
    one = min(os.sched_getaffinity(0))
    heard = python(f"""
import os, threading, warnings
os.sched_setaffinity(0, {{{one}}})
import mmarn
id = mmarn.create_id()
def member(rank):
    mmarn.Group(id, rank, 2, threads=1, timeout=20).close()
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    thread = threading.Thread(target=member, args=(1,))
    thread.start()
    member(0)
    thread.join()
print([(str(one.message), one.category.__name__, one.lineno) for one in caught])
""")
    assert heard.startswith(f"[('all 2 ranks are bound to processor {one}, though there are ")
    assert heard.endswith("each rank processors of its own', 'RuntimeWarning', 7)]\n")


def test_a_level_that_is_none_is_told(monkeypatch):
    monkeypatch.setenv("MMARN_CPU", "avx-512")
    assert python("""
import mmarn, warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    mmarn.Group().close()
    mmarn.Group().close()
print([(str(one.message), one.category.__name__, one.filename) for one in caught])
warnings.simplefilter("error")
mmarn.Group().close()
""") == ("[('MMARN_CPU is \"avx-512\", which is not ref, avx2, avx512, avx512vnni or avx512bf16, so it forbids nothing', "
         "'RuntimeWarning', '<string>')]\n")


def test_import_brings_no_framework():
    assert python("""
import sys, mmarn
print(sorted({name.partition(".")[0] for name in sys.modules} & {"torch", "numpy", "jax", "ml_dtypes"}))
""") == "[]\n"


def test_no_gil_hog():
    """Other threads of a rank run while it waits."""
    counted = [0]
    stop = threading.Event()

    def count():
        while not stop.is_set():
            counted[0] += 1

    def call(group):
        if group.rank == 1:
            counter = threading.Thread(target=count)
            counter.start()
            begin = counted[0]
            while counted[0] < begin + 100_000:
                pass
            stop.set()
            counter.join(30)
        return group.all_reduce(ONES).sum()

    assert run_threads(2, call) == [8, 8]
