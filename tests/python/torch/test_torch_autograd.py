# SPDX-License-Identifier: MIT
"""Gradients against torch's own of the unfused graph in float64, finite differences, and what has no gradient.

The library has no float64, so gradcheck's fine differences are taken twice: of the formulas of autograd.py, with a
float64 forward pass in place of the library's; and, coarsely, of the operator itself in float32.
"""

import pytest
import torch

import mmarn
from mmarn.torch import group_from_process_group, packed
from mmarn.torch.autograd import add_rms_norm_backward, matmul_backward
from torch_cases import EPSILON, add_rms_norm, assert_near, make_case

ops = torch.ops.mmarn


@pytest.fixture
def alone():
    with mmarn.Group(name="alone") as group:
        yield group


def leaves(*tensors, dtype=None):
    return [t.detach().clone().to(dtype or t.dtype).requires_grad_() for t in tensors]


def loss_of(outputs, seed):
    """A loss in which every element of both outputs has a weight of its own; the same on all ranks."""
    generator = torch.Generator().manual_seed(seed + 1)
    weights = [torch.randn(out.shape, generator=generator, dtype=torch.float64) for out in outputs]
    return sum((out.double() * w).sum() for out, w in zip(outputs, weights, strict=True))


# -------------------------------------------------------------------------------- against the unfused graph


def unfused_gradients(case, rank, seed, biases):
    """The unfused graph of all ranks in one process and in float64 -> gradients of rank's own inputs."""
    x1, x2, bias = (leaves(*tensors, dtype=torch.float64) for tensors in (case.x1, case.x2, case.bias))
    residual, gamma = leaves(case.residual, case.gamma, dtype=torch.float64)
    mm_out = sum(a @ w for a, w in zip(x1, x2, strict=True)) + sum(bias[r] for r in biases)
    loss_of(add_rms_norm(mm_out, residual, gamma), seed).backward()
    grad_bias = torch.zeros_like(gamma) if bias[rank].grad is None else bias[rank].grad
    return x1[rank].grad, x2[rank].grad, residual.grad, gamma.grad, grad_bias


def check_gradients(case, rank, name, seed, bias_once):
    inputs = leaves(case.x1[rank], case.x2[rank], case.residual, case.gamma, case.bias[rank])
    x1, x2, residual, gamma, bias = inputs
    outputs = ops.mm_all_reduce_add_rms_norm(
        x1, x2, residual, gamma, name, bias, epsilon=EPSILON, bias_once=bias_once)
    loss_of(outputs, seed).backward()
    wanted = unfused_gradients(case, rank, seed, [0] if bias_once else range(len(case.x1)))
    for found, gradient in zip(inputs, wanted, strict=True):
        assert found.grad.dtype == found.dtype
        # The gradient is computed from y as rounded to its dtype.
        assert_near(found.grad, gradient, case.gamma.dtype)


def gradients(world, rank, seed):
    name = group_from_process_group().name
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        for leading in ((2, 3), (7,)):
            case = make_case(seed, world, dtype, leading)
            for bias_once in (False, True):
                check_gradients(case, rank, name, seed, bias_once)


def test_gradients(run_all, seed):
    run_all(gradients, seed)


def parts(world, rank, seed):
    name = group_from_process_group().name
    case = make_case(seed, world)
    (part,) = leaves(case.x1[rank] @ case.x2[rank])
    residual, gamma = leaves(case.residual, case.gamma)
    loss_of(ops.all_reduce_add_rms_norm(part, residual, gamma, name, epsilon=EPSILON), seed).backward()
    _, _, wanted, grad_gamma, _ = unfused_gradients(case, rank, seed, [])
    for found, gradient in ((part, wanted), (residual, wanted), (gamma, grad_gamma)):
        assert_near(found.grad, gradient)
    (x,) = leaves(case.x1[rank])
    ops.all_reduce(x, name).square().sum().backward()
    assert_near(x.grad, 2 * sum(x1.double() for x1 in case.x1))


