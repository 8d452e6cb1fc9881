# SPDX-License-Identifier: MIT
"""How long one call should take, from what the machine can do at best. docs/scaling.md explains and checks it.

    time = max(multiply, weights) + exchange + outputs + lines + lock + hops                              (seconds)

max: as if all reading were hidden behind multiplications; were none, it would be the sum, the upper end of the model.

Pure functions: a case, a machine, and what the library says of its tiles and rings (library.py). Nothing is fitted to
times of the operator. D = rows * n is the number of outputs, e the bytes of one; P ranks of T threads are W workers, of
which as many as there are processors work at the same time.
"""

from __future__ import annotations

import dataclasses
import math

import library
from cases import Case

# For up to this many rows, weights are widened or expanded again for every row-block.
FEW_ROWS = 8
# How long a rank that shares its processor polls before it sleeps.
SPIN = 1e-6
LINE_BYTES = 64

# Measured by checkasm --bench, in cache, on one processor: a tile of 96 rows against the peak of its multiply-adds.
TILE_EFFICIENCY = 0.97
# A type's kernel: which peak it is made of; how much of that, as vpdpwssd does half of what vpdpbusd does; and what it
# takes to make a weight ready, in operations at that peak, likewise measured, but for one row. (int4 takes 3.6 cycles
# for 16 weights, of which 1 is their multiplication, at 32 operations a cycle.)
KERNEL = {
    "f32": ("f32", 1.0, 1.0),
    "f16": ("f32", 1.0, 1.0),
    "bf16": ("bf16", 1.0, 0.0),
    "int8": ("int8", 1.0, 0.0),
    "f16-int8": ("f32", 1.0, 5.0),
    "f16-int4": ("f32", 1.0, 5.2),
}
# Transfers of a cache line, counted in the code. Of a call: looks at all others' finished calls and at both lines of
# their records; stores of the record and the position, flush or read marks, the end.
CALL_LOOKS, CALL_LINES = 3, 4
BELL_LINES = 3  # its waiters, its count, and another poll
CLAIM_LINES = 4  # a rank's mutex, what it guards (two lines), and back
HELD_BYTES = 16  # what a thread is working on, which each claim reads
# Assumed: for each claim that finds work, another one finds none.
CLAIMS_EACH = 2


@dataclasses.dataclass(frozen=True)
class Machine:
    """Ceilings of all processors together, in operations, bytes and seconds. The lower half is for large servers."""

    name: str
    processors: int
    peaks: dict[str, float]
    memory: float
    cache: float
    cache_bytes: float
    private_bytes: float  # of a processor's own cache
    line: float  # one way, between two processors that share a last-level cache
    handover: float  # each of many lines, to read what another has just written
    refill: float  # each of many lines, to write again what another has read
    futex: float  # one way, to a processor whose thread sleeps
    yielding: float  # from one thread to the next with work on the same processor
    domain: int = 0  # processors that share a last-level cache; 0: all
    sockets: int = 1
    core_memory: float = math.inf  # what one processor can read
    far_line: float = 0.0  # to another last-level cache of the socket
    socket_line: float = 0.0
    links: float = math.inf  # of all last-level caches to the rest
    socket_link: float = math.inf  # from one socket to the other, one direction

    def active(self, workers: int) -> int:
        """Processors that work."""
        return min(workers, self.processors)


@dataclasses.dataclass(frozen=True)
class Terms:
    """Where the time goes, in seconds."""

    multiply: float
    weights: float
    exchange: float
    outputs: float
    lines: float
    lock: float
    hops: float

    @property
    def total(self) -> float:
        """One call, weights being read while others are multiplied."""
        return max(self.multiply, self.weights) + self.beyond

    @property
    def serial(self) -> float:
        """One call, weights being read first."""
        return self.multiply + self.weights + self.beyond

    @property
    def beyond(self) -> float:
        """What comes on top of the matmul."""
        return self.exchange + self.outputs + self.lines + self.lock + self.hops


def from_ceilings(ceilings: dict) -> Machine:
    """The machine that bench/ceilings.c has measured; without instructions for a type, it multiplies in fp32."""
    f32 = ceilings["f32_gflops"] * 1e9
    peaks = {"f32": f32, "bf16": ceilings["bf16_gflops"] * 1e9 or f32, "int8": ceilings["int8_gops"] * 1e9 or f32}
    return Machine("here", ceilings["workers"], peaks, ceilings["memory_gbs"] * 1e9, ceilings["cache_gbs"] * 1e9,
                   ceilings["cache_bytes"], ceilings["private_bytes"], ceilings["line_ns"] * 1e-9,
                   ceilings["handover_ns"] * 1e-9, ceilings["refill_ns"] * 1e-9, ceilings["futex_ns"] * 1e-9,
                   ceilings["yield_ns"] * 1e-9)


def plan(case: Case, machine: Machine) -> library.Plan:
    """Row-blocks, tiles and algorithm."""
    rows, n = (1, case.count) if case.count else (case.rows, case.n)
    shared = case.ranks * case.threads > machine.processors
    return library.plan(case.ranks, case.threads, rows, n, copies=bool(case.count), shared=shared)


