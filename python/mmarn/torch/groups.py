# SPDX-License-Identifier: MIT
"""A mmarn group with the ranks of a torch.distributed process group.

The process group serves once, to carry the group's id from its rank 0 to the others through its own store, which is
private to it (torch prefixes every process group's keys); so any backend will do, and several process groups do not
meet. Afterwards the two have nothing to do with each other.
"""

from __future__ import annotations

import datetime
import weakref

import torch.distributed as dist
from torch.distributed import distributed_c10d

import mmarn

LONGEST_NAME = 127
LONGEST_TIMEOUT = 2_000_000.0  # seconds; the library counts milliseconds in 32 bits

_groups: weakref.WeakKeyDictionary[dist.ProcessGroup, mmarn.Group] = weakref.WeakKeyDictionary()


def group_from_process_group(
    pg: dist.ProcessGroup | None = None, *, threads: int = 0, timeout: float | None = None
) -> mmarn.Group:
    """The mmarn group whose ranks are those of pg, numbered as pg numbers them. Collective over pg when it makes one.

    pg       a process group of torch.distributed that this process belongs to; None: the default one
    threads  of this rank; 0: this rank's share of the processors
    timeout  seconds, of joining and of every later wait; None: the timeout given to init_process_group

    While the group is open, every call for the same pg returns the same object, and threads and timeout do not count.
    After it has been closed, on every rank, the next call makes a new one. It stays open as long as pg exists, so
    close() it to be rid of it earlier. Its name, for the operators, is its attribute name.

    Errors: ValueError (no default process group, pg does not contain this process or has been destroyed; or a peer
    joined with other terms), TimeoutError (a rank did not come), and those of mmarn.Group.
    """
    pg = pg or _default_process_group()
    group = _groups.get(pg) if isinstance(pg, dist.ProcessGroup) else None
    if group is None or group.closed:
        group = _groups[pg] = _join(pg, threads, timeout)
    return group


def _default_process_group() -> dist.ProcessGroup:
    if not dist.is_initialized():
        raise ValueError("pg is None but there is no default process group; call init_process_group first")
    return dist.group.WORLD


def _store_of(pg: dist.ProcessGroup) -> dist.Store:
    if pg is dist.GroupMember.NON_GROUP_MEMBER:
        raise ValueError("pg does not contain this process; call only on the ranks that were given to new_group")
    if not isinstance(pg, dist.ProcessGroup):
        raise TypeError(f"pg is a {type(pg).__name__}, not a torch.distributed.ProcessGroup")
    try:
        return distributed_c10d._get_process_group_store(pg)
    except KeyError:
        raise ValueError("pg has been destroyed; its ranks can no longer find each other") from None


def _join(pg: dist.ProcessGroup, threads: int, timeout: float | None) -> mmarn.Group:
    store = _store_of(pg)
    if timeout is None:
        timeout = store.timeout.total_seconds()
    if timeout <= 0:
        raise ValueError(f"timeout is {timeout} s, but it must be positive")
    timeout = min(timeout, LONGEST_TIMEOUT)
    rank = dist.get_rank(pg)
    # The store itself counts this rank's calls, so all ranks use the same fresh key whatever else they have done.
    turn = store.add(f"mmarn/turn/{rank}", 1)
    key = f"mmarn/id/{turn}"
    if rank == 0:
        store.set(key, mmarn.create_id().hex())
    group_id = bytes.fromhex(_wait(store, key, timeout).decode())
    name = _free_name(f"torch:{pg.group_name}:{turn}")
    return mmarn.Group(group_id, rank, dist.get_world_size(pg), name=name, threads=threads, timeout=timeout)


def _wait(store: dist.Store, key: str, timeout: float) -> bytes:
    try:
        store.wait([key], datetime.timedelta(seconds=timeout))
    except dist.DistNetworkError:
        raise
    except RuntimeError as error:
        raise TimeoutError(f"rank 0 of the process group drew no id within {timeout:g} s") from error
    return store.get(key)


def _free_name(wanted: str) -> str:
    """wanted, in characters that a name may have; with a number behind it if a group of this process has it already.

    The same in every run if it can be, because compiled graphs contain it and are found in caches by their text.
    """
    wanted = "".join(c if c.isascii() and c.isprintable() else "_" for c in wanted)[: LONGEST_NAME - 10]
    name, number = wanted, 1
    while _is_taken(name):
        number += 1
        name = f"{wanted}.{number}"
    return name


def _is_taken(name: str) -> bool:
    try:
        mmarn.find_group(name)
    except ValueError:
        return False
    return True
