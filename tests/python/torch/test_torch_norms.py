# SPDX-License-Identifier: MIT
"""from_linear takes what computes RMSNorm behind x @ weight.T + bias, with its gamma and epsilon, and nothing else."""

import copy
import importlib

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

import mmarn
from mmarn.torch import RowParallelLinearAddRMSNorm
from norm_kinds import FEATURES, LINEARS_REFUSED, LINEARS_TAKEN, REFUSED, TAKEN

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:torch", "ignore::DeprecationWarning:torch")

INPUTS = 20
HALVES = (torch.bfloat16, torch.float16)


@pytest.fixture(scope="module")
def group():
    with mmarn.Group(name="norms") as group:
        yield group


@pytest.fixture
def linear(seed):
    torch.manual_seed(seed)
    return nn.Linear(INPUTS, FEATURES)


def randomised(module):
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape))
    return module


def uncompiled(module):
    """To be called without the wait."""
    return getattr(module, "_orig_mod", module)


def inputs(dtype=torch.float32):
    """(x, residual), with rows where any epsilon shows and rows where none does."""
    sizes = torch.tensor([1e-4, 1e-2, 1, 1e3])[:, None]
    return (torch.randn(4, INPUTS) * sizes).to(dtype), (torch.randn(4, FEATURES) * sizes).to(dtype)


