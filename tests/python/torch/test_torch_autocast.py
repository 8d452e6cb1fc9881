# SPDX-License-Identifier: MIT
"""Autocast on the CPU: the module and the operators take what nn.Linear takes, and compute in the region's dtype.

What must come out is what float64 arithmetic makes of the operands rounded to that dtype, but for residual and gamma.
"""

import pytest
import torch
from torch import nn

import mmarn
from mmarn.torch import RowParallelLinearAddRMSNorm
from mmarn.torch import packed as packed_weights
from torch_cases import EPSILON, add_rms_norm, assert_near, make_case

ops = torch.ops.mmarn
DTYPES = (torch.bfloat16, torch.float16)
everywhere = pytest.mark.parametrize("dtype", DTYPES, ids=["bf16", "f16"])


@pytest.fixture(autouse=True)
def group():
    with mmarn.Group(name="autocast") as group:
        yield group


@pytest.fixture
def operands(seed):
    case = make_case(seed, 1)
    return {"x1": case.x1[0], "x2": case.x2[0], "residual": case.residual, "gamma": case.gamma, "bias": case.bias[0]}


@pytest.fixture
def module(operands):
    module = RowParallelLinearAddRMSNorm(20, 36, group="autocast", bias=True, eps=EPSILON)
    state = {"weight": operands["x2"].t(), "gamma": operands["gamma"], "bias": operands["bias"]}
    module.load_state_dict(state)
    return module


def reference(dtype, x1, x2, residual, gamma, bias):
    """(leaves in float64 of the operands, rounded but for residual and gamma; y, norm_out)"""
    rounded = [x1.detach().to(dtype), x2.detach().to(dtype), residual.detach(), gamma.detach(), bias.detach().to(dtype)]
    leaves = [t.double().requires_grad_() for t in rounded]
    x1, x2, residual, gamma, bias = leaves
    return leaves, *add_rms_norm(x1 @ x2 + bias, residual, gamma)


def loss_of(y, norm_out):
    return (y.double() * 0.5).sum() + norm_out.double().square().sum()


def assert_outputs(outputs, right, dtype, stream=torch.float32):
    """stream: of residual, and so of y."""
    for found, value, its in zip(outputs, right, (stream, dtype), strict=True):
        assert found.dtype == its
        assert_near(found.detach(), value.detach(), dtype)


@everywhere
@pytest.mark.parametrize("compiled", ["nothing", "module", "region"])
def test_module(module, operands, seed, dtype, compiled):
    """Behind an nn.Linear, in train and eval mode, without and with gradients."""
    torch.manual_seed(seed)
    front = nn.Linear(7, 20)

    def forward(x, residual):
        return module(front(x), residual)

    def region(x, residual):
        with torch.autocast("cpu", dtype=dtype):
            return forward(x, residual)

    torch._dynamo.reset()
    if compiled == "region":
        region = torch.compile(region, backend="aot_eager", fullgraph=True)
    elif compiled == "module":
        forward = torch.compile(forward, backend="aot_eager", fullgraph=True)
    x, residual = torch.randn(2, 3, 7), operands["residual"].clone().requires_grad_()
    with torch.no_grad(), torch.autocast("cpu", dtype=dtype):
        operands["x1"] = front(x)
    leaves, *right = reference(dtype, **operands)
    for training in (True, False):
        module.train(training).zero_grad()
        residual.grad = None
        outputs = region(x, residual)
        assert_outputs(outputs, right, dtype)
        loss_of(*outputs).backward()
        with torch.no_grad():
            assert all(torch.equal(a, b) for a, b in zip(region(x, residual), outputs, strict=True))
        found = (module.weight.grad.t(), residual.grad, module.gamma.grad, module.bias.grad)
        for gradient, value in zip(found, torch.autograd.grad(loss_of(*right), leaves[1:], retain_graph=True),
                                   strict=True):
            assert gradient.dtype == torch.float32
            assert_near(gradient, value, dtype)
        assert front.weight.grad.dtype == torch.float32


@everywhere
def test_packed_weights_do_not_outlive_the_region(module, operands, dtype, monkeypatch):
    made = []
    make = mmarn.Op
    monkeypatch.setattr(packed_weights.mmarn, "Op", lambda *args, **options: made.append(1) or make(*args, **options))
    x, residual = operands["x1"], operands["residual"]
    inputs = (x, operands["x2"], residual, operands["gamma"], operands["bias"])
    plain = add_rms_norm(x.double() @ operands["x2"].double() + operands["bias"].double(), residual.double(),
                         operands["gamma"].double())
    _, *rounded = reference(dtype, *inputs)
    module.eval()
    with torch.no_grad():
        for _ in range(2):
            assert_outputs(module(x, residual), plain, torch.float32)
        with torch.autocast("cpu", dtype=dtype):
            for _ in range(2):
                assert_outputs(module(x, residual), rounded, dtype)
            assert len(made) == 2
            with torch.autocast("cpu", enabled=False):
                assert_outputs(module(x, residual), plain, torch.float32)
            module.weight.neg_()
            module.bias.neg_()
            _, *rounded = reference(dtype, x, -operands["x2"], residual, operands["gamma"], -operands["bias"])
            assert_outputs(module(x, residual), rounded, dtype)


