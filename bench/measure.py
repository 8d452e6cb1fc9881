# SPDX-License-Identifier: MIT
"""One case: every peer made ready and checked against the library, then timed in turn, round after round.

A B C A B C ...: whatever disturbs the machine disturbs all of them, and a ratio is taken within a round.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import pathlib
import statistics
import time
from collections.abc import Sequence

import check
import workers
from cases import Case
from workers import OURS, SPLIT, Peer, Pool, WorkerError, WorkerTimeoutError

SAMPLE_SECONDS = 2e-3
ROUNDS = {True: 3, False: 7}
PEER_SECONDS = {True: 0.4, False: 1.5}  # of one peer's timing in one case
PATIENCE = {True: 10.0, False: 30.0}  # with a peer's single command


@dataclasses.dataclass
class Times:
    """One peer in one case. Without seconds: why."""

    peer: str
    why: str = ""
    note: str = ""
    seconds: list[float] = dataclasses.field(default_factory=list)  # of one step, the median of each round
    samples: list[float] = dataclasses.field(default_factory=list)
    matmul: list[float] = dataclasses.field(default_factory=list)
    parts: dict[str, float] = dataclasses.field(default_factory=dict)
    worst_error: float | None = None

    @property
    def median(self) -> float:
        """Of all samples."""
        return statistics.median(self.samples)

    @property
    def spread(self) -> float:
        """Between the quartiles, as a part of the median; 0 with fewer than four samples."""
        if len(self.samples) < 4:
            return 0.0
        low, _, high = statistics.quantiles(self.samples, n=4)
        return (high - low) / self.median

    @property
    def alone(self) -> float | None:
        """The matmul alone."""
        return statistics.median(self.matmul) if self.matmul else None


@dataclasses.dataclass
class Active:
    """A peer that is ready, and how it is asked."""

    group: workers.Group
    times: Times
    inner: int = 1
    samples: int = 1
    step: float = 0.0
    matmul: float = 0.0
    spent: float = 0.0


class Bench:
    """What all cases have in common."""

    def __init__(self, pool: Pool, scratch: pathlib.Path, quick: bool, cache_bytes: float,
                 peers: Sequence[str] = ()) -> None:
        self.pool, self.scratch, self.quick, self.cache_bytes, self.peers = pool, scratch, quick, cache_bytes, peers
        self.hopeless: list[tuple[Peer, Case]] = []  # the peers that ran out of time, and in which case

    def _step(self, case: Case) -> str:
        return "reduce" if case.count else "operator"

    def _prepare(self, case: Case, peer: Peer) -> Active:
        """Starts, prepares, checks one peer, and finds out how long a step takes."""
        group = self.pool.get(peer, case.ranks, case.threads)
        if case.count:
            line = f"reduce {case.count}"
        else:
            line = f"prepare {case.kind} {case.rows} {case.k} {case.n} {case.copies(self.cache_bytes)}"
        times = Times(peer.name, note=group.ask(line, PATIENCE[self.quick]).get("text", ""))
        active = Active(group, times)
        group.ask(f"run {self._step(case)} 1 1", PATIENCE[self.quick])
        dump = self.scratch / peer.program
        group.ask(f"dump {dump}")
        times.worst_error = check.compare(case, peer, dump, self.scratch / OURS.program, peer is OURS)
        found = group.ask(f"run {self._step(case)} 1 2", PATIENCE[self.quick])
        active.step = min(found["seconds"])
        times.parts = found["parts"]
        if peer.comm == "mpi" and not case.count:
            active.matmul = min(group.ask("run matmul 1 4", PATIENCE[self.quick])["seconds"])
        active.inner = max(1, min(2000, round(SAMPLE_SECONDS / active.step)))
        budget = PEER_SECONDS[self.quick] / ROUNDS[self.quick]
        active.samples = max(1, min(15, int(budget / (active.step * active.inner))))
        return active

    def _wanted(self, peer: Peer) -> bool:
        """The library itself always is: the others are checked against it."""
        return peer is OURS or not self.peers or any(fnmatch.fnmatch(peer.name, f"*{one}*") for one in self.peers)

    def _try(self, case: Case, peer: Peer, results: list[Times]) -> Active | None:
        if not self._wanted(peer):
            return None
        try:
            for other, smaller in self.hopeless:
                if peer is other and case.kind == smaller.kind and case.operations >= smaller.operations:
                    raise WorkerError(f"ran out of time in {smaller.name} already")
            active = self._prepare(case, peer)
        except WorkerTimeoutError as error:
            self.hopeless.append((peer, case))
            results.append(Times(peer.name, why=str(error)))
            return None
        except WorkerError as error:
            results.append(Times(peer.name, why=str(error)))
            self._drop(peer)
            return None
        results.append(active.times)
        return active

    def _drop(self, peer: Peer) -> None:
        group = self.pool.groups.get(peer)
        if group is not None and group.alive:
            try:
                group.ask("drop", 30.0)
            except WorkerError:
                group.close()

    def _peers(self, case: Case, results: list[Times]) -> list[Active]:
        """All that can; the shared-memory all-reduces come with the fastest matmul of the chains."""
        ready = [self._try(case, OURS, results)]
        if ready[0] is None:
            return []
        if case.matmul and case.threads == 1 and case.group != "exposed":
            ready.append(self._try(case, SPLIT, results))
        ready.append(self._try(case, workers.TORCH, results))
        chains = workers.CHAINS
        if case.count:
            chains = tuple(peer for peer in chains if not workers.missing(peer, self.pool.folder))[:1]
        tried = [self._try(case, peer, results) for peer in chains]
        ready += tried
        fastest = min((one for one in tried if one), default=None, key=lambda one: one.matmul)
        if fastest and case.ranks > 1:
            shared = [peer for shot in workers.SHARED.values() for peer in shot
                      if peer.matmul == fastest.group.peer.matmul]
            ready += [self._try(case, peer, results) for peer in shared]
        return [one for one in ready if one]

    def _time(self, case: Case, active: Active) -> None:
        """One round of one peer."""
        start = time.monotonic()
        group, times = active.group, active.times
        warm = 1 if active.step < 0.05 else 0
        if warm:
            group.ask(f"run {self._step(case)} {min(active.inner, 8)} 1")
        found = group.ask(f"run {self._step(case)} {active.inner} {active.samples}", PATIENCE[self.quick])
        times.samples += found["seconds"]
        times.seconds.append(statistics.median(found["seconds"]))
        times.parts = {part: min(value, times.parts.get(part, value)) for part, value in found["parts"].items()}
        if case.matmul and group.peer is not SPLIT:
            found = group.ask(f"run matmul {active.inner} {max(1, active.samples // 2)}", PATIENCE[self.quick])
            times.matmul += found["seconds"]
        active.spent += time.monotonic() - start

    def run(self, case: Case) -> list[Times]:
        """Every peer's times."""
        results: list[Times] = []
        peers = self._peers(case, results)
        for turn in range(ROUNDS[self.quick]):
            for active in peers:
                if not active.group.alive or turn > 0 and active.spent > PEER_SECONDS[self.quick] * 1.5:
                    continue
                try:
                    self._time(case, active)
                except WorkerError as error:
                    active.times.why, active.times.samples = str(error), []
        for active in peers:
            self._drop(active.group.peer)
        return results
