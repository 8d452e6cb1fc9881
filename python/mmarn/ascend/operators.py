# SPDX-License-Identifier: MIT
"""torch.ops.mindspeed: npu_mm_all_reduce_add_rms_norm and its in-place sister, with MindSpeed's schemas.

    mm_out = all_reduce_sum(x1 @ x2 + bias),  y = mm_out + residual,  norm_out = y / rms(y) * gamma

Both rest on mmarn.mm_all_reduce_add_rms_norm in its strict mode (what CANN refuses is refused) and with the rounding of
numerics='ascend'. Unlike the original, the in-place operator's schema says that it writes to residual.
"""

from typing import Any

import torch

import mmarn
from mmarn import _torch_effects as effects
from mmarn import _torch_gate as gate
from mmarn.ascend import calls, checks

NAME = "npu_mm_all_reduce_add_rms_norm"
ARGUMENTS = ("(Tensor x1, Tensor x2, Tensor{mutated} residual, Tensor gamma, str hcom, *, str reduce_op='sum', "
             "float epsilon=1e-06, Tensor? bias=None, Tensor? antiquant_scale=None, Tensor? antiquant_offset=None, "
             "Tensor? dequant_scale=None, int antiquant_group_size=0, int comm_turn=0)")
SCHEMAS = {
    NAME: ARGUMENTS.format(mutated="") + " -> (Tensor, Tensor)",
    NAME + "_": ARGUMENTS.format(mutated="(a!)") + " -> (Tensor(a!), Tensor)",
    "_" + NAME + "_": ARGUMENTS.format(mutated="(a!)") + " -> Tensor",
}

_library: torch.library.Library | None = None


def define() -> None:
    """Registers the operators; the library object must live as long as they do.

    The public in-place operator is a composite around one that returns norm_out alone, because torch.compile handles
    an operator that writes to an argument, but not one that also returns it.
    """
    global _library
    _library = torch.library.Library("mindspeed", "FRAGMENT")
    for name, schema in SCHEMAS.items():
        _library.define(name + schema, **effects.definition(communicates=name == NAME))
    functional, public, writing = (getattr(torch.ops.mindspeed, name).default for name in SCHEMAS)
    _library.impl(NAME, _functional, "CPU")
    _library.impl(NAME, effects.shapes(gate.on_one_device(functional, "hcom", _functional_meta)), "Meta")
    _library.impl(NAME + "_", _in_place, "CompositeImplicitAutograd")
    _library.impl("_" + NAME + "_", _in_place_norm, "CPU")
    effects.register(_library, functional)
    effects.register_in_place(_library, writing, functional)
    for operator, kernel in ((functional, _functional), (writing, _in_place_norm)):
        gate.guard(_library, operator, kernel)
    gate.guard_transforms(_library, public, _in_place_norm)


def _with_defaults(options: dict[str, Any]) -> dict[str, Any]:
    """The keyword arguments of a call: torch passes on only those that its caller gave."""
    return {"reduce_op": "sum", "epsilon": 1e-6, "bias": None, "antiquant_scale": None, "antiquant_offset": None,
            "dequant_scale": None, "antiquant_group_size": 0, "comm_turn": 0, **options}


def _check(x1: Any, x2: Any, residual: Any, gamma: Any, options: dict[str, Any]) -> None:
    checks.check_given(x1=x1, x2=x2, residual=residual, gamma=gamma)
    checks.check_shapes(x1, x2, residual, gamma)
    checks.check_scales(x1, x2, options["antiquant_scale"], options["antiquant_offset"], options["dequant_scale"])


@torch.no_grad()
def _run(x1: torch.Tensor, x2: torch.Tensor, residual: torch.Tensor, gamma: torch.Tensor, hcom: str,
         y: torch.Tensor | None, options: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """Collective over hcom's group. Returns (y, norm_out), of residual's shape and dtype; y may be residual."""
    options = _with_defaults(options)
    group = calls.find_group(hcom)
    with calls.telling_peers(group):
        scales = {name: value for name, value in options.items() if name == "bias" or "quant_" in name}
        del scales["antiquant_group_size"]
        checks.check_tensors(x1=x1, x2=x2, residual=residual, gamma=gamma, **scales)
        _check(x1, x2, residual, gamma, options)
    with calls.as_runtime_error():
        return mmarn.mm_all_reduce_add_rms_norm(x1, x2, residual, gamma, group, numerics="ascend", strict=True, y=y,
                                                **options)


def _functional(x1: torch.Tensor, x2: torch.Tensor, residual: torch.Tensor, gamma: torch.Tensor, hcom: str,
                **options: Any) -> tuple[torch.Tensor, torch.Tensor]:
    return _run(x1, x2, residual, gamma, hcom, None, options)


def _in_place_norm(x1: torch.Tensor, x2: torch.Tensor, residual: torch.Tensor, gamma: torch.Tensor, hcom: str,
                   **options: Any) -> torch.Tensor:
    return _run(x1, x2, residual, gamma, hcom, residual, options)[1]


def _in_place(x1: torch.Tensor, x2: torch.Tensor, residual: torch.Tensor, gamma: torch.Tensor, hcom: str,
              **options: Any) -> tuple[torch.Tensor, torch.Tensor]:
    return residual, getattr(torch.ops.mindspeed, "_" + NAME + "_")(x1, x2, residual, gamma, hcom, **options)


def _functional_meta(x1: torch.Tensor, x2: torch.Tensor, residual: torch.Tensor, gamma: torch.Tensor, hcom: str,
                     **options: Any) -> tuple[torch.Tensor, torch.Tensor]:
    options = _with_defaults(options)
    _check(x1, x2, residual, gamma, options)
    checks.check_graph_dtypes(x1, x2, residual, gamma, options)
    return torch.empty_like(residual), torch.empty_like(residual)
