# SPDX-License-Identifier: MIT
"""The operators' values on 1, 2 and 4 ranks, strides, aliasing, refusals, and torch's checks of their registration."""

import pytest
import torch
from torch.library import opcheck

import mmarn
from mmarn import _torch_effects as effects
from mmarn.torch import RowParallelLinearAddRMSNorm, group_from_process_group, packed
from torch_cases import EPSILON, assert_near, expected, make_case

ops = torch.ops.mmarn
DTYPES = (torch.float32, torch.float16, torch.bfloat16)


def strided(tensor):
    """The same values in every second element of a larger tensor, which is poisoned elsewhere."""
    wide = torch.full((*tensor.shape[:-1], 2 * tensor.shape[-1]), 1e30 if tensor.is_floating_point() else 77)
    wide = wide.to(tensor.dtype)
    wide[..., ::2] = tensor
    return wide[..., ::2]


# --------------------------------------------------------------------------------------------------- values


def all_values(world, rank, seed):
    group = group_from_process_group()
    for dtype in DTYPES:
        for leading in ((2, 3), (5,)):
            case = make_case(seed, world, dtype, leading)
            check_matmul(case, rank, group.name)
            check_parts(case, rank, group.name)


def check_matmul(case, rank, name):
    x1, x2, bias, residual, gamma = case.x1[rank], case.x2[rank], case.bias[rank], case.residual, case.gamma
    weight = x2.t().contiguous()
    every = list(range(len(case.x1)))
    for biases, options in (((), {}), (every, {"bias": bias}), ([0], {"bias": bias, "bias_once": True})):
        wanted = expected(case, biases)
        y, norm_out = ops.mm_all_reduce_add_rms_norm(x1, x2, residual, gamma, name, epsilon=EPSILON, **options)
        assert_near(y, wanted[0])
        assert_near(norm_out, wanted[1])
        again = ops.mm_all_reduce_add_rms_norm(
            strided(x1), weight.t(), strided(residual), strided(gamma), name, epsilon=EPSILON, **options)
        slot = packed.PackedWeights()
        kept = ops.packed_mm_all_reduce_add_rms_norm(
            strided(x1), weight, strided(residual), gamma, name, slot.number, epsilon=EPSILON, **options)
        for make_residual in (torch.Tensor.clone, strided):
            overwritten = make_residual(residual)
            result = ops.mm_all_reduce_add_rms_norm_(
                x1, x2, overwritten, gamma, name, epsilon=EPSILON, **options)
            assert torch.equal(overwritten, y) and torch.equal(result, norm_out)
        for other in (again, kept):
            assert torch.equal(other[0], y) and torch.equal(other[1], norm_out), "strides and packing change no bit"
            assert other[0].is_contiguous() and other[1].is_contiguous()


def check_parts(case, rank, name):
    part = (case.x1[rank].float() @ case.x2[rank].float()).to(case.gamma.dtype)
    parts = [(x1.float() @ x2.float()).to(case.gamma.dtype) for x1, x2 in zip(case.x1, case.x2, strict=True)]
    total = ops.all_reduce(strided(part), name)
    assert_near(total, sum(p.double() for p in parts))
    wanted = expected(case)
    y, norm_out = ops.all_reduce_add_rms_norm(strided(part), case.residual, case.gamma, name, epsilon=EPSILON)
    assert_near(y, wanted[0])
    assert_near(norm_out, wanted[1])


def test_values(run_all, seed):
    run_all(all_values, seed)


def numerics_and_empty(world, rank, seed):
    name = group_from_process_group().name
    case = make_case(seed, world, torch.float16, (64,), 64, 128)
    arguments = (case.x1[rank], case.x2[rank], case.residual, case.gamma, name)
    results = {mode: ops.mm_all_reduce_add_rms_norm(*arguments, numerics=mode) for mode in
               ("default", "ascend", "fp32")}
    assert not torch.equal(results["default"][1], results["fp32"][1])
    if world > 1:
        assert not torch.equal(results["default"][0], results["ascend"][0])
    empty = make_case(seed, world, torch.float16, (0,), 8, 16)
    y, norm_out = ops.mm_all_reduce_add_rms_norm(empty.x1[rank], empty.x2[rank], empty.residual, empty.gamma, name)
    assert y.shape == norm_out.shape == (0, 16)
    # One rank's 3-D x1 may go with a 2-D residual.
    flat = make_case(seed, world, torch.float32, (6,))
    y, _ = ops.mm_all_reduce_add_rms_norm(
        flat.x1[rank].view(2, 3, -1), flat.x2[rank], flat.residual, flat.gamma, name, epsilon=EPSILON)
    assert_near(y, expected(flat)[0])


def test_numerics_and_empty_tensors(run_all, seed):
    run_all(numerics_and_empty, seed)


