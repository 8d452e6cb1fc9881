# SPDX-License-Identifier: MIT
"""The process-group backend hccl: Gloo's collectives, and a name by which operators find the group's mmarn.Group.

get_hccl_comm_name joins the mmarn.Group when it is first called, on all ranks of the process group, as HCCL makes its
communicator. The group's id and name travel from rank 0 through the c10d store that torch gives to every backend.
"""

import functools
import re
import secrets
import threading
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed import distributed_c10d

import mmarn

STORE_KEY = "mmarn_hccl_comm"
NAME = re.compile(r"[0-9A-Za-z.%_:-]{1,127}")
ID_BYTES = 64
MOST_SECONDS = 2**31 // 1000  # that a Group can be told to wait; torch allows more

# torch keeps only the C++ half of a backend: without this, asking for it again would give a plain ProcessGroupGloo.
_alive: list["ProcessGroupHCCL"] = []


class ProcessGroupHCCL(dist.ProcessGroupGloo):
    """One rank's member of a process group, with the mmarn.Group that its operators use."""

    def __init__(self, store: dist.Store, rank: int, size: int, timeout: timedelta) -> None:
        # The store itself counts this rank's backends: it may outlive a process group, as torchrun's does, and the
        # next one must not read this one's entries.
        self._store = dist.PrefixStore(f"mmarn/{store.add(f'mmarn/{rank}', 1)}/", store)
        super().__init__(self._store, rank, size, timeout)
        self._timeout = timeout
        self._joining = threading.Lock()
        self._group: mmarn.Group | None = None

    def get_hccl_comm_name(self, rankid: int, init_comm: bool = True) -> str:
        """The name to pass as hcom. Collective over the process group when first called.

        rankid is the caller's global rank; only this process can be asked, so it is not used. With init_comm=False
        nothing is joined, and the name is "" until it has been. Errors: those of mmarn.Group; RuntimeError when the
        store fails or holds something else than a group's terms.
        """
        with self._joining:
            if self._group is None and init_comm:
                self._group = self._join()
        return self._group.name if self._group else ""

    def _join(self) -> mmarn.Group:
        if self.rank() == 0:
            terms = f"{mmarn.create_id().hex()} 127.0.0.1%mmarn_0_0_{secrets.randbits(64)}"
            self._store.set(STORE_KEY, terms)
        identity, name = read_terms(self._store.get(STORE_KEY))
        seconds = min(self._timeout.total_seconds(), MOST_SECONDS)
        return mmarn.Group(identity, self.rank(), self.size(), name=name, timeout=seconds)

    def close(self) -> None:
        """Leaves the mmarn.Group; not collective."""
        if self._group is not None:
            self._group.close()


def read_terms(terms: bytes) -> tuple[bytes, str]:
    """The id and the name in what rank 0 stored. A store is open to others on the network, so nothing is trusted."""
    identity, _, name = terms.decode("ascii", "replace").partition(" ")
    if not re.fullmatch(rf"[0-9a-f]{{{2 * ID_BYTES}}}", identity) or not NAME.fullmatch(name):
        raise RuntimeError(f"rank 0's entry in the store is {terms[:40]!r}; it must be an id and a name")
    return bytes.fromhex(identity), name


def _create(store: dist.Store, rank: int, size: int, timeout: timedelta) -> ProcessGroupHCCL:
    _alive.append(ProcessGroupHCCL(store, rank, size, timeout))
    return _alive[-1]


def register() -> None:
    """Adds the backend to torch.distributed. ImportError if another package has already added one of this name."""
    if "HCCL" in dist.Backend._plugins:
        raise ImportError("mmarn.ascend provides the process-group backend hccl, but another package has done so")
    dist.Backend.register_backend("hccl", _create, devices=["cpu", "npu"])
    # TORCH_DISTRIBUTED_DEBUG=DETAIL puts this wrapper around backends; it passes on torch's own methods only.
    wrapper = torch._C._distributed_c10d._ProcessGroupWrapper
    wrapper.get_hccl_comm_name = lambda self, *args, **kwargs: self.wrapped_pg.get_hccl_comm_name(*args, **kwargs)
    _close_with_process_groups()


def _backend_of(process_group: Any) -> Any:
    """The backend that a process group uses for NPU tensors, out of its wrapper; None if there is none."""
    try:
        found = process_group._get_backend(torch.device("npu"))
    except RuntimeError:
        return None
    return getattr(found, "wrapped_pg", found)


def _close_with_process_groups() -> None:
    """Lets destroy_process_group leave the mmarn.Group too; torch tells no Python backend that it is destroyed."""
    destroy = distributed_c10d.destroy_process_group

    @functools.wraps(destroy)
    def destroy_process_group(*args: Any, **kwargs: Any) -> None:
        destroy(*args, **kwargs)
        used = [_backend_of(process_group) for process_group in distributed_c10d._world.pg_map]
        for unused in [backend for backend in _alive if backend not in used]:
            _alive.remove(unused)
            unused.close()

    distributed_c10d.destroy_process_group = destroy_process_group
    dist.destroy_process_group = destroy_process_group
