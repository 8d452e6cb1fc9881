# SPDX-License-Identifier: MIT
"""torch_npu.npu, which is also torch.npu: queries about devices that are really this machine's processors.

Every rank may choose a device number, as it would on a machine with that many NPUs, and nothing depends on it. Work is
finished when a call returns, so there is nothing to synchronise; streams.py has streams and events. There is no
generator of random numbers of its own: torch.manual_seed is what counts.
"""

import os
import types
from typing import Any

import torch

from mmarn.ascend.streams import Event, Stream, current_stream, default_stream, set_stream, stream  # noqa: F401

DEVICES_VARIABLE = "MMARN_ASCEND_DEVICES"
DEVICES_DEFAULT = 8  # the NPUs of one 910B node
DEVICE_NAME = "Ascend910B (mmarn on the CPU)"

_current = 0


def device_count() -> int:
    """How many devices there are said to be: the variable MMARN_ASCEND_DEVICES, or 8."""
    text = os.environ.get(DEVICES_VARIABLE, str(DEVICES_DEFAULT))
    if not text.isdecimal() or int(text) < 1:
        raise RuntimeError(f"{DEVICES_VARIABLE} is {text!r}; it must be a number above 0")
    return int(text)


def _index(device: Any) -> int:
    """The number in 3, 'npu:3' or torch.device('npu:3'); the current device for None and for 'npu'."""
    if isinstance(device, str):
        device = torch.device(device)
    index = device.index if isinstance(device, torch.device) else device
    if isinstance(device, torch.device) and device.type != "npu":
        raise ValueError(f"device is {device}; it must be an npu")
    index = _current if index is None else int(index)
    if not 0 <= index < device_count():
        raise RuntimeError(f"device is {index} but there are {device_count()}; {DEVICES_VARIABLE} sets their number")
    return index


def set_device(device: Any) -> None:
    """Makes a device (a number, 'npu:1' or torch.device) the current one; nothing but current_device sees it."""
    global _current
    _current = _index(device)


def current_device() -> int:
    """The number that set_device was given last, at first 0."""
    return _current


class device:
    """Context manager: the given device is the current one inside."""

    def __init__(self, device: Any) -> None:
        self.index = _index(device)

    def __enter__(self) -> None:
        self.previous = current_device()
        set_device(self.index)

    def __exit__(self, *exception: object) -> None:
        set_device(self.previous)


def is_available() -> bool:
    return True


def is_initialized() -> bool:
    return True


def init() -> None:
    """Nothing has to be initialised."""


def synchronize(device: Any = None) -> None:
    """Checks the device; nothing is ever pending."""
    _index(device)


def get_device_name(device: Any = None) -> str:
    """A name that begins as the supported NPU's does, and says what is behind it."""
    _index(device)
    return DEVICE_NAME


def get_device_properties(device: Any = None) -> types.SimpleNamespace:
    """name, and total_memory in bytes: this machine's."""
    return types.SimpleNamespace(name=get_device_name(device), total_memory=mem_get_info()[1])


def mem_get_info(device: Any = None) -> tuple[int, int]:
    """(free, total) bytes of this machine's memory."""
    _index(device)
    page = os.sysconf("SC_PAGE_SIZE")
    return page * os.sysconf("SC_AVPHYS_PAGES"), page * os.sysconf("SC_PHYS_PAGES")


def empty_cache() -> None:
    """There is no cache of device memory."""


def is_bf16_supported() -> bool:
    return True


def get_amp_supported_dtype() -> list[torch.dtype]:
    return [torch.float16, torch.bfloat16]


# torch calls the next ones by itself, for any device type that has a module.


def manual_seed(seed: int) -> None:
    """Does nothing. torch.manual_seed calls it, so it must not call that."""


def manual_seed_all(seed: int) -> None:
    """Does nothing, as manual_seed."""


def get_rng_state(device: Any = "npu") -> torch.Tensor:
    """The state of the CPU's generator, the only one."""
    _index(device)
    return torch.get_rng_state()


def set_rng_state(new_state: torch.Tensor, device: Any = "npu") -> None:
    _index(device)
    torch.set_rng_state(new_state)


def _is_in_bad_fork() -> bool:
    return False