def output_bytes(case: Case) -> int:
    """e: of one element of y."""
    return 4 if case.count or case.kind == "f32" else 2


def elements(case: Case) -> int:
    """D."""
    return case.count or case.rows * case.n


def multiply(case: Case, machine: Machine) -> float:
    """(2 * rows + expansion) * k * n operations on each rank, at the kernel's share of the peak."""
    if case.count:
        return 0.0
    which, share, expansion = KERNEL[case.kind]
    cut = plan(case, machine)
    few = cut.block_rows <= FEW_ROWS
    each = 2.0 * case.rows / (1.0 if few else TILE_EFFICIENCY)
    if few or case.kind in ("f16-int8", "f16-int4"):
        each += expansion * cut.row_blocks
    workers = case.ranks * case.threads
    rate = machine.peaks[which] * share * machine.active(workers) / machine.processors
    per_thread = cut.tiles / case.threads
    return each * case.k * case.n * case.ranks / rate * math.ceil(per_thread) / per_thread


def memory_rate(case: Case, machine: Machine) -> float:
    """Bytes per second that the working processors can read."""
    return min(machine.memory, machine.core_memory * machine.active(case.ranks * case.threads))


def cache_rate(case: Case, machine: Machine) -> float:
    """The same from the nearest last-level cache."""
    return machine.cache * machine.active(case.ranks * case.threads) / machine.processors


def weights(case: Case, machine: Machine) -> float:
    """Every row-block reads all weights once: from memory, unless a cache holds those of all ranks.

    Weights that stay in the processors' own caches cost nothing beside their multiplication.
    """
    if case.count:
        return 0.0
    if not case.rotate and case.weight_bytes / machine.active(case.ranks * case.threads) < machine.private_bytes:
        return 0.0
    from_memory = case.weight_bytes / memory_rate(case, machine)
    fit = case.weight_bytes < machine.cache_bytes
    again = case.weight_bytes / cache_rate(case, machine) if fit else from_memory
    return (from_memory if case.rotate else again) + (plan(case, machine).row_blocks - 1) * again


def far_shares(case: Case, machine: Machine) -> tuple[float, float]:
    """Of the other workers, those behind another last-level cache, and those on another socket; ranks are spread."""
    workers = machine.active(case.ranks * case.threads)
    if workers == 1:
        return 0.0, 0.0
    domains = machine.processors // (machine.domain or machine.processors)
    near = max(math.ceil(workers / domains) - 1, 0) / (workers - 1)
    same = max(math.ceil(workers / machine.sockets) - 1, 0) / (workers - 1)
    return 1.0 - near, 1.0 - same


def _line(machine: Machine, far: float, other_socket: float) -> float:
    return machine.line * (1.0 - far) + machine.far_line * (far - other_socket) + machine.socket_line * other_socket


def line_time(case: Case, machine: Machine) -> float:
    """Of one line between two workers, on average."""
    return _line(machine, *far_shares(case, machine))