@everywhere
def test_operators(operands, dtype):
    x1, x2, residual, gamma, bias = operands.values()
    leaves, *right = reference(dtype, **operands)
    mixed = [t.to(dtype) for t in (x1, x2, residual, gamma, bias)]
    exact = ops.mm_all_reduce_add_rms_norm(*mixed[:2], residual, gamma, "autocast", mixed[4], epsilon=EPSILON)
    with torch.autocast("cpu", dtype=dtype):
        found = ops.mm_all_reduce_add_rms_norm(*list(operands.values())[:4], "autocast", bias, epsilon=EPSILON)
    assert all(torch.equal(a, b) for a, b in zip(found, exact, strict=True)), "residual and gamma are not rounded"
    for some in range(6):  # the region takes operands of its own dtype and of fp32 in any mixture
        given = [one if index == some else other
                 for index, (one, other) in enumerate(zip(mixed, operands.values(), strict=True))]
        with torch.autocast("cpu", dtype=dtype):
            assert_outputs(ops.mm_all_reduce_add_rms_norm(*given[:4], "autocast", given[4], epsilon=EPSILON), right,
                           dtype, given[2].dtype)
            written = given[2].clone()
            norm_out = ops.mm_all_reduce_add_rms_norm_(*given[:2], written, given[3], "autocast", given[4],
                                                       epsilon=EPSILON)
            assert_outputs((written, norm_out), right, dtype, given[2].dtype)
            part = given[0] @ given[1] + given[4]
            assert_outputs(ops.all_reduce_add_rms_norm(part, *given[2:4], "autocast", epsilon=EPSILON), right, dtype,
                           given[2].dtype)
    with torch.autocast("cpu", dtype=dtype):
        assert torch.equal(ops.all_reduce(x1, "autocast"), x1)


def test_what_is_left_alone(operands, seed):
    """Integers, the fp32 scales beside them, and float64, which is refused as it is without autocast."""
    generator = torch.Generator().manual_seed(seed)
    x1, x2 = (torch.randint(-127, 128, operands[name].shape, generator=generator, dtype=torch.int8)
              for name in ("x1", "x2"))
    scale = torch.rand(36, generator=generator) / 50
    arguments = (x1, x2, operands["residual"], operands["gamma"], "autocast")
    wanted = ops.mm_all_reduce_add_rms_norm(*arguments, dequant_scale=scale)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = ops.mm_all_reduce_add_rms_norm(*arguments, dequant_scale=scale)
        assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))
        operands["x1"] = operands["x1"].double()
        with pytest.raises(TypeError, match="x1 is torch.float64"):
            ops.mm_all_reduce_add_rms_norm(**operands, group="autocast")


@everywhere
def test_quantised_module(module, operands, dtype):
    module.quantise_()
    weight = module.weight.double() * module.scale.to(dtype).double()[:, None]
    x, bias = (operands[name].to(dtype).double() for name in ("x1", "bias"))
    right = add_rms_norm(x @ weight.t() + bias, operands["residual"].double(), operands["gamma"].double())
    for training in (True, False):
        with torch.no_grad(), torch.autocast("cpu", dtype=dtype):
            assert_outputs(module.train(training)(operands["x1"], operands["residual"]), right, dtype)


def test_gradients_are_fp32_whatever_the_region(module, operands):
    """backward() under autocast: torch would round the operands of its products."""
    loss = loss_of(*module(operands["x1"], operands["residual"]))
    wanted = torch.autograd.grad(loss, list(module.parameters()), retain_graph=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = torch.autograd.grad(loss, list(module.parameters()))
    assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))


def test_inference_tensors(module, operands):
    """They are not packed, so they are cast in every call."""
    with torch.inference_mode():
        copied = RowParallelLinearAddRMSNorm(20, 36, group="autocast", bias=True, eps=EPSILON).eval()
        copied.load_state_dict(module.state_dict())
    for dtype in DTYPES:
        _, *right = reference(dtype, **operands)
        with torch.no_grad(), torch.autocast("cpu", dtype=dtype):
            assert_outputs(copied(operands["x1"], operands["residual"]), right, dtype)
