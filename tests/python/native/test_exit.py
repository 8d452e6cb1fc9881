# SPDX-License-Identifier: MIT
"""The interpreter's end while threads wait in the library: it comes soon, keeps its exit status, and peers are told."""

import subprocess
import sys

import pytest

# Much shorter than the groups' own deadlines, which are minutes away or do not exist.
SECONDS = 40
ENDING = "ConnectionAbortedError: the interpreter is ending, so this rank has given up waiting for its peers"

BEGIN = """
import threading, time, numpy, mmarn
ones = numpy.ones((4, 256), numpy.float32)
id = mmarn.create_id()
def join(rank=0, world=2, **options):
    return mmarn.Group(id, rank, world, **{"threads": 1, "timeout": None, **options})
kept = []
def call(rank, threads=1, alone=threading.Barrier(2)):
    group = join(rank, threads=threads)
    kept.append(group)
    op = mmarn.Op(group, numpy.ones((256, 256), numpy.float32), ones[0])
    alone.wait()
    if rank == 0:
        op(ones, ones)
def start(function, *arguments):
    thread = threading.Thread(target=function, args=arguments)
    thread.start()
    return thread
"""
CALL = "for rank in range(2): start(call, rank)\n"
# What keeps a pool, as its own threads and its hook at the end do.
POOL = """
from concurrent.futures import ThreadPoolExecutor
pool = ThreadPoolExecutor(2)
"""

# name: (program, exit status, what it must write to stderr, what to stdout)
PROGRAMS = {
    "joining": (BEGIN + "start(join)", 0, ENDING, ""),
    "joining as a guest": (BEGIN + "start(join, 1)", 0, ENDING, ""),
    "in a call": (BEGIN + CALL, 0, ENDING, ""),
    "in a call of two threads": (BEGIN + "for rank in range(2): start(call, rank, 2)", 0, ENDING, ""),
    "pool, joining": (BEGIN + POOL + "pool.submit(join)", 0, "", ""),
    "pool, in a call": (BEGIN + POOL + "for rank in range(2): pool.submit(call, rank)", 0, "", ""),
    "pool that came first": (POOL + BEGIN + "for rank in range(2): pool.submit(call, rank)", 0, "", ""),
    "pool, result asked for": (
        BEGIN + POOL + "future = pool.submit(join)\nfuture.add_done_callback(lambda f: print(repr(f.exception())))",
        0, "", "ConnectionAbortedError('the interpreter is ending, so this rank has given up waiting for its peers')\n"),
    "run_in_executor": (
        BEGIN + "import asyncio\nloop = asyncio.new_event_loop()\nloop.run_in_executor(None, join)\n"
        "loop.run_until_complete(asyncio.sleep(0.1))", 0, "", ""),
    "sys.exit": (BEGIN + "import sys\nstart(join)\ntime.sleep(0.1)\nsys.exit(7)", 7, ENDING, ""),
    "exception": (BEGIN + CALL + "time.sleep(0.1)\nraise KeyError('mine')", 1, "KeyError: 'mine'", ""),
    "interrupt": (BEGIN + CALL + "time.sleep(0.1)\nraise KeyboardInterrupt", -2, "KeyboardInterrupt", ""),
    "os._exit": (BEGIN + "import os\n" + CALL + "time.sleep(0.1)\nos._exit(5)", 5, "", ""),
    "child of multiprocessing": (
        BEGIN + "import multiprocessing\n"
        "child = multiprocessing.get_context('fork').Process(target=start, args=(join,))\n"
        "child.start()\nchild.join(30)\nprint(child.exitcode)", 0, ENDING, "0\n"),
    # Its own exception is caught, and the thread goes on: only the wait has ended.
    "caught": (
        BEGIN + "def wait():\n    try:\n        join()\n    except ConnectionAbortedError as error:\n"
        "        print(error.status, error.code)\nstart(wait)", 0, "", "MMARN_ERR_ABORTED 561000\n"),
    # Ranks that are working are not disturbed: they finish their work.
    "busy ranks": (
        BEGIN + "import os\ndef work(rank):\n    group = join(rank)\n    for i in range(40):\n        time.sleep(0.02 * rank)\n"
        "        total = group.all_reduce(ones)\n    os.write(1, b'%g ' % total[0, 0])\nfor rank in range(2): start(work, rank)",
        0, "", "2 2 "),
    # A daemon thread, which is not waited for, serves threads that are.
    "daemon that waits for a busy rank": (
        BEGIN + "def work(rank):\n    with join(rank) as group:\n        time.sleep(1.5 * rank)\n"
        "        total = group.all_reduce(ones)\n    if rank == 1: print(total[0, 0])\n"
        "threading.Thread(target=work, args=(0,), daemon=True).start()\nstart(work, 1)", 0, "", "2.0\n"),
    # A program may wait for the work that it does at its end.
    "call at exit": (
        BEGIN + "import atexit\ndef last():\n    with join(0) as group: print(group.all_reduce(ones)[0, 0])\n"
        "def peer():\n    time.sleep(1.5)\n    with join(1) as group: group.all_reduce(ones)\n"
        "atexit.register(last)\nthreading.Thread(target=peer, daemon=True).start()", 0, "", "2.0\n"),
}


@pytest.fixture(scope="module")
def running():
    """All programs at once: each of them mostly waits."""
    programs = {
        name: subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for name, (program, *_) in PROGRAMS.items()
    }
    yield programs
    for process in programs.values():
        process.kill()
        process.communicate()


@pytest.mark.parametrize("name", PROGRAMS)
def test_exit(running, name):
    _, status, err, out = PROGRAMS[name]
    process = running[name]
    written, complaint = process.communicate(timeout=SECONDS)
    assert process.returncode == status, complaint
    assert written == out
    assert err in complaint if err else not complaint


def test_peers_are_told():
    """A rank of another process hears of it soon, in a call and in joining."""
    peer = BEGIN + """
import sys
id = bytes.fromhex(sys.argv[1])
try:
    group = join(0, timeout=60)
    print("joined", flush=True)
    group.all_reduce(ones)
    group.all_reduce(ones)
except ConnectionError as error:
    print(error)
"""
    leaver = BEGIN + """
import sys
id = bytes.fromhex(sys.argv[1])
def member():
    group = join(1)
    group.all_reduce(ones)
    waiting.set()
    other = mmarn.Group(mmarn.create_id(), 0, 2, threads=1, timeout=None)
waiting = threading.Event()
start(member)
waiting.wait()
"""
    import mmarn

    id = mmarn.create_id().hex()
    programs = [
        subprocess.Popen([sys.executable, "-c", program, id], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for program in (peer, leaver)
    ]
    try:
        outputs = [process.communicate(timeout=SECONDS) for process in programs]
    finally:
        for process in programs:
            process.kill()
            process.communicate()
    assert [process.returncode for process in programs] == [0, 0], outputs
    assert outputs[0][0].splitlines()[0] == "joined"
    assert outputs[0][0].splitlines()[1] in ("rank 1 left the group", "rank 1 aborted the group")
    assert ENDING in outputs[1][1]