def test_parts(run_all, seed):
    run_all(parts, seed)


def different_residuals(world, rank, seed):
    """A rank gets the derivatives of its own outputs: those of the graph with its residual."""
    name = group_from_process_group().name
    case = make_case(seed, world)
    case.residual = make_case(seed + 1 + rank, world).residual
    check_gradients(case, rank, name, seed, True)


def test_different_residuals(run, seed):
    run(2, different_residuals, seed)


def shared_input(world, rank, seed):
    """A column-parallel layer in front: the ranks' gradients of its shared input add up to the whole gradient."""
    name = group_from_process_group().name
    case = make_case(seed, world)
    (x,) = leaves(case.x1[0])
    outputs = ops.mm_all_reduce_add_rms_norm(x, case.x2[rank], case.residual, case.gamma, name, epsilon=EPSILON)
    loss_of(outputs, seed).backward()
    (whole,) = leaves(case.x1[0], dtype=torch.float64)
    mm_out = sum(whole @ x2.double() for x2 in case.x2)
    loss_of(add_rms_norm(mm_out, case.residual.double(), case.gamma.double()), seed).backward()
    assert_near(ops.all_reduce(x.grad, name), whole.grad)


def test_shared_input(run, seed):
    run(4, shared_input, seed)


# ------------------------------------------------------------------------------------------------- one rank


class InDouble(torch.autograd.Function):
    """The operator on one rank, forward in float64 by torch, backward by the formulas of autograd.py."""

    @staticmethod
    def forward(ctx, x1, x2, residual, gamma):
        y, norm_out = add_rms_norm(x1 @ x2, residual, gamma)
        ctx.save_for_backward(x1, x2, gamma, y)
        return y, norm_out

    @staticmethod
    def backward(ctx, grad_y, grad_norm):
        x1, x2, gamma, y = ctx.saved_tensors
        grad, grad_gamma = add_rms_norm_backward(grad_y, grad_norm, y, gamma, EPSILON)
        return *matmul_backward(grad.flatten(0, -2), x1, x2, x1.shape), grad, grad_gamma


def test_gradcheck_of_the_formulas_in_float64(seed):
    case = make_case(seed, 1, torch.float64, k=5, n=7)
    assert torch.autograd.gradcheck(InDouble.apply, leaves(case.x1[0], case.x2[0], case.residual, case.gamma))


@pytest.mark.filterwarnings("ignore:Input .* requires gradient and is not a double")
def test_gradcheck_of_the_operator_in_float32(alone, seed):
    case = make_case(seed, 1, torch.float32, k=5, n=7)
    # Large beside gamma's and x1's contributions, so that second derivatives are small for the coarse differences.
    inputs = leaves(case.x1[0], case.x2[0], case.residual * 8, case.gamma, case.bias[0])

    def operator(x1, x2, residual, gamma, bias):
        return ops.mm_all_reduce_add_rms_norm(x1, x2, residual, gamma, "alone", bias, epsilon=EPSILON)

    assert torch.autograd.gradcheck(operator, inputs, eps=2e-3, atol=5e-3, rtol=5e-3)


@pytest.mark.parametrize("needed", range(5))
def test_only_what_is_needed(alone, seed, needed):
    case = make_case(seed, 1)
    tensors = [case.x1[0], case.x2[0], case.residual, case.gamma, case.bias[0]]
    wanted = unfused_gradients(case, 0, seed, [0])
    tensors[needed].requires_grad_()
    x1, x2, residual, gamma, bias = tensors
    outputs = ops.mm_all_reduce_add_rms_norm(x1, x2.t().contiguous().t(), residual, gamma, "alone", bias,
                                             epsilon=EPSILON)
    loss_of(outputs, seed).backward()
    for index, tensor in enumerate(tensors):
        assert (tensor.grad is not None) == (index == needed)
    assert_near(tensors[needed].grad, wanted[needed])


