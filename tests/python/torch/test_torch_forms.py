# SPDX-License-Identifier: MIT
"""The other forms as torch's operators: values on 1, 2 and 4 ranks, gradients against the unfused graph in float64,
shapes on meta and in compiled graphs, and what is refused in which words.
"""

import pytest
import torch
from torch.library import opcheck

import mmarn
from mmarn import _torch_effects as effects
from mmarn.torch import group_from_process_group
from torch_cases import EPSILON, add_rms_norm, assert_near, make_case

ops = torch.ops.mmarn
ROWS, K, N = 7, 20, 36


@pytest.fixture
def alone():
    with mmarn.Group(name="alone") as group:
        yield group


def leaves(*tensors, dtype=None):
    return [t.detach().clone().to(dtype or t.dtype).requires_grad_() for t in tensors]


# --------------------------------------------------------------------------------------------------- values


def mm_of(case, x3=None):
    mm = sum(x1.double() @ x2.double() + b.double() for x1, x2, b in zip(case.x1, case.x2, case.bias, strict=True))
    return mm if x3 is None else mm + len(case.x1) * x3.double()


def values(world, rank, seed):
    name = group_from_process_group().name
    for dtype in (torch.float32, torch.bfloat16):
        case = make_case(seed, world, dtype, (ROWS,), K, N)
        x1, x2, bias, residual, gamma = case.x1[rank], case.x2[rank], case.bias[rank], case.residual, case.gamma
        own = torch.arange(ROWS).tensor_split(world)[rank]
        mm = mm_of(case, residual)
        whole = ops.mm_all_reduce(x1, x2, name, bias, residual)
        part = ops.mm_all_reduce(x1, x2, name, bias, residual, shard_rows=True)
        assert_near(whole, mm)
        assert torch.equal(part, whole[own])
        assert torch.equal(ops.all_gather(part, ROWS, name), whole)
        assert torch.equal(ops.reduce_scatter(whole, name), (world * whole)[own])  # powers of two of equal summands
        y, norm_out, mm_out, rstd, scale = ops.mm_all_reduce_add_rms_norm_step(
            x1, x2, gamma, name, residual, bias, residual, epsilon=EPSILON)
        assert torch.equal(mm_out, whole) and scale.numel() == 0
        wanted = add_rms_norm(mm, residual.double(), gamma.double())
        assert_near(y, wanted[0])
        assert_near(norm_out, wanted[1])
        alone = ops.add_rms_norm(whole, gamma, residual, epsilon=EPSILON)
        for fused, apart in zip((y, norm_out, rstd), alone, strict=True):
            assert torch.equal(fused, apart)
        check_int8(norm_out, ops.mm_all_reduce_add_rms_norm_step(
            x1, x2, gamma, name, residual, bias, residual, epsilon=EPSILON, quantised=True))
        check_options(case, rank, name, own)


def check_int8(norm_out, found):
    _, rows, _, _, scale = found
    assert rows.dtype == torch.int8 and scale.shape == (ROWS,)
    error = (rows.double() * scale.double()[:, None] - norm_out.double()).abs()
    assert (error <= 0.50001 * scale.double()[:, None]).all()


def check_options(case, rank, name, own):
    """The norm first, 1 + gamma, no residual, rows of a rank's own."""
    x1, x2, residual, gamma = case.x1[rank], case.x2[rank], case.residual, case.gamma
    mm = ops.mm_all_reduce(x1, x2, name).double()
    y, norm_out, *_ = ops.mm_all_reduce_add_rms_norm_step(
        x1, x2, gamma, name, residual[own], epsilon=EPSILON, gamma_plus_one=True, norm_first=True, shard_rows=True)
    _, normed = add_rms_norm(mm, torch.zeros_like(mm), 1 + gamma.double())
    assert_near(norm_out, normed[own])
    assert_near(y, (normed + residual.double())[own], residual.dtype)
    y, norm_out, mm_out, *_ = ops.mm_all_reduce_add_rms_norm_step(x1, x2, gamma, name, epsilon=EPSILON)
    assert torch.equal(y, mm_out)
    assert_near(norm_out, add_rms_norm(mm, torch.zeros_like(mm), gamma.double())[1])


