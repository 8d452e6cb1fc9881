# SPDX-License-Identifier: MIT
"""Groups: the ranks that sum together, as processes or threads of one machine."""

from __future__ import annotations

import atexit
import math
import numbers
import threading
from typing import Any, Self

from mmarn import _core
from mmarn.op import Outputs

__all__ = ["Group", "find_group"]

_MOST_MS = 2**31 - 1


def _milliseconds(timeout: float | None) -> int:
    if timeout is None:
        return -1
    if not isinstance(timeout, numbers.Real):
        raise TypeError(f"timeout is {timeout!r}; it must be a number of seconds, or None for no deadline")
    try:
        seconds = float(timeout)  # first of all: NumPy's small types could not be compared with the limit
    except OverflowError:
        seconds = math.inf
    if not 0 < seconds <= _MOST_MS / 1000:
        raise ValueError(f"timeout is {timeout} s; it must be above 0 and at most {_MOST_MS // 1000}, or None")
    return math.ceil(seconds * 1000)


class Group(_core.Group):
    """One rank's membership of a group. Making one joins, which waits for all ranks that hold the same id.

    Every method but abort is collective: all ranks must call it, in the same order. A group serves one call at a
    time (but see queue); make one for each thread that is a rank. Use it in a with statement, or close it, or drop it.

    id: the bytes of create_id(), the same on all ranks and used once; None for a group of one.
    rank, world_size: 0 .. world_size - 1, and 1 to 64.
    name: for find_group; 1 to 127 printable ASCII characters, one group of that name for each thread.
    transport: None to choose, or one of those that describe() lists.
    threads: of this rank, 1 to 1024; 0 for its share of the processors that the process may use.
    timeout: seconds that joining and every later wait may last; None for ever.
    queue: a call while another thread is inside one waits its turn, in the order of arrival, instead of RuntimeError;
        the threads of all ranks must come in one order.

    Errors: ValueError and TypeError (an argument; ranks that disagree), TimeoutError (names the ranks that did not
    come), ConnectionError (a rank died), MemoryError, OSError.
    """

    __slots__ = ("__weakref__",)

    def __new__(cls, id: bytes | None = None, rank: int = 0, world_size: int = 1, *, name: str | None = None,
                transport: str | None = None, threads: int = 0, timeout: float | None = 300.0,
                queue: bool = False) -> Self:
        return super().__new__(cls, id, rank, world_size, name, transport, threads, _milliseconds(timeout), queue)

    @classmethod
    def from_env(cls, **options: Any) -> Self:
        """Joins the group that `mmarn launch` started this process for; options are those of Group by keyword.

        Errors: as Group, and ValueError where MMARN_ID, MMARN_RANK or MMARN_WORLD_SIZE is missing or malformed.
        """
        return cls(*_core.id_from_env(), **options)

    def all_reduce(self, x: Any, out: Any = None, *, numerics: str = "default", name: str | None = None) -> Any:
        """Sums x over the ranks, element by element, in the operator's own order and rounding. Collective.

        x: contiguous, float16, bfloat16 or float32, up to 4 axes. out: None for a new array of x's framework, or one of
        x's shape and dtype; may be x. Returns out.
        name: None, or 1 to 127 printable ASCII characters that the call meets only calls of: where the ranks' names for
        it differ, or some give none, all get ValueError with both.
        """
        return self.run_all_reduce(x, out, numerics, name)

    def all_reduce_add_rms_norm(self, x: Any, residual: Any, gamma: Any, *, epsilon: float = 1e-6,
                                numerics: str = "default", y: Any = None, norm_out: Any = None,
                                name: str | None = None) -> tuple[Any, Any]:
        """The operator for a matmul of your own: y = all_reduce(x) + residual, norm_out = y / rms(y) * gamma.

        Collective.
        x, residual: (b, s, n) or (rows, n), contiguous; gamma: (n). norm_out is of x's dtype, residual and y of that or
        both float32, gamma of that or float32. y may be residual, or x of its dtype; norm_out may be x. name as in
        all_reduce. Returns (y, norm_out); what was not passed is new, of residual's framework.
        """
        return self.run_all_reduce_add_rms_norm(x, residual, gamma, epsilon, numerics, y, norm_out, name)

    def step(self, x: Any, gamma: Any, residual: Any = None, *, epsilon: float = 1e-6, numerics: str = "default",
             gamma_plus_one: bool = False, norm_first: bool = False, shard_rows: bool = False, y: Any = None,
             norm_out: Any = None, mm_out: Any = None, rstd: Any = None, norm_scale: Any = None,
             name: str | None = None) -> Outputs:
        """all_reduce_add_rms_norm with the options of Op and the outputs of Op.step; mm_out is the sum of x. Collective."""
        return Outputs(*self.run_step(x, residual, gamma, epsilon, numerics, gamma_plus_one, norm_first, shard_rows, y,
                                      norm_out, mm_out, rstd, norm_scale, name))

    def reduce_scatter(self, x: Any, out: Any = None, *, numerics: str = "default", name: str | None = None) -> Any:
        """Sums x over the ranks as all_reduce does, but each rank gets its own rows of it. Collective.

        x: (rows, n) or (b, s, n). out: None, or (its rows, n), as torch.tensor_split deals b * s rows out. Returns out.
        """
        return self.run_reduce_scatter(x, out, numerics, name)

    def all_gather(self, x: Any, out: Any = None, *, rows: int | None = None, name: str | None = None) -> Any:
        """The rows of all ranks, each giving its own. Collective.

        x: (its rows, n), or (its rows), of float16, bfloat16, float32, int8 or int32. out: None, or (rows, n), or (b, s,
        n); x may be where its rows of out lie. rows: of a new out; None where every rank has as many as this one.
        Returns out.
        """
        return self.run_all_gather(x, out, rows, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        name = "" if self.name is None else f" {self.name!r}"
        return f"<mmarn.Group{name}: {'closed' if self.closed else f'rank {self.rank} of {self.world_size}'}>"


def find_group(name: str) -> Group:
    """The open Group that this process made under a name; with ranks as threads, the calling thread's own.

    Errors: ValueError (no such name).
    """
    return _core.find_group(name)


def _is_ending() -> bool:
    """Has the interpreter begun to end, and may it wait for the calling thread, which is neither main nor a daemon?

    It ends thread pools before its main thread counts as ended, and only threading's own flag tells so early; functions
    of atexit come later. A pool's hook may run before any of ours, so waiting threads ask instead of being told.
    """
    here, main = threading.get_ident(), threading.main_thread()
    if here == main.ident or not (getattr(threading, "_SHUTTING_DOWN", False) or not main.is_alive()):
        return False
    return not any(thread.daemon and thread.ident == here for thread in threading.enumerate())


_core.ask_ending(_is_ending)
atexit.register(_core.leave_all)
