# SPDX-License-Identifier: MIT
"""What is refused, in one sentence, by where tensors lie, meta beside CPU, and by shapes. Other ranks hear of it.

What else torch attaches to tensors is in native/test_gate.py, for every door.
"""

import pytest
import torch
from torch import nn
from torch._subclasses import FakeTensorMode
from torch.autograd import forward_ad

import mmarn
from mmarn.torch import RowParallelLinearAddRMSNorm, group_from_process_group, packed
from torch_cases import make_case

ops = torch.ops.mmarn


@pytest.fixture(autouse=True)
def group():
    with mmarn.Group(name="gate") as group:
        yield group


@pytest.fixture
def calls(seed):
    """Every operator's name -> its tensors; all else is left to its default."""
    case = make_case(seed, 1)
    x1, x2, residual, gamma, bias = case.x1[0], case.x2[0], case.residual, case.gamma, case.bias[0]
    whole = {"x1": x1, "x2": x2, "residual": residual, "gamma": gamma, "bias": bias}
    kept = {"x1": x1, "weight": x2.t().contiguous(), "residual": residual, "gamma": gamma, "bias": bias,
            "pack": packed.PackedWeights().number}
    return {
        "mm_all_reduce_add_rms_norm": whole,
        "mm_all_reduce_add_rms_norm_": whole,
        "packed_mm_all_reduce_add_rms_norm": kept,
        "all_reduce_add_rms_norm": {"x": residual + 1, "residual": residual, "gamma": gamma},
        "all_reduce": {"x": residual},
    }


HAVE_GRADIENTS = ("mm_all_reduce_add_rms_norm", "all_reduce_add_rms_norm")


def refused(error, sentence, name, tensors):
    before = {argument: tensor.detach().clone() for argument, tensor in tensors.items()}
    with pytest.raises(error, match=sentence) as caught:
        getattr(ops, name)(**tensors, group="gate")
    assert "\n" not in str(caught.value)
    assert all(tensors[argument].is_meta or torch.equal(tensors[argument], value) for argument, value in before.items())


@pytest.mark.parametrize("grad", [True, False])
def test_meta_beside_cpu(calls, grad):
    for name, tensors in calls.items():
        for left in tensors if len(tensors) > 1 else ():
            for one, rest in (("meta", "cpu"), ("cpu", "meta")):
                mixed = {other: t.to(one if other == left else rest) for other, t in tensors.items()}
                if grad and name in HAVE_GRADIENTS:
                    mixed = {argument: t.detach().requires_grad_() for argument, t in mixed.items()}
                sentence = f"^{left} is on meta, but .* is on cpu" if one == "meta" else f"meta, but {left} is on cpu"
                refused(RuntimeError, sentence, name, mixed)


def refused_on_rank_1(world, rank, seed):
    """Rank 0 hears of it while it waits in the same call, and the group goes on."""
    group = group_from_process_group(timeout=60)
    case = make_case(seed, world)
    module = RowParallelLinearAddRMSNorm(20, 36, group=group)
    x1, x2, residual, gamma = case.x1[rank], case.x2[rank], case.residual, case.gamma

    def tangent():
        with forward_ad.dual_level():
            return ops.all_reduce(forward_ad.make_dual(x1, x1), group.name)

    def on_meta():
        module.gamma = nn.Parameter(module.gamma.to("meta"))
        return module(x1, residual)

    # What rank 1 does, and its error; then the good call that rank 0 is in.
    for bad, error, good in (
        (lambda: ops.mm_all_reduce_add_rms_norm(x1, x2, residual, gamma.to("meta"), group.name), RuntimeError,
         lambda: ops.mm_all_reduce_add_rms_norm(x1, x2, residual, gamma, group.name)),
        (lambda: ops.all_reduce(x1.flatten(0, 1).to_sparse(), group.name), TypeError,
         lambda: ops.all_reduce(x1, group.name)),
        (tangent, TypeError, lambda: ops.all_reduce(x1, group.name)),
        (on_meta, RuntimeError, lambda: module(x1, residual)),
    ):
        with pytest.raises(error if rank else ValueError, match="" if rank else "rank 1 refused"):
            (bad if rank else good)()
        assert float(ops.all_reduce(torch.ones(1), group.name)) == world


def test_other_ranks_hear_of_it(run, seed):
    run(2, refused_on_rank_1, seed)


@pytest.mark.parametrize("device", ["meta", "fake"])
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"x2": (30, 36)}, r"x2 is \(30, 36\) but x1's last axis is 20"),
        ({"x2": (20,)}, "x2 has 1 axes; it must have 2$"),
        ({"x1": (1, 2, 3, 20)}, "x1 has 4 axes; it must have 2 to 3"),
        ({"gamma": (35,)}, r"gamma is \(35,\) but x2's last axis is 36"),
        ({"gamma": (1, 36)}, "gamma has 2 axes; it must have 1$"),
        ({"bias": (37,)}, r"bias is \(37,\) but x2's last axis is 36"),
        ({"residual": (2, 3, 35)}, r"residual is \(2, 3, 35\) but x2's last axis is 36"),
        ({"residual": (2, 4, 36)}, r"residual is \(2, 4, 36\), which has 8 rows, but x1 is \(2, 3, 20\), which has 6"),
    ],
)
def test_shapes_that_cannot_be(device, change, sentence):
    """The same sentences as for tensors of the CPU."""
    shapes = {"x1": (2, 3, 20), "x2": (20, 36), "residual": (2, 3, 36), "gamma": (36,), "bias": (36,)} | change
    with pytest.raises(ValueError, match=sentence):
        ops.mm_all_reduce_add_rms_norm(**{name: torch.ones(shape) for name, shape in shapes.items()}, group="gate")
    with torch.device("meta") if device == "meta" else FakeTensorMode():
        tensors = {name: torch.ones(shape) for name, shape in shapes.items()}
        for name in ("mm_all_reduce_add_rms_norm", "mm_all_reduce_add_rms_norm_"):
            with pytest.raises(ValueError, match=sentence):
                getattr(ops, name)(**tensors, group="gate")