def quantised(world, rank, seed):
    name = group_from_process_group().name
    case = make_case(seed, world, torch.float32)
    generator = torch.Generator().manual_seed(seed)
    integers = [torch.randint(-127, 128, x2.shape, generator=generator, dtype=torch.int8) for x2 in case.x2]
    scale = torch.rand(case.gamma.shape, generator=generator) / 50
    offset = torch.randn(case.gamma.shape, generator=generator)
    tail = (case.residual, case.gamma, name)
    case.x2 = [(w.double() + offset.double()) * scale.double() for w in integers]
    weight = integers[rank].t().contiguous()
    y, norm_out = ops.mm_all_reduce_add_rms_norm(
        case.x1[rank], weight.t(), *tail, antiquant_scale=strided(scale), antiquant_offset=strided(offset),
        epsilon=EPSILON)
    wanted = expected(case)
    assert_near(y, wanted[0])
    assert_near(norm_out, wanted[1])

    activations = [torch.randint(-127, 128, x1.shape, generator=generator, dtype=torch.int8) for x1 in case.x1]
    x1_scale = [torch.rand(x1[..., 0].numel(), generator=generator) / 50 for x1 in case.x1]
    case.x1 = [a.double() * s.double().view(*a.shape[:-1], 1) for a, s in zip(activations, x1_scale, strict=True)]
    case.x2 = [w.double() * scale.double() for w in integers]
    y, _ = ops.mm_all_reduce_add_rms_norm(
        activations[rank], integers[rank], *tail, dequant_scale=scale, x1_scale=strided(x1_scale[rank]),
        epsilon=EPSILON)
    assert_near(y, expected(case)[0])


def test_quantised(run_all, seed):
    run_all(quantised, seed)


# ---------------------------------------------------------------------------------- registration and profiler


def check_registration(world, rank, seed):
    name = group_from_process_group().name
    case = make_case(seed, world)
    slot = packed.PackedWeights()
    for needs_grad in (False, True):
        x1, x2, bias, residual, gamma = (
            t.clone().requires_grad_(needs_grad)
            for t in (case.x1[rank], case.x2[rank], case.bias[rank], case.residual, case.gamma))
        opcheck(ops.mm_all_reduce_add_rms_norm.default, (x1, x2, residual, gamma, name, bias), {"bias_once": True})
        opcheck(ops.mm_all_reduce_add_rms_norm.default,
                (x1, x2.detach().t().contiguous().t(), strided(residual.detach()), gamma, name))
        opcheck(ops.all_reduce.default, (x1, name))
        opcheck(ops.all_reduce_add_rms_norm.default, ((x1 @ x2).detach(), residual, gamma, name))
    x1, x2, bias, residual, gamma = (t.detach() for t in (x1, x2, bias, residual, gamma))
    opcheck(ops.only_on_rank_0.default, (x1, name))
    opcheck(ops.mm_all_reduce_add_rms_norm_.default, (x1, x2, residual, gamma, name, bias))
    opcheck(ops.packed_mm_all_reduce_add_rms_norm.default,
            (x1, x2.t().contiguous(), residual, gamma, name, slot.number, bias))


@pytest.mark.skipif(not effects.CAN_COMPILE, reason="this torch may drop calls, and is refused")
def test_opcheck(run, seed):
    run(2, check_registration, seed)


def profiled(world, rank, seed):
    name = group_from_process_group().name
    case = make_case(seed, world)
    operands = (case.x1[rank], case.x2[rank], case.residual.clone(), case.gamma, name)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        ops.mm_all_reduce_add_rms_norm(*operands)
        ops.mm_all_reduce_add_rms_norm_(*operands)
        ops.all_reduce(case.residual, name)
    return {event.key for event in profile.key_averages() if event.key.startswith("mmarn::")}


def test_profiler_names_the_operators(run, seed):
    names = {"mmarn::mm_all_reduce_add_rms_norm", "mmarn::mm_all_reduce_add_rms_norm_", "mmarn::all_reduce"}
    for found in run(2, profiled, seed):
        assert found >= names


# --------------------------------------------------------------------------------------------------- refusals


@pytest.fixture
def alone():
    with mmarn.Group(name="alone") as group:
        yield group


@pytest.fixture
def operands(seed):
    case = make_case(seed, 1)
    return {"x1": case.x1[0], "x2": case.x2[0], "residual": case.residual, "gamma": case.gamma, "group": "alone"}


@pytest.mark.parametrize(
    ("change", "error", "sentence"),
    [
        ({"x2": torch.randn(30, 36)}, ValueError, r"x2 is \(30, 36\).*20"),
        ({"x2": torch.randn(20)}, ValueError, "x2"),
        ({"gamma": torch.randn(35)}, ValueError, "gamma.*35"),
        ({"residual": torch.randn(2, 4, 36)}, ValueError, "residual"),
        ({"bias": torch.randn(37)}, ValueError, "bias.*37"),
        ({"x1": torch.randn(2, 3, 20).double()}, TypeError, "x1.*float64"),
        ({"x1": torch.randn(2, 3, 20).half()}, TypeError, "x1|x2|dtype"),
        ({"group": "nowhere"}, ValueError, "nowhere"),
        ({"epsilon": -1.0}, ValueError, "epsilon"),
        ({"numerics": "exact"}, ValueError, "numerics.*exact"),
        ({"reduce_op": "max"}, TypeError, "reduce_op.*max"),
    ],
)
def test_refusals_change_nothing(alone, operands, change, error, sentence):
    operands |= change
    residual = operands["residual"].clone()
    for name in ("mm_all_reduce_add_rms_norm", "mm_all_reduce_add_rms_norm_"):
        with pytest.raises(error, match=sentence):
            getattr(ops, name)(**operands)
        assert torch.equal(operands["residual"], residual)


