# SPDX-License-Identifier: MIT
"""The torch tests need torch; what they share besides the fixtures of all Python tests."""

import functools

import pytest

pytest.importorskip("torch", minversion="2.4")


@pytest.fixture(params=[1, 2, 4], ids=lambda world: f"{world}ranks")
def run_all(request, rank_pool):
    """run_all(function, *arguments): the test is run with 1, 2 and 4 ranks."""
    return functools.partial(rank_pool.run, request.param)
