# SPDX-License-Identifier: MIT
"""What all Python tests share: hypothesis draws the same examples every time and leaves the source folder alone, a seed
that is printed, and, for tests with torch, one pool of processes that are ranks.
"""

import os
import pathlib
import random

import pytest
from hypothesis import HealthCheck, configuration, settings

configuration.set_hypothesis_home_dir(pathlib.Path(__file__).resolve().parents[2] / "build/hypothesis")
settings.register_profile("mmarn", derandomize=True, database=None, deadline=None, print_blob=True,
                          suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
settings.load_profile("mmarn")


@pytest.fixture
def seed(request):
    """A new seed for every test; MMARN_TEST_SEED repeats one. Shown with a test that fails, as is the command."""
    value = int(os.environ.get("MMARN_TEST_SEED") or random.randrange(2**31))
    print(f"repeat with: MMARN_TEST_SEED={value} pytest '{request.node.nodeid}'")
    return value


@pytest.fixture(scope="session")
def rank_pool():
    from torch_ranks import RankPool  # it imports torch, which not all tests need

    pool = RankPool()
    yield pool
    pool.close()


@pytest.fixture
def run(rank_pool):
    """run(world, function, *arguments) -> what each rank returned."""
    return rank_pool.run