def test_one_output_alone(alone, seed):
    case = make_case(seed, 1)
    for used in (0, 1):
        inputs = leaves(case.x1[0], case.x2[0], case.residual, case.gamma)
        doubles = leaves(*inputs, dtype=torch.float64)
        ops.mm_all_reduce_add_rms_norm(*inputs, "alone", epsilon=EPSILON)[used].sum().backward()
        add_rms_norm(doubles[0] @ doubles[1], *doubles[2:])[used].sum().backward()
        for found, wanted in zip(inputs, doubles, strict=True):
            if used == 1 or found is not inputs[3]:
                assert_near(found.grad, wanted.grad)


def test_no_rows(alone, seed):
    case = make_case(seed, 1, leading=(0,))
    inputs = leaves(case.x1[0], case.x2[0], case.residual, case.gamma)
    loss_of(ops.mm_all_reduce_add_rms_norm(*inputs, "alone"), seed).backward()
    assert all(t.grad.shape == t.shape and not t.grad.any() for t in inputs)


# ------------------------------------------------------------------------------------------------ refusals


def test_integer_weights(alone, seed):
    case = make_case(seed, 1)
    weight = torch.randint(-127, 128, case.x2[0].shape, dtype=torch.int8)
    scale = torch.rand(36) / 50
    x1, residual, gamma = leaves(case.x1[0], case.residual, case.gamma)
    with pytest.raises(RuntimeError, match="x1 requires a gradient, but there is none through integer weights"):
        ops.mm_all_reduce_add_rms_norm(x1, weight, residual, gamma, "alone", antiquant_scale=scale)
    with pytest.raises(RuntimeError, match="antiquant_scale requires a gradient"):
        ops.mm_all_reduce_add_rms_norm(x1.detach(), weight, residual, gamma, "alone",
                                       antiquant_scale=scale.clone().requires_grad_())
    # The residual and gamma do not go through the weights.
    outputs = ops.mm_all_reduce_add_rms_norm(x1.detach(), weight, residual, gamma, "alone", antiquant_scale=scale,
                                             epsilon=EPSILON)
    loss_of(outputs, seed).backward()
    doubles = leaves(case.residual, case.gamma, dtype=torch.float64)
    mm_out = case.x1[0].double() @ (weight.double() * scale.double())
    loss_of(add_rms_norm(mm_out, *doubles), seed).backward()
    assert_near(residual.grad, doubles[0].grad)
    assert_near(gamma.grad, doubles[1].grad)


@pytest.mark.parametrize("name", ["x1", "x2", "residual", "gamma", "bias"])
def test_in_place_and_packed(alone, seed, name):
    case = make_case(seed, 1)
    operands = {"x1": case.x1[0], "x2": case.x2[0], "residual": case.residual, "gamma": case.gamma, "group": "alone",
                "bias": case.bias[0]}
    before = case.residual.clone()
    operands[name] = operands[name].clone().requires_grad_()
    with pytest.raises(RuntimeError, match=f"{name} requires a gradient, but .* overwrites residual"):
        ops.mm_all_reduce_add_rms_norm_(**operands)
    assert torch.equal(case.residual, before)
    slot = packed.PackedWeights()
    operands["weight"] = operands.pop("x2").detach().t().contiguous()
    if name == "x2":
        name = "weight"
        operands[name].requires_grad_()
    with pytest.raises(RuntimeError, match=f"{name} requires a gradient, but .*packed"):
        ops.packed_mm_all_reduce_add_rms_norm(**operands, pack=slot.number)
    with torch.no_grad():
        ops.packed_mm_all_reduce_add_rms_norm(**operands, pack=slot.number)


def test_second_derivatives(alone, seed):
    case = make_case(seed, 1)
    inputs = leaves(case.x1[0], case.x2[0], case.residual, case.gamma)
    _, norm_out = ops.mm_all_reduce_add_rms_norm(*inputs, "alone")
    with pytest.raises(RuntimeError, match="create_graph is True"):
        torch.autograd.grad(norm_out.sum(), inputs, create_graph=True)
