# SPDX-License-Identifier: MIT
"""Process groups under torchrun (init_method env://): names, sub-groups, collectives, a second life.

2 ranks. With TORCH_DISTRIBUTED_DEBUG=DETAIL torch wraps every backend; the same must hold.
"""

import gc
import os

import torch
import torch.distributed as dist
from mindspeed.ops.npu_mm_all_reduce_add_rms_norm import npu_mm_all_reduce_add_rms_norm

import mmarn


def name_of(group: dist.ProcessGroup) -> str:
    gc.collect()  # the backend's Python half must survive: torch keeps only the C++ half
    return group._get_backend(torch.device("npu")).get_hccl_comm_name(dist.get_rank())


def check_sum(hcom: str, ranks: int) -> None:
    """Ones everywhere: mm_out is k times the number of ranks, so that number can be read off y."""
    k, n = 32, 16
    ones = {"x1": torch.ones(2, k), "x2": torch.ones(k, n), "residual": torch.zeros(1, 2, n), "gamma": torch.ones(n)}
    y, _ = npu_mm_all_reduce_add_rms_norm(**{name: t.bfloat16() for name, t in ones.items()}, hcom=hcom)
    assert torch.equal(y, torch.full((1, 2, n), float(k * ranks)).bfloat16()), y


def use(rank: int) -> str:
    world = dist.group.WORLD
    backend = world._get_backend(torch.device("npu"))
    assert backend.get_hccl_comm_name(rank, init_comm=False) == ""
    hcom = name_of(world)
    assert hcom == name_of(world) == backend.get_hccl_comm_name(rank, init_comm=False)
    names = [None, None]
    dist.all_gather_object(names, hcom)
    assert names[0] == names[1] and mmarn.find_group(hcom).world_size == 2
    check_sum(hcom, 2)
    dist.barrier()
    both, alone = dist.new_group([0, 1]), [dist.new_group([0]), dist.new_group([1])]
    inner = name_of(both), name_of(alone[rank])
    assert len({hcom, *inner}) == 3, "every group has a name of its own"
    check_sum(inner[1], 1)
    check_sum(inner[0], 2)
    total = torch.tensor([float(rank + 1)]).npu()
    dist.all_reduce(total, group=both)
    assert total.item() == 3
    dist.destroy_process_group(both)
    check_sum(hcom, 2)
    check_sum(inner[1], 1)
    try:
        check_sum(inner[0], 2)
    except RuntimeError as error:
        assert "no group of that name" in str(error), error
    else:
        raise AssertionError("the destroyed group can still be used")
    return hcom


def main() -> None:
    rank = int(os.environ["RANK"])
    torch.npu.set_device(rank)
    hcoms = []
    lives = 1 if os.environ["TORCH_DISTRIBUTED_DEBUG"] == "DETAIL" else 2  # torch's wrapper itself allows only one
    for _ in range(lives):  # torchrun's store outlives the first process group
        dist.init_process_group("hccl")
        hcoms.append(use(rank))
        dist.destroy_process_group()
        try:
            mmarn.find_group(hcoms[-1])
        except ValueError:
            continue
        raise AssertionError("destroy_process_group left the group open")
    assert len(set(hcoms)) == lives
    print(f"rank {rank}: groups are right")


if __name__ == "__main__":
    main()
