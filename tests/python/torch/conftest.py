"""Fixtures of the torch tests: a seed that is printed, and ranks."""

import functools
import os
import random

import pytest

pytest.importorskip("torch", minversion="2.4")

from torch_ranks import RankPool


@pytest.fixture
def seed():
    """A new seed for every test; MMARN_SEED repeats one."""
    value = int(os.environ.get("MMARN_SEED") or random.randrange(2**31))
    print(f"MMARN_SEED={value}")
    return value


@pytest.fixture(scope="session")
def rank_pool():
    pool = RankPool()
    yield pool
    pool.close()


@pytest.fixture
def run(rank_pool):
    """run(world, function, *arguments) -> what each rank returned."""
    return rank_pool.run


@pytest.fixture(params=[1, 2, 4], ids=lambda world: f"{world}ranks")
def run_all(request, rank_pool):
    """run_all(function, *arguments): the test is run with 1, 2 and 4 ranks."""
    return functools.partial(rank_pool.run, request.param)
