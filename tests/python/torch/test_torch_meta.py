# SPDX-License-Identifier: MIT
"""Modules made on meta, under default devices and in fake mode, then filled: values by every way, or a refusal.

Every way makes a module whose parameters have no memory at some time, and fills it with the parameters of a source.
Its outputs must be those that float64 arithmetic makes of the source's, in train and eval mode, eager and compiled.
"""

import contextlib
import copy
import io
import shutil

import pytest
import torch
from torch import nn
from torch._subclasses import FakeTensorMode

import mmarn
from mmarn.torch import RowParallelLinearAddRMSNorm
from torch_cases import EPSILON, add_rms_norm, assert_near, make_case

ops = torch.ops.mmarn
META = torch.device("meta")


@pytest.fixture(autouse=True)
def group():
    with mmarn.Group(name="meta") as group:
        yield group


def make(**options):
    return RowParallelLinearAddRMSNorm(20, 36, group="meta", bias=True, eps=EPSILON, **options)


@pytest.fixture
def source(seed):
    torch.manual_seed(seed)
    module = make()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_()
    return module


@pytest.fixture
def inputs(seed):
    case = make_case(seed, 1)
    return case.x1[0], case.residual


@contextlib.contextmanager
def default_device(device):
    torch.set_default_device(device)
    try:
        yield
    finally:
        torch.set_default_device(None)


def saved(module):
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    return file


def assigned(module, source):
    module.load_state_dict({name: value.clone() for name, value in source.state_dict().items()}, assign=True)
    return module


def on_cpu_by_default(source):
    with default_device("cpu"):
        return assigned(make(), source)


def on_meta_by_default(source):
    with default_device("meta"):
        return assigned(make(), source)


def in_meta_context(source):
    with META:
        return assigned(make(), source)


def by_keyword(source):
    return assigned(make(device="meta", dtype=torch.float32), source)


def copied_in_meta_context(source):
    with META:
        return copy.deepcopy(source)


def copied_on_meta(source):
    return assigned(copy.deepcopy(make(device=META)), source)


def emptied(source):
    module = make(device="meta").to_empty(device="cpu")
    module.load_state_dict(source.state_dict())
    return module


def initialised_later(source):
    module = nn.utils.skip_init(RowParallelLinearAddRMSNorm, 20, 36, group="meta", bias=True, eps=EPSILON)
    assert not module.weight.is_meta
    module.load_state_dict(source.state_dict())
    return module


def in_fake_mode(source):
    with FakeTensorMode():
        module = make()
    return assigned(module, source)


def saved_on_meta(source):
    with META:
        module = torch.load(saved(make()), weights_only=False)
    return assigned(module, source)


def loaded_in_meta_context(source):
    file = saved(source)
    with META:
        return torch.load(file, weights_only=False, map_location="cpu")


def by_accelerate(source):
    accelerate = pytest.importorskip("accelerate")
    with accelerate.init_empty_weights(include_buffers=True):
        module = make()
    return assigned(module, source)


def of_a_linear_on_meta(source):
    with META:
        linear, norm = nn.Linear(20, 36), nn.RMSNorm(36, eps=EPSILON)
    module = RowParallelLinearAddRMSNorm.from_linear(linear, norm, "meta")
    assert all(parameter.is_meta for parameter in module.parameters())
    return assigned(module, source)


WAYS = (on_cpu_by_default, on_meta_by_default, in_meta_context, by_keyword, copied_in_meta_context, copied_on_meta,
        emptied, initialised_later, in_fake_mode, saved_on_meta, loaded_in_meta_context, by_accelerate,
        of_a_linear_on_meta)


def wanted(module, x, residual):
    weight, bias, gamma = (t.detach().double() for t in (module.weight, module.bias, module.gamma))
    return add_rms_norm(x.double() @ weight.t() + bias, residual.double(), gamma)


def assert_right(module, forward, source, inputs):
    """In train and eval mode, with and without gradients, and after a change."""
    for training in (True, False, True):
        module.train(training)
        for grad in (True, False):
            with torch.set_grad_enabled(grad):
                outputs = forward(*inputs)
            for found, right in zip(outputs, wanted(source, *inputs), strict=True):
                assert found.device.type == "cpu"
                assert_near(found.detach(), right)
    with torch.no_grad():
        module.eval().weight.neg_()
        for found, right in zip(forward(*inputs), wanted(module, *inputs), strict=True):
            assert_near(found, right)


@pytest.mark.parametrize("way", WAYS)
def test_filled(way, source, inputs):
    module = way(source)
    assert type(module._packed.number) is torch.Tensor and not module._packed.number.is_meta
    assert_right(module, module, source, inputs)


@pytest.mark.parametrize("context", [lambda: META, lambda: default_device("meta")], ids=["context", "default"])
def test_used_while_meta_is_the_default(context, source, inputs):
    x, residual = inputs
    with context():
        for module in (source.train(), source.eval()):
            for grad in (True, False):
                with torch.set_grad_enabled(grad):
                    outputs = module(x, residual)
                for found, right in zip(outputs, wanted(source, *inputs), strict=True):
                    assert_near(found.detach(), right)
        operator = mmarn.Op(mmarn.find_group("meta"), source.weight.detach().t(), source.gamma.detach())
        assert_near(operator.matmul(x), x.double() @ source.weight.detach().double().t())