def test_unknown_packed_weights(alone, operands):
    arguments = (operands["x1"], operands["x2"].t(), operands["residual"], operands["gamma"], "alone")
    with pytest.raises(ValueError, match="pack is 123456, but no packed weights"):
        ops.packed_mm_all_reduce_add_rms_norm(*arguments, torch.tensor(123456))


def test_closed_group(operands):
    mmarn.Group(name="alone").close()
    with pytest.raises(ValueError, match="alone"):
        ops.mm_all_reduce_add_rms_norm(**operands)


def disagree(world, rank, seed):
    """A rank that refuses its arguments tells the others, and the group goes on."""
    group = group_from_process_group()
    case = make_case(seed, world)
    rows = case.x1[rank][: 1 + rank]
    with pytest.raises(ValueError, match=r"rank 1|rank 0"):
        ops.mm_all_reduce_add_rms_norm(rows, case.x2[rank], case.residual[: 1 + rank], case.gamma, group.name)
    wrong = {"dtype": torch.float64} if rank else {}
    with pytest.raises((TypeError, ValueError)):
        ops.all_reduce(torch.ones(3, **wrong), group.name)
    return float(ops.all_reduce(torch.ones(1), group.name))


def test_ranks_that_disagree(run, seed):
    assert run(2, disagree, seed) == [2.0, 2.0]


def meetings(world, rank, seed):
    """Forms of one operator meet each other; what is named otherwise, or fails on one rank, meets nothing."""
    group = group_from_process_group()
    case = make_case(seed, world)
    x1, weight = case.x1[rank], case.x2[rank].t().contiguous()
    tail = case.residual, case.gamma
    wanted = expected(case)

    options = {"epsilon": EPSILON, "name": "layer"}
    slot = packed.PackedWeights()
    op = mmarn.Op(group, weight.t(), case.gamma, **options)
    stream = case.residual.clone()
    forms = [
        lambda: ops.mm_all_reduce_add_rms_norm(x1, weight.t(), *tail, group.name, **options),
        lambda: (stream, ops.mm_all_reduce_add_rms_norm_(x1, weight.t(), stream, case.gamma, group.name, **options)),
        lambda: ops.packed_mm_all_reduce_add_rms_norm(x1, weight, *tail, group.name, slot.number, **options),
        lambda: op(x1, case.residual),
    ]

    layer = RowParallelLinearAddRMSNorm(20, 36, group=group, name=f"of rank {rank}")
    with pytest.raises(ValueError, match='call 1: the name is "of rank 0" on rank 0 but "of rank 1" on rank 1'):
        layer(x1, case.residual)
    layer.name = "layer"
    layer(x1, case.residual)
    for form in forms if rank else reversed(forms):
        y, norm_out = form()
        assert_near(y, wanted[0])
        assert_near(norm_out, wanted[1])
    for number, (function, *arguments) in enumerate((
            (ops.all_reduce, x1, group.name), (ops.all_reduce_add_rms_norm, *tail[:1], *tail, group.name)), 7):
        with pytest.raises(ValueError, match=f'call {number}: the name is "0" on rank 0 but "1" on rank 1'):
            function(*arguments, name=str(rank))

    bad, slot = weight.double() if rank else weight, packed.PackedWeights()
    with pytest.raises((TypeError, ValueError), match="^x2|float64|rank 1 refused the call"):
        ops.packed_mm_all_reduce_add_rms_norm(x1, bad, *tail, group.name, slot.number)
    assert_near(ops.all_reduce(x1, group.name), sum(x.double() for x in case.x1))


def test_meetings(run, seed):
    run(2, meetings, seed)


def test_meta_tensors_give_shapes(operands):
    operands = {name: value.to("meta") if isinstance(value, torch.Tensor) else value for name, value in
                operands.items()}
    y, norm_out = ops.mm_all_reduce_add_rms_norm(**operands)
    assert y.shape == norm_out.shape == (2, 3, 36) and y.is_meta and norm_out.is_meta


def test_writing_in_place_is_seen_by_autograd(alone, operands):
    """A tensor that autograd has saved must not be changed behind its back."""
    source = operands["residual"].clone().requires_grad_()
    residual = source * 1.0
    loss = residual.square().sum()
    operands["residual"] = residual.detach()
    version = residual._version
    ops.mm_all_reduce_add_rms_norm_(**operands)
    assert residual._version > version
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_inference_mode(alone, operands):
    y, norm_out = ops.mm_all_reduce_add_rms_norm(**operands)
    with torch.inference_mode():
        operands["residual"] = operands["residual"].clone()
        for view in (operands["residual"], strided(operands["residual"])):
            result = ops.mm_all_reduce_add_rms_norm_(**(operands | {"residual": view}))
            assert torch.equal(view, y) and torch.equal(result, norm_out)