def line_time_of_rank(case: Case, machine: Machine) -> float:
    """Of one line between two threads of a rank, which lie side by side."""
    reach = (machine.domain or machine.processors, machine.processors // machine.sockets)
    far, other_socket = (1.0 - (min(case.threads, most) - 1) / (case.threads - 1) for most in reach)
    return _line(machine, far, other_socket)


def distance(case: Case, machine: Machine) -> float:
    """How many times as long a line takes as between neighbours; so does each of many, as many being on their way."""
    return line_time(case, machine) / machine.line


def rings_stay(case: Case, machine: Machine) -> bool:
    """Whether lines of the rings are still in the processors' own caches when their slots' turn comes again.

    Through these go weights, what a rank writes and reads in the rings until then, and outputs meanwhile.
    """
    if case.rotate or case.ranks * case.threads > machine.processors:
        return False
    cut, e, (slots, _) = plan(case, machine), output_bytes(case), library.ring_slots(case.threads)
    of_rings = 4 + 4 * case.ranks if cut.one_shot else 4 + 4 + 2 * e
    of_tiles = (slots * of_rings + min(slots, cut.tiles) * 3 * e) * elements(case) / cut.tiles
    passing = of_tiles / case.threads + (0.0 if case.count else case.weight_bytes / (case.ranks * case.threads))
    return passing < machine.private_bytes


def exchange(case: Case, machine: Machine) -> float:
    """Parts and sums through the rings.

    A rank writes 4 D bytes of parts; owners read 4 D in all and write e D of sums, which everybody reads; in one shot
    everybody reads all parts. One's own are near enough to cost nothing.

    Where rings stay in the processors' own caches, lines go to and fro: those that others made are read, and all are
    written again. Elsewhere each is fetched from the last-level cache, and what goes back there has a way of its own.
    What other workers made passes the links between caches, half of that the sockets'.
    """
    d, e, ranks = elements(case), output_bytes(case), case.ranks
    if plan(case, machine).one_shot:
        written, moved = 4 * d, 4 * (ranks - 1) * d
    else:
        written, moved = (4 + e / ranks) * d, (4 + e) * d * (ranks - 1) / ranks
    if rings_stay(case, machine):
        each = (moved * machine.handover + written * machine.refill) / LINE_BYTES * distance(case, machine)
        local = ranks * each / machine.active(ranks * case.threads)
    else:
        local = ranks * (written + moved) / cache_rate(case, machine)
    far, other_socket = far_shares(case, machine)
    links = machine.links * machine.active(ranks * case.threads) / machine.processors
    return max(local, ranks * moved * far / links, ranks * moved * other_socket / 2 / machine.socket_link)


def outputs(case: Case, machine: Machine) -> float:
    """On every rank: residual read, y and norm_out written, 3 e D; an all-reduce, in place, reads and writes e D each.

    From memory when they do not fit the last-level caches, or weights that take turns have driven them out. Then y and
    norm_out count twice, as a store fetches its line first; the input of an all-reduce is there already.
    """
    unit = output_bytes(case) * elements(case) * case.ranks
    touched = 1 if case.count else 3
    if touched * unit < machine.cache_bytes and not case.rotate:
        return (2 if case.count else 3) * unit / cache_rate(case, machine)
    return (2 if case.count else 5) * unit / memory_rate(case, machine)


def look(case: Case, machine: Machine) -> float:
    """At one line of each other rank; they are fetched side by side."""
    return line_time(case, machine) + (case.ranks - 2) * machine.handover * distance(case, machine)


def turns(case: Case, machine: Machine) -> float:
    """Workers for each processor."""
    return max(1.0, case.ranks * case.threads / machine.processors)


def lines(case: Case, machine: Machine) -> float:
    """What tiles cost beside their data, one after the other, shared by a rank's threads.

    All look at the parts' stamps, and once in a ring how far others have read. With owners, who do the first for their
    tiles only, publishing waits for the stamp's line, and there is a sum's stamp to write and to read.
    """
    if case.ranks == 1:
        return 0.0
    cut, line, all_others = plan(case, machine), line_time(case, machine), look(case, machine)
    parts, sums = library.ring_slots(case.threads)
    each = all_others / parts
    if cut.one_shot:
        each += all_others
    else:
        owner = all_others + all_others / sums + line
        each += line + owner / case.ranks + line
    return cut.tiles * each / case.threads * turns(case, machine)


def lock(case: Case, machine: Machine) -> float:
    """Threads of a rank claim work under one mutex: produce and take in every tile, sum one in P."""
    if case.threads == 1:
        return 0.0
    cut, line = plan(case, machine), line_time_of_rank(case, machine)
    claims = cut.tiles * (2.0 if cut.one_shot else 2.0 + 1.0 / case.ranks)
    held = case.threads * HELD_BYTES / LINE_BYTES * machine.handover * line / machine.line
    return CLAIMS_EACH * claims * (CLAIM_LINES * line + held)


def hops(case: Case, machine: Machine) -> float:
    """Agreement, and what there is to wait for: the last tile's parts, and its sum, where others make that.

    A rank's only thread finds them by looking, several by their bell. Ranks that share processors let each other run
    between two looks, and sleep when their ring is full, once for each half of it.
    """
    if case.ranks == 1:
        return 0.0
    cut, line, (slots, _) = plan(case, machine), line_time(case, machine), library.ring_slots(case.threads)
    count = 1 if cut.one_shot else 2
    agreement = CALL_LOOKS * look(case, machine) + CALL_LINES * line
    if case.ranks * case.threads <= machine.processors:
        return agreement + (count * BELL_LINES * line if case.threads > 1 else 0.0)
    sleeps = max(0, cut.tiles - slots) / (slots // 2)
    waits = count * machine.yielding + sleeps * (machine.futex + SPIN)
    return (agreement + waits) * turns(case, machine)


def predict(case: Case, machine: Machine) -> Terms:
    """One call of all ranks."""
    return Terms(**{field.name: globals()[field.name](case, machine) for field in dataclasses.fields(Terms)})


# ------------------------------------------------------------------------------------------------ several nodes


@dataclasses.dataclass(frozen=True)
class Fabric:
    """Between nodes; the rate is a node's, in each direction."""

    name: str
    rate: float
    latency: float  # of a small message, one way
    message: float  # a processor's time to send one


def wire(case: Case, machine: Machine, nodes: int, fabric: Fabric) -> float:
    """A node sends each tile's sum over its own ranks, in fp32, to the tile's home node, and homes send sums back.

    (4 + e) * D * (M - 1) / M bytes in each direction, two messages for each tile that has its home elsewhere, sent by
    the tiles' owners at the same time.
    """
    away = (nodes - 1) / nodes
    sent = (4 + output_bytes(case)) * elements(case) * away
    return max(sent / fabric.rate, 2 * plan(case, machine).tiles * away / case.ranks * fabric.message)


def predict_nodes(case: Case, machine: Machine, nodes: int, fabric: Fabric) -> float:
    """Tiles travel while others are made, so the slower of node and wire counts, and two latencies behind it."""
    node = predict(case, machine).total
    return node if nodes == 1 else max(node, wire(case, machine, nodes, fabric)) + 2 * fabric.latency
