"""Fixtures of the model tests: a seed that is printed, ranks, and the modules of examples/ and of the torch tests."""

import os
import pathlib
import random
import sys

import pytest

pytest.importorskip("torch", minversion="2.4")

HERE = pathlib.Path(__file__).resolve().parent
sys.path += [str(HERE.parent / "torch"), str(HERE.parents[2] / "examples")]

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
