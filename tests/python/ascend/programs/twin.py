# SPDX-License-Identifier: MIT
"""A program for Ascend NPUs as a user would write it: 4 ranks, one fused layer end, results printed. Argument: port."""

import sys

import torch
import torch_npu
from mindspeed.ops.npu_mm_all_reduce_add_rms_norm import npu_mm_all_reduce_add_rms_norm

RANKS, B, S, K, N = 4, 2, 64, 256, 512


def layer_end(rank: int, port: str) -> None:
    torch_npu.npu.set_device(rank)
    torch.distributed.init_process_group(backend="hccl", rank=rank, world_size=RANKS,
                                         init_method="tcp://127.0.0.1:" + port)
    group = torch.distributed.distributed_c10d._get_default_group()
    hcom = group._get_backend(torch.device("npu")).get_hccl_comm_name(rank)
    x1 = torch.randn(B, S, K, dtype=torch.float16).npu()
    x2 = torch.randn(K, N, dtype=torch.float16).npu()
    residual = torch.randn(B, S, N, dtype=torch.float16).npu()
    gamma = torch.randn(N, dtype=torch.float16).npu()
    y, norm_out = npu_mm_all_reduce_add_rms_norm(x1=x1, x2=x2, residual=residual, gamma=gamma, hcom=hcom,
                                                 reduce_op="sum", epsilon=1e-6)
    print("y:", y)
    print("norm_out:", norm_out)


if __name__ == "__main__":
    torch.multiprocessing.spawn(layer_end, args=(sys.argv[1],), nprocs=RANKS)