@pytest.mark.parametrize("kind", TAKEN)
def test_taken(kind, linear, group):
    make, gamma_of = TAKEN[kind]
    nn.init.zeros_(linear.bias)
    x, residual = inputs()
    for norm in (make(), randomised(make())):
        uncompiled(norm)(torch.ones(1, FEATURES))  # a pruned one makes its weight in a call
        module = RowParallelLinearAddRMSNorm.from_linear(linear, norm, group).eval()
        assert torch.equal(module.gamma, gamma_of(norm))
        with torch.no_grad():
            y, norm_out = module(x, residual)
            wanted = uncompiled(norm)(y)
        torch.testing.assert_close(norm_out, wanted, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("dtype", (torch.float32, torch.bfloat16))
@pytest.mark.parametrize("kind", REFUSED)
def test_refused(kind, dtype, group):
    make, told = REFUSED[kind]
    norm = make()
    given = copy.deepcopy(norm.state_dict())
    with pytest.raises(ValueError, match=told) as caught:
        RowParallelLinearAddRMSNorm.from_linear(nn.Linear(INPUTS, FEATURES, dtype=dtype), norm, group)
    assert "\n" not in str(caught.value)
    assert all(torch.equal(value, norm.state_dict()[name]) for name, value in given.items())


@pytest.mark.parametrize("norm, told", (
    (lambda x: x, "norm is function, but must be a torch.nn.Module"),
    (nn.LazyBatchNorm1d(), "no shape yet"),
    (nn.RMSNorm(FEATURES, dtype=torch.float64), "norm.weight is torch.float64, but must be .*norm.float()"),
))
def test_no_norm(norm, told, linear, group):
    with pytest.raises(TypeError, match=told):
        RowParallelLinearAddRMSNorm.from_linear(linear, norm, group)


# ---------------------------------------------------------------------------------------- what the trial leaves alone


def test_nothing_is_changed(linear, group):
    """Neither the norm nor torch's random numbers, also where the norm keeps statistics and draws numbers."""
    norms = [nn.RMSNorm(FEATURES), nn.BatchNorm1d(FEATURES), nn.Sequential(nn.RMSNorm(FEATURES), nn.Dropout(0.5))]
    for norm in norms:
        norm.train(norm is not norms[0])
        before, random, training = copy.deepcopy(norm.state_dict()), torch.get_rng_state(), norm.training
        try:
            RowParallelLinearAddRMSNorm.from_linear(linear, norm, group)
        except ValueError:
            assert norm is not norms[0]
        else:
            # Its own initialisation draws numbers, so norms alone are compared.
            assert norm is norms[0]
            random = torch.get_rng_state()
        assert torch.equal(random, torch.get_rng_state())
        assert norm.training == training
        assert all(torch.equal(value, norm.state_dict()[name]) for name, value in before.items())
        assert all(parameter.grad is None and parameter.requires_grad for parameter in norm.parameters())


def test_modes_and_defaults_do_not_matter(linear, group):
    norm = randomised(TAKEN["Gemma"][0]())
    wrong = nn.LayerNorm(FEATURES)
    wanted = 1 + norm.weight.detach()
    default = torch.get_default_dtype()
    try:
        for context in (torch.device("meta"), torch.autocast("cpu"), torch.inference_mode(), torch.no_grad()):
            for dtype in (torch.float64, torch.bfloat16, torch.float32):
                torch.set_default_dtype(dtype)
                with context:
                    module = RowParallelLinearAddRMSNorm.from_linear(linear, norm, group)
                    with pytest.raises(ValueError, match="subtracts the mean"):
                        RowParallelLinearAddRMSNorm.from_linear(linear, wrong, group)
                assert torch.equal(module.gamma, wanted) and module.eps == 1e-3
                assert torch.equal(module.weight, linear.weight)
    finally:
        torch.set_default_dtype(default)


@pytest.mark.parametrize("kind", ("nn.RMSNorm", "no epsilon given", "Gemma", "Llama"))
def test_without_data(kind, group):
    """On the meta device, and in torch's fake mode, norms are told from one another all the same."""
    make, _ = TAKEN[kind]
    with torch.device("meta"):
        linear, norm, wrong = nn.Linear(INPUTS, FEATURES), make(), nn.LayerNorm(FEATURES)
    module = RowParallelLinearAddRMSNorm.from_linear(linear, norm, group)
    assert module.weight.is_meta and module.bias.is_meta and module.gamma.is_meta
    assert module.eps == RowParallelLinearAddRMSNorm.from_linear(nn.Linear(INPUTS, FEATURES), make(), group).eps
    with pytest.raises(ValueError, match="subtracts the mean"):
        RowParallelLinearAddRMSNorm.from_linear(linear, wrong, group)
    with pytest.raises(ValueError, match="linear.weight is on meta but norm.weight is on cpu"):
        RowParallelLinearAddRMSNorm.from_linear(linear, make(), group)
    with pytest.raises(ValueError, match="linear.weight is on cpu but norm.weight is on meta"):
        RowParallelLinearAddRMSNorm.from_linear(nn.Linear(INPUTS, FEATURES), norm, group)
    with FakeTensorMode():
        fake = RowParallelLinearAddRMSNorm.from_linear(nn.Linear(INPUTS, FEATURES), make(), group)
        with pytest.raises(ValueError, match="subtracts the mean"):
            RowParallelLinearAddRMSNorm.from_linear(nn.Linear(INPUTS, FEATURES), nn.LayerNorm(FEATURES), group)
    assert fake.eps == module.eps


# --------------------------------------------------------------------------------------------------- gamma's dtype


@pytest.mark.parametrize("half", HALVES)
def test_gamma_keeps_its_bits(half, linear, group):
    linear = linear.to(half)
    exact = nn.RMSNorm(FEATURES, eps=1e-6)
    exact.weight.data.fill_(1 + 2**-12)
    gamma = RowParallelLinearAddRMSNorm.from_linear(linear, exact, group).gamma
    assert gamma.dtype == torch.float32 and torch.equal(gamma, exact.weight)
    assert gamma.data_ptr() != exact.weight.data_ptr() and gamma.requires_grad

    own = randomised(nn.RMSNorm(FEATURES, eps=1e-6, dtype=half))
    gamma = RowParallelLinearAddRMSNorm.from_linear(linear, own, group).gamma
    assert gamma.dtype == half and torch.equal(gamma, own.weight)

    other = randomised(nn.RMSNorm(FEATURES, eps=1e-6, dtype=HALVES[HALVES.index(half) - 1]))
    for beside in (linear, nn.Linear(INPUTS, FEATURES)):
        gamma = RowParallelLinearAddRMSNorm.from_linear(beside, other, group).gamma
        assert gamma.dtype == torch.float32 and torch.equal(gamma, other.weight.float())

    folded = randomised(TAKEN["Gemma"][0]()).to(half)
    gamma = RowParallelLinearAddRMSNorm.from_linear(linear, folded, group).gamma
    assert gamma.dtype == torch.float32 and torch.equal(gamma, 1 + folded.weight.float())

    ones = nn.RMSNorm(FEATURES, eps=1e-6, elementwise_affine=False)
    module = RowParallelLinearAddRMSNorm.from_linear(linear, ones, group)
    assert module.gamma.dtype == half and torch.equal(module.gamma, torch.ones_like(module.gamma))
    module = RowParallelLinearAddRMSNorm.from_linear(linear, exact, group).to(half)
    assert module.gamma.dtype == half, "as of any module"


@pytest.mark.parametrize("half", HALVES)
def test_epsilon_of_16_bit_rows(half, linear, group):
    """What eps=None stands for beside 16-bit rows is torch's affair, and was changed between its versions."""
    norm = nn.RMSNorm(FEATURES, dtype=half)
    epsilon = RowParallelLinearAddRMSNorm.from_linear(linear.to(half), norm, group).eps
    rows = (torch.randn(50, FEATURES) * 1e-3).to(half)
    wanted = rows.float() * torch.rsqrt(rows.float().square().mean(-1, keepdim=True) + epsilon)
    torch.testing.assert_close(norm(rows), wanted.to(half), rtol=4 * torch.finfo(half).eps, atol=0)


@pytest.mark.parametrize("half", HALVES)
def test_fp32_gamma_beside_16_bits(half, linear, group):
    linear = linear.to(half)
    norm = randomised(nn.RMSNorm(FEATURES, eps=1e-3))
    module = RowParallelLinearAddRMSNorm.from_linear(linear, norm, group)
    x, residual = inputs(half)
    y, norm_out = module(x, residual)
    with torch.no_grad():
        packed = module.eval()(x, residual)
        wanted = norm(y.float())
    assert norm_out.dtype == half and torch.equal(norm_out, packed[1]) and torch.equal(y, packed[0])
    torch.testing.assert_close(norm_out, wanted.to(half), rtol=2 * torch.finfo(half).eps, atol=1e-6)


def test_gradients_of_fp32_gamma(linear, group):
    module = RowParallelLinearAddRMSNorm.from_linear(linear.bfloat16(), randomised(nn.RMSNorm(FEATURES)), group)
    x, residual = inputs(torch.bfloat16)
    y, norm_out = module(x, residual.requires_grad_())
    weights = torch.randn(norm_out.shape).bfloat16()
    (norm_out * weights).sum().backward()
    z = y.detach().double()
    z = z * torch.rsqrt(z.square().mean(-1, keepdim=True) + module.eps)
    assert module.gamma.grad.dtype == torch.float32 and module.weight.grad.dtype == torch.bfloat16
    torch.testing.assert_close(module.gamma.grad, (weights * z).sum(0).float(), rtol=1e-4, atol=1e-5)

    gamma = module.gamma.detach().requires_grad_()
    y, norm_out = torch.ops.mmarn.all_reduce_add_rms_norm(y.detach(), residual.detach(), gamma, group.name)
    norm_out.sum().backward()
    assert gamma.grad.dtype == torch.float32


# ------------------------------------------------------------------------------------------------------ the linear


@pytest.mark.parametrize("kind", LINEARS_TAKEN)
def test_linear_taken(kind, group, seed):
    torch.manual_seed(seed)
    for dtype in (torch.float32, torch.bfloat16):
        linear = LINEARS_TAKEN[kind]().to(dtype)
        x, residual = inputs(dtype)
        wanted = uncompiled(linear)(x).float() + residual.float()  # a pruned one makes its weight in a call
        module = RowParallelLinearAddRMSNorm.from_linear(linear, nn.RMSNorm(FEATURES, dtype=dtype), group)
        found = module(x, residual)[0].float()
        assert ((found - wanted).abs() <= 4 * torch.finfo(dtype).eps * wanted.abs().amax(-1, keepdim=True)).all()


@pytest.mark.parametrize("kind", LINEARS_REFUSED)
def test_linear_refused(kind, group):
    make, told = LINEARS_REFUSED[kind]
    with pytest.raises((TypeError, ValueError), match=told) as caught:
        RowParallelLinearAddRMSNorm.from_linear(make(), nn.RMSNorm(FEATURES), group)
    assert "\n" not in str(caught.value)


# --------------------------------------------------------------------------------------------------- transformers'

# module -> {class: what is added to weight to make gamma; None where it is refused}
TRANSFORMERS = {
    "llama": {"LlamaRMSNorm": 0}, "t5": {"T5LayerNorm": 0}, "gemma": {"GemmaRMSNorm": 1},
    "gemma2": {"Gemma2RMSNorm": 1}, "gemma3": {"Gemma3RMSNorm": 1}, "gemma3n": {"Gemma3nRMSNorm": 0},
    "recurrent_gemma": {"RecurrentGemmaRMSNorm": 1}, "qwen2": {"Qwen2RMSNorm": 0}, "qwen3": {"Qwen3RMSNorm": 0},
    "qwen3_next": {"Qwen3NextRMSNorm": 1, "Qwen3NextRMSNormGated": None}, "mistral": {"MistralRMSNorm": 0},
    "phi3": {"Phi3RMSNorm": 0}, "olmo": {"OlmoLayerNorm": None}, "olmo2": {"Olmo2RMSNorm": 0},
    "llama4": {"Llama4TextRMSNorm": 0}, "gpt_oss": {"GptOssRMSNorm": 0}, "deepseek_v3": {"DeepseekV3RMSNorm": 0},
    "granite": {"GraniteRMSNorm": 0}, "cohere": {"CohereLayerNorm": None}, "nemotron": {"NemotronLayerNorm1P": None},
    "mamba2": {"Mamba2RMSNorm": 0}, "falcon_h1": {"FalconH1RMSNormGated": 0}, "imagegpt": {"ImageGPTLayerNorm": 0},
}


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_transformers(name, linear, group):
    pytest.importorskip("transformers")
    try:
        models = importlib.import_module(f"transformers.models.{name}.modeling_{name}")
    except ImportError as error:
        pytest.skip(f"not in this version: {error}")
    for kind, added in TRANSFORMERS[name].items():
        norm = randomised(getattr(models, kind)(FEATURES))
        if added is None:
            with pytest.raises(ValueError, match=f"norm is {kind}, which is not RMSNorm: it "):
                RowParallelLinearAddRMSNorm.from_linear(linear, norm, group)
            continue
        module = RowParallelLinearAddRMSNorm.from_linear(linear, norm, group)
        assert torch.equal(module.gamma, norm.weight + added)
        with torch.no_grad():
            y, norm_out = module(*inputs())
            torch.testing.assert_close(norm_out, norm(y), rtol=1e-5, atol=1e-9)


def test_transformers_weightless(linear, group):
    models = pytest.importorskip("transformers.models.llama4.modeling_llama4")
    module = RowParallelLinearAddRMSNorm.from_linear(linear, models.Llama4TextL2Norm(1e-3), group)
    assert module.eps == 1e-3 and torch.equal(module.gamma, torch.ones(FEATURES))


def test_transformers_conv1d(group):
    utils = pytest.importorskip("transformers.pytorch_utils")
    for inputs_of in (INPUTS, FEATURES):
        with pytest.raises(ValueError, match="linear is Conv1D, .*not by its transpose"):
            RowParallelLinearAddRMSNorm.from_linear(utils.Conv1D(FEATURES, inputs_of), nn.RMSNorm(FEATURES), group)
