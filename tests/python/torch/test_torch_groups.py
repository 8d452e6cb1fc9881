# SPDX-License-Identifier: MIT
"""Groups from process groups: numbering, reuse, sub-groups, several at once, names, and what is refused."""

import datetime
import re
import subprocess
import sys

import pytest
import torch
import torch.distributed as dist

import mmarn
from mmarn.torch import group_from_process_group


def sum_of_ranks(group):
    """[which ranks took part, as a number with a bit for each]; a sum over the group that tells groups apart."""
    bit = torch.tensor([float(2 ** dist.get_rank())])
    return int(torch.ops.mmarn.all_reduce(bit, group.name))


def default_group(world, rank):
    group = group_from_process_group()
    assert (group.rank, group.world_size) == (rank, world)
    assert mmarn.find_group(group.name) is group
    assert group_from_process_group(dist.group.WORLD) is group, "an open group is used again"
    everyone = sum_of_ranks(group)
    group.close()
    other = group_from_process_group(threads=1, timeout=30)
    assert other is not group and not other.closed
    assert sum_of_ranks(other) == everyone
    other.close()
    return everyone


def test_default_process_group(run_all):
    everyone = run_all(default_group)
    assert everyone == [2 ** len(everyone) - 1] * len(everyone)


def test_tcp_store(rank_pool):
    assert rank_pool.run(2, default_group, tcp=True) == [3, 3]


def sub_groups(world, rank):
    odd, even = dist.new_group([1, 3]), dist.new_group([0, 2])
    whole, again = group_from_process_group(), dist.new_group(list(range(world)))
    mine = group_from_process_group(odd if rank % 2 else even)
    twin = group_from_process_group(again)
    assert (mine.rank, mine.world_size) == (rank // 2, 2)
    assert len({whole.name, mine.name, twin.name}) == 3 and twin is not whole
    # Interleaved, so that groups that shared anything would mix up their sums.
    sums = [sum_of_ranks(group) for group in (whole, mine, twin, mine, whole)]
    with pytest.raises(ValueError, match="pg does not contain this process"):
        group_from_process_group(even if rank % 2 else odd)
    for group in (whole, mine, twin):
        group.close()
    return sums


def test_sub_groups_and_several_groups(run):
    whole, even, odd = 0b1111, 0b0101, 0b1010
    for rank, sums in enumerate(run(4, sub_groups)):
        mine = odd if rank % 2 else even
        assert sums == [whole, mine, whole, mine, whole]


def names(world, rank, length):
    pg = dist.new_group(list(range(world)))
    pg_name = pg.group_name
    pg._set_group_name("\u00e9" + "x" * length)
    group = group_from_process_group(pg)
    assert len(group.name) <= 127 and group.name.isascii()
    taken = group.name
    group.close()
    # The name that the next group would get. A user's own group of one rank has it already.
    with mmarn.Group(name=re.sub(r"1$", "2", taken)):
        other = group_from_process_group(pg)
        result = (taken, other.name, sum_of_ranks(other))
    other.close()
    pg._set_group_name(pg_name)
    return result


def test_names(run):
    for length in (3, 300):
        (first, second, total), other = run(2, names, length)
        assert (first, second, total) == other, "names are the same on all ranks"
        assert first != second and total == 3


def absent_rank(world, rank, absent):
    pg = dist.new_group([0, 1])
    if rank == absent:
        return None
    with pytest.raises(TimeoutError) as caught:
        group_from_process_group(pg, timeout=1.0)
    return str(caught.value)


@pytest.mark.parametrize("absent", [0, 1])
def test_a_rank_that_does_not_come(run, absent):
    sentence = run(2, absent_rank, absent)[1 - absent]
    assert ("rank 0 of the process group drew no id within 1 s" in sentence) if absent == 0 else ("1" in sentence)


def after_destruction(world, rank):
    pg = dist.new_group(list(range(world)))
    group = group_from_process_group(pg)
    dist.destroy_process_group(pg)
    total = sum_of_ranks(group)  # the group does not need the process group any more
    assert group_from_process_group(pg) is group
    group.close()
    with pytest.raises(ValueError, match="pg has been destroyed"):
        group_from_process_group(pg)
    return total


def test_destroyed_process_group(run):
    assert run(2, after_destruction) == [3, 3]


def timeout_of_the_process_group(world, rank):
    group = group_from_process_group(dist.new_group([0, 1], timeout=datetime.timedelta(hours=1)))
    group.close()
    bad = dist.new_group([0, 1])
    with pytest.raises(ValueError, match="timeout"):
        group_from_process_group(bad, timeout=-1.0)
    return True


def test_timeouts(run):
    assert run(2, timeout_of_the_process_group) == [True, True]


def test_refusals_without_a_process_group():
    with pytest.raises(ValueError, match="there is no default process group"):
        group_from_process_group()
    with pytest.raises(TypeError, match="pg is a str, not a torch"):
        group_from_process_group("world")


def test_mmarn_itself_does_not_import_torch():
    program = "import sys, mmarn; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode == 0