def test_filled_and_compiled(source, inputs):
    """All ways share their graphs: one for each of train and eval mode, with and without gradients."""
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    for way in WAYS:
        module = way(source)
        module.compile(backend="aot_eager", fullgraph=True)
        assert_right(module, module, source, inputs)
    if torch.__version__ >= (2, 5):  # before, torch compiled every module anew
        assert torch._dynamo.utils.counters["stats"]["unique_graphs"] <= 4


@pytest.mark.skipif(shutil.which("g++") is None, reason="inductor needs a C++ compiler")
def test_filled_and_compiled_by_inductor(source, inputs, monkeypatch, tmp_path):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))  # the usual one may hold another version's graphs
    torch._dynamo.reset()
    module = in_meta_context(source).eval()
    with torch.no_grad():
        for found, right in zip(torch.compile(module, fullgraph=True)(*inputs), wanted(source, *inputs), strict=True):
            assert_near(found, right)


def test_default_dtype(source, inputs):
    torch.set_default_dtype(torch.bfloat16)
    try:
        module = make()
    finally:
        torch.set_default_dtype(torch.float32)
    assert {p.dtype for p in module.parameters()} == {torch.bfloat16}
    assert_right(module.to(torch.float32), module, copy.deepcopy(module), inputs)
    assert make(dtype=torch.float16, device="cpu").gamma.dtype == torch.float16


# ------------------------------------------------------------------------------------- all on meta, or fake


def assert_shapes(outputs, like, device):
    for out in outputs:
        assert out.shape == like.shape and out.dtype == like.dtype and out.device.type == device
        assert out.is_contiguous()


@pytest.mark.parametrize("training", [True, False])
def test_meta_gives_meta(inputs, training):
    module = make(device="meta").train(training)
    x, residual = (t.to("meta").mT.contiguous().mT for t in inputs)
    torch._dynamo.reset()
    for forward in (module, torch.compile(module, backend="aot_eager", fullgraph=True)):
        for grad in (True, False):
            with torch.set_grad_enabled(grad):
                outputs = forward(x, residual)
            assert_shapes(outputs, residual, "meta")
            if grad:
                sum(out.sum() for out in outputs).backward()
                assert all(p.grad.is_meta and p.grad.shape == p.shape for p in module.parameters())


@pytest.mark.parametrize("training", [True, False])
def test_fake_gives_fake(inputs, training):
    with FakeTensorMode() as mode:
        x, residual = (mode.from_tensor(t) for t in inputs)
        module = make().train(training)
        torch._dynamo.reset()
        forwards = [module]
        if torch.__version__ >= (2, 5):  # before, torch compiled nothing in fake mode
            forwards.append(torch.compile(module, backend="aot_eager", fullgraph=True))
        for forward in forwards:
            for grad in (True, False):
                with torch.set_grad_enabled(grad):
                    assert_shapes(forward(x, residual), residual, "cpu")
        assert module._packed._operator is None
        on_meta = torch.ones(36, device="meta")
        with pytest.raises(RuntimeError, match="gamma is on meta, but x1 is on cpu"):
            ops.mm_all_reduce_add_rms_norm(x, module.weight.t(), residual, on_meta, "meta")
        with pytest.raises(RuntimeError, match="x is on cuda:0, but mmarn works on the CPU"):
            ops.all_reduce(torch.ones(3, device="cuda"), "meta")


# ------------------------------------------------------------------------------------------- partly filled


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("left", ["weight", "gamma", "bias"])
def test_partly_filled_module_is_refused(source, inputs, training, left):
    state = {name: value for name, value in source.state_dict().items() if name != left}
    module = make(device="meta")
    module.load_state_dict(state, assign=True, strict=False)
    module.train(training)
    torch._dynamo.reset()
    compiled = torch.compile(module, backend="aot_eager", fullgraph=True)
    for grad in (True, False):
        with torch.set_grad_enabled(grad):
            with pytest.raises(RuntimeError, match=f"^{left} is on meta, but x is on cpu; load or initialise {left}"):
                module(*inputs)
            sentence = f"{left} is on meta, but x is on cpu" if torch.__version__ >= (2, 5) else ""
            with pytest.raises(RuntimeError, match=sentence):  # the compiler's own error, which quotes it
                compiled(*inputs)
    module.load_state_dict(source.state_dict(), assign=True)
    assert_right(module, module, copy.deepcopy(source), inputs)


def test_linear_and_norm_on_two_devices():
    for device, other in (("meta", "cpu"), ("cpu", "meta")):
        with pytest.raises(ValueError, match=f"linear.weight is on {device} but norm.weight is on {other}"):
            RowParallelLinearAddRMSNorm.from_linear(
                nn.Linear(20, 36, device=device), nn.RMSNorm(36, device=other), "meta")