def test_values(run_all, seed):
    run_all(values, seed)


# ------------------------------------------------------------------------------------------------ gradients


def mm_gradients(world, rank, seed):
    name = group_from_process_group().name
    case = make_case(seed, world, leading=(2, 3))
    weights = torch.randn(2, 3, N, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    for bias_once in (False, True):
        x1, x2, bias, x3 = inputs = leaves(case.x1[rank], case.x2[rank], case.bias[rank], case.residual)
        out = ops.mm_all_reduce(x1, x2, name, bias, x3, bias_once=bias_once)
        (out.double() * weights).sum().backward()
        exact = leaves(case.x1[rank], case.x2[rank], case.bias[rank], case.residual, dtype=torch.float64)
        counted = exact[2] if rank == 0 or not bias_once else exact[2] * 0
        ((exact[0] @ exact[1] + counted + exact[3]) * weights).sum().backward()
        for found, wanted in zip(inputs, exact, strict=True):
            assert_near(found.grad, wanted.grad)


def test_gradients_of_the_matmul(run_all, seed):
    run_all(mm_gradients, seed)


@pytest.mark.parametrize("with_residual", [False, True])
@pytest.mark.parametrize("plus_one", [False, True])
def test_gradients_of_the_norm(seed, with_residual, plus_one):
    case = make_case(seed, 1, leading=(2, 3))
    x = case.residual * 0.5 + 1
    weights = torch.randn(2, 2, 3, N, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    given = (x, case.gamma, case.residual) if with_residual else (x, case.gamma)
    inputs, exact = leaves(*given), leaves(*given, dtype=torch.float64)
    y, norm_out, rstd = ops.add_rms_norm(*inputs, epsilon=EPSILON, gamma_plus_one=plus_one)
    assert not rstd.requires_grad
    (y.double() * weights[0] + norm_out.double() * weights[1]).sum().backward()
    residual = exact[2] if with_residual else torch.zeros_like(exact[0])
    y, norm_out = add_rms_norm(exact[0], residual, exact[1] + 1 if plus_one else exact[1])
    (y * weights[0] + norm_out * weights[1]).sum().backward()
    for found, wanted in zip(inputs, exact, strict=True):
        assert_near(found.grad, wanted.grad)


def test_refused_gradients(alone):
    x1, x2, gamma = leaves(torch.randn(3, K), torch.randn(K, N), torch.randn(N))
    plain = [t.detach() for t in (x1, x2, gamma)]
    for match, call in (
        ("with shard_rows", lambda: ops.mm_all_reduce(x1, plain[1], "alone", shard_rows=True)),
        ("x2 requires a gradient, but mmarn::mm_all_reduce_add_rms_norm_step has none",
         lambda: ops.mm_all_reduce_add_rms_norm_step(plain[0], x2, plain[2], "alone")),
        ("with norm_first", lambda: ops.add_rms_norm(x1, torch.ones(K), norm_first=True)),
        ("x requires a gradient, but mmarn::reduce_scatter has none", lambda: ops.reduce_scatter(x1, "alone")),
        ("x requires a gradient, but mmarn::all_gather has none", lambda: ops.all_gather(x1, 3, "alone")),
        ("integer weights", lambda: ops.mm_all_reduce(x1, torch.ones(K, N, dtype=torch.int8), "alone",
                                                      antiquant_scale=torch.ones(N))),
    ):
        with pytest.raises(RuntimeError, match=match):
            call()
    assert ops.mm_all_reduce(*plain[:2], "alone").shape == (3, N)


# ---------------------------------------------------------------------------------- shapes, compilers, refusals


def calls():
    """One of each: (operator, arguments, options)."""
    x1, x2, gamma, residual = torch.randn(2, 3, K), torch.randn(K, N), torch.randn(N), torch.randn(2, 3, N)
    rows = torch.randint(-127, 128, (5, K), dtype=torch.int8)
    weights = torch.randint(-127, 128, (K, N), dtype=torch.int8)
    scale = {"dequant_scale": torch.rand(N, dtype=torch.float32) / 100}  # sums that fp16 holds
    return [
        (ops.mm_all_reduce, (x1, x2, "alone", gamma, residual), {}),
        (ops.mm_all_reduce, (x1.bfloat16(), x2.t().contiguous().t().bfloat16(), "alone"), {}),
        (ops.mm_all_reduce, (rows, weights, "alone"), scale),
        (ops.mm_all_reduce, (x1, torch.randint(0, 256, (K, N // 2), dtype=torch.uint8), "alone"),
         {"antiquant_scale": torch.rand(N), "x2_dtype": "int4"}),
        (ops.mm_all_reduce_add_rms_norm_step, (x1, x2, gamma, "alone", residual), {}),
        (ops.mm_all_reduce_add_rms_norm_step, (x1.half(), x2.half(), gamma, "alone", residual), {"quantised": True}),
        (ops.mm_all_reduce_add_rms_norm_step, (rows, weights, gamma.half(), "alone"), scale),
        (ops.add_rms_norm, (residual, gamma), {}),
        (ops.add_rms_norm, (residual.half(), gamma, residual), {}),
        (ops.all_gather, (x1[0], 3, "alone"), {}),
    ]


def test_meta_shapes(alone):
    sharded = [(ops.mm_all_reduce, (torch.randn(5, K), torch.randn(K, N), "alone"), {"shard_rows": True}),
               (ops.reduce_scatter, (torch.randn(2, 3, N), "alone"), {})]
    for operator, arguments, options in calls() + sharded:
        found = operator(*arguments, **options)
        meta = operator(*(a.to("meta") if isinstance(a, torch.Tensor) else a for a in arguments),
                        **{k: v.to("meta") if isinstance(v, torch.Tensor) else v for k, v in options.items()})
        pairs = zip(found, meta, strict=True) if isinstance(found, tuple) else [(found, meta)]
        for real, shape in pairs:
            assert (real.shape, real.dtype) == (shape.shape, shape.dtype), operator


@pytest.mark.skipif(not effects.CAN_COMPILE, reason="this torch does not compile the operators")
def test_compiled(alone):
    for operator, arguments, options in calls():
        torch._dynamo.reset()  # these are not one function's calls
        found = operator(*arguments, **options)
        compiled = torch.compile(lambda *a, operator=operator, **o: operator(*a, **o), fullgraph=True,
                                 backend="aot_eager")(*arguments, **options)
        pairs = zip(found, compiled, strict=True) if isinstance(found, tuple) else [(found, compiled)]
        assert all(torch.equal(one, other) for one, other in pairs), operator


@pytest.mark.skipif(not effects.CAN_COMPILE, reason="this torch does not compile the operators")
def test_rows_of_a_rank_are_not_compiled(alone):
    """Their number is a rank's own, and graphs come out of a cache that ranks share."""
    x1, x2 = torch.randn(5, K), torch.randn(K, N)
    for call in (lambda: ops.mm_all_reduce(x1, x2, "alone", shard_rows=True), lambda: ops.reduce_scatter(x1, "alone")):
        with pytest.raises(Exception, match="cannot be compiled"):
            torch.compile(call, fullgraph=True, backend="aot_eager")()


def test_registration(alone):
    for operator, arguments, options in calls():
        opcheck(operator, arguments, options, test_utils=("test_schema", "test_faketensor"))


def test_refusals(alone):
    x1, x2, gamma = torch.randn(3, K), torch.randn(K, N), torch.randn(N)
    for device in ("cpu", "meta"):
        a, b, c = (t.to(device) for t in (x1, x2, gamma))
        with pytest.raises(ValueError, match=r"x2 is \(20, 36\) but x1's last axis is 19"):
            ops.mm_all_reduce(a[:, :-1], b, "alone")
        with pytest.raises(ValueError, match="gamma is"):
            ops.add_rms_norm(a, c)
        with pytest.raises(ValueError, match="residual is"):
            ops.mm_all_reduce_add_rms_norm_step(a, b, c, "alone", a)
    with pytest.raises(ValueError, match="no group of that name"):
        ops.mm_all_reduce(x1, x2, "nobody")
