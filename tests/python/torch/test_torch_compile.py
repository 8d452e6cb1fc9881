# SPDX-License-Identifier: MIT
"""torch.compile without graph breaks: values, gradients and writing in place, with aot_eager and with inductor."""

import shutil

import pytest
import torch

from mmarn import _torch_effects as effects
from mmarn.torch import RowParallelLinearAddRMSNorm, group_from_process_group
from torch_cases import EPSILON, assert_near, make_case

ops = torch.ops.mmarn

pytestmark = pytest.mark.skipif(not effects.CAN_COMPILE, reason="this torch may drop calls, and is refused")
needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="inductor needs a C++ compiler")


def whole(x1, x2, residual, gamma, bias, name):
    return ops.mm_all_reduce_add_rms_norm(x1, x2, residual, gamma, name, bias, epsilon=EPSILON, bias_once=True)


def parts(x1, x2, residual, gamma, bias, name):
    total = ops.all_reduce(x1 @ x2 + bias, name)
    return ops.all_reduce_add_rms_norm(total, residual, gamma, name, epsilon=EPSILON)


def writing(x1, x2, residual, gamma, bias, name):
    residual.mul_(2)
    norm_out = ops.mm_all_reduce_add_rms_norm_(x1, x2, residual, gamma, name, bias, epsilon=EPSILON)
    fresh = residual + norm_out
    ops.mm_all_reduce_add_rms_norm_(x1, x2, fresh, gamma, name, epsilon=EPSILON)
    return norm_out, fresh


def compiled(world, rank, seed, backend):
    torch._dynamo.reset()
    name = group_from_process_group().name
    case = make_case(seed, world)
    operands = (case.x1[rank], case.x2[rank].t().contiguous().t(), case.residual, case.gamma, case.bias[rank])

    def outcome(function):
        inputs = [t.clone().requires_grad_() for t in operands]
        outputs = function(*inputs, name)
        return *outputs, *torch.autograd.grad(sum(out.square().sum() for out in outputs), inputs)

    def outcome_in_place(function):
        inputs = [t.clone() for t in operands]
        return *function(*inputs, name), *inputs

    for run_one, function in ((outcome, whole), (outcome, parts), (outcome_in_place, writing)):
        if backend == "inductor" and function is parts:
            continue  # to save the compiler's time
        wanted = run_one(function)
        found = run_one(torch.compile(function, backend=backend, fullgraph=True))
        for one, other in zip(found, wanted, strict=True):
            assert_near(one.detach(), other.detach())


@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=needs_compiler)])
def test_functions(run, seed, backend):
    for world in (1, 2):
        run(world, compiled, seed, backend)


def dynamic_rows(world, rank, seed):
    name = group_from_process_group().name
    function = torch.compile(whole, backend="aot_eager", fullgraph=True, dynamic=True)
    for rows in (3, 5, 9):
        case = make_case(seed, world, leading=(rows,))
        operands = (case.x1[rank], case.x2[rank], case.residual, case.gamma, case.bias[rank])
        for one, other in zip(function(*operands, name), whole(*operands, name), strict=True):
            assert_near(one, other)


def test_dynamic_shapes(run, seed):
    run(2, dynamic_rows, seed)


def layers(world, rank, seed):
    """Layers compiled one by one share one graph, however many they are, and see it when their weights change."""
    group = group_from_process_group()
    case = make_case(seed, world)
    torch.manual_seed(seed)
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    modules = [RowParallelLinearAddRMSNorm(20, 36, group=group, bias=True).eval() for _ in range(10)]
    for module in modules:
        module.compile(backend="aot_eager", fullgraph=True)
    for _ in range(2):
        with torch.no_grad():
            for module in modules:
                found, wanted = module(case.x1[rank], case.residual), module.forward(case.x1[rank], case.residual)
                assert torch.equal(found[0], wanted[0]) and torch.equal(found[1], wanted[1])
                module.weight.mul_(1.5)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1
    sum(out.square().sum() for out in modules[0](case.x1[rank], case.residual)).backward()
    compiled_gradient, modules[0].weight.grad = modules[0].weight.grad, None
    sum(out.square().sum() for out in modules[0].forward(case.x1[rank], case.residual)).backward()
    assert_near(compiled_gradient, modules[0].weight.grad)


def test_layers(run, seed):
    run(2, layers, seed)
