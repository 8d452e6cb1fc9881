# SPDX-License-Identifier: MIT
"""A residual stream in float32 beside 16-bit x1 and x2, and gamma in float32: values, shapes for compilers, gradients."""

import pytest
import torch
from torch import nn
from torch.library import opcheck

import mmarn
from mmarn import _torch_effects as effects
from mmarn.torch import RowParallelLinearAddRMSNorm, packed
from torch_cases import EPSILON, add_rms_norm, assert_near, make_case

ops = torch.ops.mmarn
HALVES = [torch.bfloat16, torch.float16]


@pytest.fixture(autouse=True)
def group():
    with mmarn.Group(name="wide") as group:
        yield group


@pytest.fixture
def operands(seed):
    """x1, x2, residual, gamma in float32."""
    case = make_case(seed, 1)
    return case.x1[0], case.x2[0], case.residual, case.gamma


def mixed(operands, half):
    x1, x2, residual, gamma = operands
    return x1.to(half), x2.to(half), residual, gamma


@pytest.mark.parametrize("half", HALVES)
def test_all_forms(operands, half):
    x1, x2, residual, gamma = mixed(operands, half)
    right = add_rms_norm(x1.double() @ x2.double(), residual.double(), gamma.double())
    stream, slot = residual.clone(), packed.PackedWeights()
    module = RowParallelLinearAddRMSNorm(20, 36, group="wide", eps=EPSILON, dtype=half).eval()
    module.gamma = nn.Parameter(gamma)
    with torch.no_grad():
        module.weight.copy_(x2.t())
        outputs = [
            ops.mm_all_reduce_add_rms_norm(x1, x2, residual, gamma, "wide", epsilon=EPSILON),
            (stream, ops.mm_all_reduce_add_rms_norm_(x1, x2, stream, gamma, "wide", epsilon=EPSILON)),
            ops.packed_mm_all_reduce_add_rms_norm(x1, x2.t().contiguous(), residual, gamma, "wide", slot.number,
                                                  epsilon=EPSILON),
            ops.all_reduce_add_rms_norm((x1.float() @ x2.float()).to(half), residual, gamma, "wide", epsilon=EPSILON),
            module(x1, residual),
        ]
    for y, norm_out in outputs:
        assert (y.dtype, norm_out.dtype) == (torch.float32, half)
        assert_near(y, right[0], half)
        assert_near(norm_out, right[1], half)
    assert all(torch.equal(y, outputs[0][0]) and torch.equal(norm_out, outputs[0][1]) for y, norm_out in outputs[1:3])


def test_shapes_for_compilers(operands, group):
    x1, x2, residual, gamma = mixed(operands, torch.bfloat16)
    meta = [tensor.to("meta") for tensor in (x1, x2, residual, gamma)]
    forms = [(ops.mm_all_reduce_add_rms_norm, meta), (ops.all_reduce_add_rms_norm, [meta[2].bfloat16(), *meta[2:]])]
    for form, tensors in forms:
        assert [tensor.dtype for tensor in form(*tensors, "wide")] == [torch.float32, torch.bfloat16]
    integers = [meta[0].to(torch.int8), meta[1].to(torch.int8)]
    for scale, its, norm in (("int64", "float32", "float16"), ("bfloat16", "float32", "bfloat16"),
                             ("float32", "bfloat16", "bfloat16"), ("float32", "float32", "float32")):
        scales, weights = (meta[3].to(getattr(torch, name)) for name in (scale, its))
        _, norm_out = ops.mm_all_reduce_add_rms_norm(*integers, meta[2], weights, "wide", dequant_scale=scales)
        assert norm_out.dtype == getattr(torch, norm)
    if effects.CAN_COMPILE:
        opcheck(ops.mm_all_reduce_add_rms_norm.default, (x1, x2, residual, gamma, "wide"))
        opcheck(ops.all_reduce_add_rms_norm.default, (residual.bfloat16(), residual, gamma, "wide"))


def test_gradients(operands):
    """Each in its tensor's own dtype; norm_out's gradient is 16 bits, y's is not."""
    leaves = [tensor.detach().requires_grad_() for tensor in mixed(operands, torch.bfloat16)]
    exact = [leaf.detach().double().requires_grad_() for leaf in leaves]
    y, norm_out = ops.mm_all_reduce_add_rms_norm(*leaves, "wide", epsilon=EPSILON)
    right = add_rms_norm(exact[0] @ exact[1], *exact[2:])
    for outputs in ((y, norm_out), right):
        (outputs[0].double().sum() + outputs[1].double().square().sum()).backward()
    for leaf, its in zip(leaves, exact, strict=True):
        assert leaf.grad.dtype == leaf.dtype
        assert_near(leaf.grad, its.grad, torch.bfloat16)
    x, residual = y.detach().bfloat16().requires_grad_(), y.detach().requires_grad_()
    outputs = ops.all_reduce_add_rms_norm(x, residual, leaves[3], "wide")
    (outputs[0].sum() + outputs[1].float().sum()).backward()
    assert (x.grad.dtype, residual.grad.dtype) == (torch.bfloat16, torch.float32)
    assert torch.equal(x.grad, residual.grad.bfloat16())
