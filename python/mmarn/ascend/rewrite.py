# SPDX-License-Identifier: MIT
"""The opt-in mode in which device='npu:0' and .to('npu') mean the CPU.

Without it such a call fails in torch, since there is no memory behind the device type npu. The mode is a
TorchFunctionMode, so it holds for the thread that starts it only.
"""

import re
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

DEVICE = re.compile(r"npu(:\d+)?")
DEVICE_OR_CUDA = re.compile(r"(npu|cuda)(:\d+)?")

_mode: "RewriteDevices | None" = None


class RewriteDevices(TorchFunctionMode):
    """Replaces devices in the arguments of torch functions; moving a tensor copies it, as to a real device."""

    pattern = DEVICE

    def _rewritten(self, value: Any) -> Any:
        if isinstance(value, (str, torch.device)) and self.pattern.fullmatch(str(value)):
            return type(value)("cpu")
        return value

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is torch.device:  # naming a device is not using it
            return func(*args, **kwargs)
        cpu_args = [self._rewritten(value) for value in args]
        cpu_kwargs = {name: self._rewritten(value) for name, value in kwargs.items()}
        given = [*args, *kwargs.values()]
        moved = any(value is not old for value, old in zip([*cpu_args, *cpu_kwargs.values()], given, strict=True))
        if moved and func is torch.Tensor.to and len(args) < 5:
            cpu_kwargs["copy"] = True
        return func(*cpu_args, **cpu_kwargs)


def start(cuda: bool = False) -> None:
    """Starts the mode in the calling thread, for good. With cuda it rewrites cuda devices as well."""
    global _mode
    if _mode is None:
        _mode = RewriteDevices()
        _mode.__enter__()
    if cuda:
        _mode.pattern = DEVICE_OR_CUDA


def active() -> bool:
    return _mode is not None
