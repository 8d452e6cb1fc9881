# SPDX-License-Identifier: MIT
"""What torch_npu.contrib.transfer_to_npu changes: programs written for CUDA use the stand-ins for NPUs instead.

torch.cuda's functions become those of torch.npu, .cuda() becomes .npu(), and the process-group backend nccl becomes
hccl. With the rewriting of devices on (rewrite.py), device='cuda:0' means the CPU as well.
"""

import functools
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed import distributed_c10d

from mmarn.ascend import npu, rewrite

FUNCTIONS = [
    "Event", "Stream", "current_device", "current_stream", "default_stream", "device", "device_count", "empty_cache",
    "get_device_name", "get_device_properties", "get_rng_state", "init", "is_available", "is_bf16_supported",
    "is_initialized", "manual_seed", "manual_seed_all", "mem_get_info", "set_device", "set_rng_state", "set_stream",
    "stream", "synchronize",
]


def _with_hccl(make: Callable[..., Any]) -> Callable[..., Any]:
    """make with its argument backend translated. init_process_group takes it first, new_group by name or third."""

    @functools.wraps(make)
    def made(*args: Any, **kwargs: Any) -> Any:
        args = tuple(_translated(value) for value in args)
        if "backend" in kwargs:
            kwargs["backend"] = _translated(kwargs["backend"])
        return make(*args, **kwargs)

    return made


def _translated(value: Any) -> Any:
    return value.replace("cuda:nccl", "npu:hccl").replace("nccl", "hccl") if isinstance(value, str) else value


def enable() -> None:
    """Makes the changes; does nothing the second time."""
    if torch.cuda.device_count is npu.device_count:
        return
    for name in FUNCTIONS:
        setattr(torch.cuda, name, getattr(npu, name))
    torch.Tensor.cuda = torch.Tensor.npu
    torch.nn.Module.cuda = torch.nn.Module.npu
    for name in ("init_process_group", "new_group"):
        made = _with_hccl(getattr(distributed_c10d, name))
        setattr(distributed_c10d, name, made)
        setattr(dist, name, made)
    if rewrite.active():
        rewrite.start(cuda=True)
