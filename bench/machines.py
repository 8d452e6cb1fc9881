# SPDX-License-Identifier: MIT
"""Machines and fabrics that docs/scaling.md carries the model to, from published figures.

Published rates are wire rates; ATTAINED is assumed of all of them. Where no figure is published for a machine, that of
its kin stands, and the comment says so.
"""

from __future__ import annotations

from model import Fabric, Machine

ATTAINED = 0.8
GB = 1e9
# Read from the last-level cache by one processor, and from memory by one alone: bench/ceilings with one worker, Zen 4.
CORE_CACHE, CORE_MEMORY = 36 * GB, 27 * GB
# One way, within a CCX, to another one, to the other socket: EPYC 7R13 (Milan), medians, nviennot/core-to-core-latency.
LINES = {"line": 23e-9, "far_line": 107e-9, "socket_line": 197e-9}
# Within a CCX too, of many lines on their way: bench/ceilings, Zen 4.
LINES |= {"handover": 2e-9, "refill": 8e-9}


def _epyc(name: str, cores: int, hertz: float, width: int, cache: float, memory_rate: float) -> Machine:
    """Two sockets. width: fp32 operations of a core in a cycle; bf16 has twice, int8 four times as many.

    Eight cores share a last-level cache and a link of 32 bytes a cycle (chipsandcheese.com on the EPYC 9355P, which has
    two of them) at 1.8 GHz; the sockets are joined by four links of 16 lanes at 32 Gb/s (AMD, EPYC 9004 white paper).
    """
    processors = 2 * cores
    f32 = processors * width * hertz
    return Machine(name, processors, {"f32": f32, "bf16": 2 * f32, "int8": 4 * f32},
                   memory=2 * 12 * 8 * memory_rate * ATTAINED, cache=processors * CORE_CACHE, cache_bytes=2 * cache,
                   private_bytes=1 << 20, futex=5e-6, yielding=1e-6, domain=8, sockets=2, core_memory=CORE_MEMORY,
                   links=processors / 8 * 32 * 1.8e9 * ATTAINED, socket_link=4 * 16 * 32e9 / 8 * ATTAINED, **LINES)


MACHINES = {machine.name: machine for machine in (
    # EPYC 9554, Zen 4: 64 cores, base 3.1 GHz, two multiply-adds of 256 bits, 256 MB, 12 x DDR5-4800 (AMD, data sheet).
    _epyc("epyc-2x64", 64, 3.1e9, 32, 256e6, 4.8e9),
    # EPYC 9755, Zen 5: 128 cores, base 2.7 GHz, two multiply-adds of 512 bits, 512 MB, 12 x DDR5-6000 (likewise).
    _epyc("epyc-2x128", 128, 2.7e9, 64, 512e6, 6.0e9),
)}

# Latencies of small messages by the OSU benchmark: 0.9 us with Open MPI over InfiniBand, 25 us with MPICH over TCP
# (gist.github.com/jfgrimm/3af692a5475bdd4ed836b5a18197a209). RoCE's is assumed to be twice InfiniBand's; so is what a
# message costs the processor that sends it.
FABRICS = tuple(Fabric(name, bits * 1e9 / 8 * ATTAINED, latency, message) for name, bits, latency, message in (
    ("100 Gb/s Ethernet, TCP", 100, 25e-6, 5e-6),
    ("100 Gb/s Ethernet, RoCE", 100, 1.8e-6, 0.5e-6),
    ("200 Gb/s InfiniBand", 200, 0.9e-6, 0.5e-6),
    ("400 Gb/s InfiniBand", 400, 0.9e-6, 0.5e-6),
))
