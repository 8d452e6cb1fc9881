# SPDX-License-Identifier: MIT
"""A program written for CUDA, run with devices rewritten: torch_npu.contrib.transfer_to_npu does the rest.

2 ranks, in spawned processes, which must rewrite devices too. Argument: port.
"""

import sys

import torch
import torch.distributed as dist
import torch_npu
from torch_npu.contrib import transfer_to_npu  # noqa: F401


def work(rank: int, port: str) -> None:
    assert torch.cuda.is_available() and torch.cuda.device_count() >= 2
    torch.cuda.set_device(rank)
    assert torch.cuda.current_device() == torch_npu.npu.current_device() == rank
    dist.init_process_group("nccl", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    assert dist.get_backend() == "hccl"
    group = dist.new_group([0, 1], backend="nccl")
    x = torch.full((4,), 1.5, device=f"cuda:{rank}") + torch.ones(4).cuda()
    dist.all_reduce(x, group=group)
    assert torch.equal(x.cpu(), torch.full((4,), 5.0))
    source = torch.ones(3)
    for moved in (source.to(f"npu:{rank}"), source.to(device="npu"), source.to("cuda", torch.float32, False)):
        moved += 1
    assert source.tolist() == [1, 1, 1] and moved.tolist() == [2, 2, 2], "moving to a device copies"
    layer = torch.nn.Linear(3, 2, device="npu:0").to(torch.device("npu", rank)).cuda()
    assert layer(torch.randn(1, 3, device="npu")).shape == (1, 2)
    assert torch.empty_like(source, device="npu").device.type == "cpu"
    dist.destroy_process_group()
    print(f"rank {rank}: runs on the CPU")


if __name__ == "__main__":
    torch.multiprocessing.spawn(work, args=(sys.argv[1],), nprocs=2)
