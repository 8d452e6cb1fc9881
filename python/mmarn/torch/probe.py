# SPDX-License-Identifier: MIT
"""Tries a module that somebody else has written: a copy of it is called with data of ours.

The copy lives on the CPU, has its floating-point tensors in one dtype, and keeps their values or gets random ones: a
weight that is still ones, zeros or without data hides what it does. The given module, torch's random numbers, default
device and modes stay as they are; hooks are a part of what a module computes, so the copy calls them too.
"""

from __future__ import annotations

import contextlib
import copy
import itertools
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, unset_fake_temporarily


class Misfit(Exception):
    """The module is not what it was taken for; the text says in what it differs, as "it ..."."""


@contextlib.contextmanager
def apart() -> Iterator[None]:
    """Inside, calls leave torch's random numbers alone, and its modes and default device leave the calls alone."""
    with unset_fake_temporarily(), torch.device("cpu"), torch.autocast("cpu", enabled=False), torch.no_grad():
        with torch.random.fork_rng(devices=[]):
            yield


def generator(seed: int) -> torch.Generator:
    return torch.Generator("cpu").manual_seed(seed)


def checked(module: nn.Module, name: str) -> nn.Module:
    """The module, or the one that torch.compile has wrapped. Errors: TypeError, if it is none that can be tried."""
    module = getattr(module, "_orig_mod", module)
    if not isinstance(module, nn.Module):
        raise TypeError(f"{name} is {type(module).__name__}, but must be a torch.nn.Module")
    if any(isinstance(tensor, nn.parameter.UninitializedTensorMixin) for _, tensor in tensors(module)):
        raise TypeError(f"{name} is {type(module).__name__}, whose parameters have no shape yet: call it once before")
    return module


def tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """(name, tensor) of all that the module and its parts hold, whether registered or not."""
    for prefix, part in module.named_modules():
        for name, value in itertools.chain(part._parameters.items(), part._buffers.items(), vars(part).items()):
            if isinstance(value, Tensor):
                yield f"{prefix}.{name}" if prefix else name, value


def on_one_device(given: dict[str, Tensor | None]) -> None:
    """Errors: ValueError, if some of the tensors, by name, are on the meta device and others are not."""
    devices = {name: tensor.device.type for name, tensor in given.items() if tensor is not None}
    (first, device), *others = devices.items()
    for other, its in others:
        if (device == "meta") != (its == "meta"):
            raise ValueError(f"{first} is on {device} but {other} is on {its}")


def lacks_data(tensor: Tensor) -> bool:
    return tensor.is_meta or isinstance(tensor, FakeTensor)


def has_data(module: nn.Module) -> bool:
    return not any(lacks_data(tensor) for _, tensor in tensors(module))


def attribute(module: nn.Module, path: str) -> object:
    """What the dotted path leads to; of a parametrised weight the value that it has now."""
    for name in path.split("."):
        module = getattr(module, name)
    return module


def stand_in(module: nn.Module, dtype: torch.dtype, random: torch.Generator | None = None) -> nn.Module:
    """The copy. With random, parameters, and other tensors of several numbers, get normally distributed values.

    Tensors of one number that are no parameters keep theirs, because they are constants such as an epsilon.
    Errors: Misfit.
    """
    values = {}
    for _, tensor in tensors(module):
        if id(tensor) not in values:
            learnt = isinstance(tensor, nn.Parameter)
            value = _value(tensor.detach(), dtype, random if learnt or tensor.numel() > 1 else None)
            values[id(tensor)] = nn.Parameter(value, False) if learnt else value
    try:
        copied = copy.deepcopy(module, dict(values))  # which takes these for copies of the tensors that it has made
    except Exception as error:
        raise Misfit(f"it cannot be copied to be tried ({_summary(error)})") from error
    ours = {id(value) for value in values.values()}
    if any(id(tensor) not in ours for _, tensor in tensors(copied)):
        raise Misfit("it cannot be copied to be tried, as its tensors are not Python's")
    return copied


def _value(tensor: Tensor, dtype: torch.dtype, random: torch.Generator | None) -> Tensor:
    if random is not None and tensor.is_floating_point():
        return torch.randn(tensor.shape, generator=random, dtype=torch.float32).to(dtype)
    if tensor.is_floating_point():
        tensor = tensor.to(dtype)
    return torch.zeros(tensor.shape, dtype=tensor.dtype) if lacks_data(tensor) else tensor.to("cpu", copy=True)


def _summary(error: Exception) -> str:
    """In one line."""
    return ": ".join([type(error).__name__, *str(error).strip().splitlines()[:1]])


def call(module: nn.Module, x: Tensor, features: int) -> Tensor:
    """module(x), which must be x's shape with that many features. Errors: Misfit."""
    given = x.clone()
    try:
        out = module(given)
    except Exception as error:
        raise Misfit(f"it cannot be called with one tensor of shape {tuple(x.shape)} ({_summary(error)})") from error
    if not isinstance(out, Tensor):
        raise Misfit(f"it returns a {type(out).__name__} and not one tensor")
    wanted = (*x.shape[:-1], features)
    if out.shape != wanted:
        raise Misfit(f"its output is {tuple(out.shape)} and not {wanted}")
    if not out.is_floating_point():
        raise Misfit(f"it returns {out.dtype}")
    if not torch.equal(given, x):
        raise Misfit("it writes into its input")
    if not has_data(module):
        raise Misfit("its tensors are offloaded: put them back before")
    return out


def near(found: Tensor, wanted: Tensor, tolerance: float) -> bool:
    """Whether each number has at most that relative error; NaN and infinity fit themselves only.

    Both are widened to fp64; wanted is taken through fp32 first, so that it overflows where fp32 does. Below the
    smallest normal number of found's dtype errors are relative to that.
    """
    smallest = torch.finfo(found.dtype).tiny
    return torch.allclose(found.double(), wanted.float().double(), rtol=tolerance, atol=tolerance * smallest,
                          equal_nan=True)


def check_current(copied: Tensor, given: Tensor, name: str) -> None:
    """Errors: Misfit, if a copy's call made another tensor than given, which the module holds: hooks may do that."""
    if not near(copied.reshape(given.shape), given.to("cpu"), 4 * torch.finfo(given.dtype).eps):
        raise Misfit(f"its {name} is not the one that its next call makes: call it once before")
