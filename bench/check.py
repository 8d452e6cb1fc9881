# SPDX-License-Identifier: MIT
"""Nobody is timed on wrong work: a peer's y and norm_out must be the library's, within the roundings of its way."""

from __future__ import annotations

import pathlib

from cases import Case
from workers import Peer, WorkerError

try:
    import numpy as np
except ImportError:  # then nothing is compared, and the report says so
    np = None

# A few roundings of the outputs' type, because fp32 sums are made in another order.
ALLOWED = {"f32": 2e-4, "f16": 4 * 2.0**-10, "bf16": 4 * 2.0**-7, "int8": 4 * 2.0**-7, "f16-int8": 8 * 2.0**-10,
           "f16-int4": 8 * 2.0**-10}
# ggml multiplies blocks of int8 activations where weights are quantised.
ALLOWED_GGML = {"f16-int8": 0.06, "f16-int4": 0.06}


def _read(path: pathlib.Path, kind: str):
    if kind in ("f16", "f16-int8", "f16-int4"):
        return np.fromfile(path, dtype=np.float16).astype(np.float32)
    if kind in ("bf16", "int8"):
        return (np.fromfile(path, dtype=np.uint16).astype(np.uint32) << 16).view(np.float32)
    return np.fromfile(path, dtype=np.float32)


def compare(case: Case, peer: Peer, dump: pathlib.Path, ours: pathlib.Path, first: bool) -> float | None:
    """The worst difference, relative for elements beyond 1. WorkerError when it is more than roundings explain."""
    if np is None:
        return None
    wanted = _read(pathlib.Path(f"{ours}.0"), case.kind)
    allowed = ALLOWED_GGML.get(case.kind, 0.0) if peer.matmul == "ggml" else 0.0
    allowed = max(allowed, ALLOWED[case.kind])
    worst = 0.0
    for rank in range(case.ranks):
        found = _read(pathlib.Path(f"{dump}.{rank}"), case.kind)
        if found.shape != wanted.shape or not np.isfinite(found).all():
            raise WorkerError(f"wrong results: rank {rank} has other shapes, or elements that are no numbers")
        if first and rank > 0 and not np.array_equal(found, wanted):
            raise WorkerError(f"wrong results: ranks 0 and {rank} differ")
        worst = max(worst, float((np.abs(found - wanted) / np.maximum(1.0, np.abs(wanted))).max(initial=0.0)))
    if worst > allowed:
        raise WorkerError(f"wrong results: off by {worst:.3g}, where {allowed:.3g} is allowed")
    return worst
