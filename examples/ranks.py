# SPDX-License-Identifier: MIT
"""Two ranks of one layer: each holds its half of k, packed once. Under `mmarn launch` use Group.from_env instead."""
import multiprocessing

import numpy

import mmarn


def rank(rank, world_size, group_id):
    random = numpy.random.default_rng(rank)
    x1 = random.standard_normal((4, 32)).astype(numpy.float16)
    x2 = random.standard_normal((32, 16)).astype(numpy.float16)
    residual, gamma = numpy.ones((4, 16), numpy.float16), numpy.ones(16, numpy.float16)
    with mmarn.Group(group_id, rank, world_size) as group:
        op = mmarn.Op(group, x2, gamma)  # (k, n), or the transposed view of an (n, k) weight
        y, norm_out = op(x1, residual)  # or op(x1, residual, y=residual), in place
        print(f"rank {rank}: y[0, 0] = {y[0, 0]}, norm_out[0, 0] = {norm_out[0, 0]}")


if __name__ == "__main__":
    spawn, group_id = multiprocessing.get_context("spawn"), mmarn.create_id()
    ranks = [spawn.Process(target=rank, args=(r, 2, group_id)) for r in range(2)]
    [process.start() for process in ranks]
    raise SystemExit(max([process.join() or abs(process.exitcode) for process in ranks]))
