# SPDX-License-Identifier: MIT
"""What importing mmarn.ascend changes: import paths, torch's spare device type under the name npu, tensor methods.

Everything here happens once per process. Nothing is installed under the names torch_npu and mindspeed: the folder
names/ goes onto sys.path, which multiprocessing hands to the processes that it spawns. Where a real torch_npu or
mindspeed can be imported, all of it is refused, because mixing the two would change results without a word.
"""

import importlib.machinery
import os
import pathlib
import sys
from typing import Any

import torch

from mmarn.ascend import backend, npu, operators, rewrite

NAMES = str(pathlib.Path(__file__).parent / "names")
REWRITE_VARIABLE = "MMARN_ASCEND_REWRITE"

_enabled = False


def enable() -> None:
    """Makes the names available; does nothing the second time.

    Raises ImportError, with one sentence, where the real torch_npu or mindspeed is installed, and where another
    package has already taken torch's spare device type under another name.
    """
    global _enabled
    if _enabled:
        return
    refuse_real_packages()
    _name_the_device()
    _add_methods()
    backend.register()
    operators.define()
    if NAMES not in sys.path:
        sys.path.insert(1, NAMES)  # behind the script's own folder
    if os.environ.get(REWRITE_VARIABLE, "0") not in ("", "0"):
        rewrite.start()
    _enabled = True


def refuse_real_packages() -> None:
    """Raises ImportError if a torch_npu or mindspeed other than the ones in names/ is loaded or can be found."""
    for name in ("torch_npu", "mindspeed"):
        loaded = getattr(sys.modules.get(name), "__file__", None)
        spec = importlib.machinery.PathFinder.find_spec(name, [path for path in sys.path if path != NAMES])
        origin = loaded if loaded and not loaded.startswith(NAMES) else spec and spec.origin
        if origin:
            raise ImportError(f"mmarn.ascend stands in for {name}, but a real {name} is installed at {origin}: "
                              "use that one, or a Python environment without it", name=name)


def _name_the_device() -> None:
    """Lets torch.device('npu') parse, and gives torch the modules and hooks that it asks of a device type."""
    try:
        torch.utils.rename_privateuse1_backend("npu")
    except RuntimeError as error:
        raise ImportError(f"mmarn.ascend needs torch's spare device type under the name npu, but: {error}") from None
    if not hasattr(torch, "npu"):
        torch._register_device_module("npu", npu)
    hooks = getattr(torch._C, "_acc", None)
    if hooks is None:  # older releases of torch have no such hooks, and no barrier that needs them
        return

    class Hooks(hooks.PrivateUse1Hooks):
        """Reports no accelerator to torch's C++ side, which then takes the CPU, where the tensors are."""

        def is_available(self) -> bool:
            return False

        def is_built(self) -> bool:
            return False

        def has_primary_context(self, device: int) -> bool:
            return False

    class Guard(hooks.DeviceGuard):
        """Names the device type that the hooks belong to."""

        def type_(self) -> Any:
            return torch._C._autograd.DeviceType.PrivateUse1

    hooks.register_python_privateuseone_hook(Hooks())
    hooks.register_python_privateuseone_device_guard(Guard())


def _tensor_npu(self: torch.Tensor, device: Any = None, non_blocking: bool = False,
                memory_format: torch.memory_format = torch.preserve_format) -> torch.Tensor:
    """A copy, as moving a tensor to a device makes one: writing to it leaves the original alone."""
    return self.clone(memory_format=memory_format)


def _module_npu(self: torch.nn.Module, device: Any = None) -> torch.nn.Module:
    """The module itself: its parameters are where they are used."""
    return self


def _tensor_pin_memory(self: torch.Tensor, device: Any = None) -> torch.Tensor:
    """The tensor itself: pinning helps copies to a device, and there are none."""
    return self


def _add_methods() -> None:
    torch.Tensor.npu = _tensor_npu
    # torch.compile looks this up for every device type. All tensors are where the stand-ins compute.
    torch.Tensor.is_npu = property(lambda self: True)
    torch.nn.Module.npu = _module_npu
    torch.Tensor.pin_memory = _tensor_pin_memory
