# SPDX-License-Identifier: MIT
"""The module: values, training, what makes it pack again, quantised weights, state_dict, copies, refusals."""

import copy
import io

import pytest
import torch
from torch import nn

import mmarn
from mmarn.torch import RowParallelLinearAddRMSNorm, group_from_process_group
from mmarn.torch import packed as packed_weights
from torch_cases import EPSILON, add_rms_norm, assert_near, make_case


class LlamaNorm(nn.Module):
    """As Llama-type models name things."""

    def __init__(self, weight, epsilon):
        super().__init__()
        self.weight, self.variance_epsilon = nn.Parameter(weight), epsilon

    def forward(self, x):
        y = x.float()
        return self.weight * (y * torch.rsqrt(y.square().mean(-1, keepdim=True) + self.variance_epsilon)).to(x.dtype)


def whole_layer(seed, world, dtype, bias=True, k=20):
    """(linear, norm, x, residual) of a layer that is not split, with k inputs for each rank."""
    case = make_case(seed, world, dtype, k=k)
    linear = nn.Linear(k * world, 36, bias=bias, dtype=dtype)
    with torch.no_grad():
        linear.weight.copy_(torch.cat(case.x2).t())
        if bias:
            linear.bias.copy_(case.bias[0])
    return linear, LlamaNorm(case.gamma, EPSILON), torch.cat(case.x1, dim=-1), case.residual


def unsplit(linear, norm, x, residual):
    """What the unsplit layers make of it, in float64."""
    linear, norm = copy.deepcopy(linear).double(), copy.deepcopy(norm).double()
    return add_rms_norm(linear(x.double()), residual.double(), norm.weight)


def documented(world, rank, seed):
    """The lines that docs/torch.md shows."""
    linear, norm, whole, residual = whole_layer(seed, world, torch.float32)
    x = whole.chunk(world, dim=-1)[rank]

    group = group_from_process_group()
    layer = RowParallelLinearAddRMSNorm.from_linear(linear, norm, group)
    y, norm_out = layer(x, residual)

    wanted = unsplit(linear, norm, whole, residual)
    assert_near(y, wanted[0])
    assert_near(norm_out, wanted[1])


def test_documented(run_all, seed):
    run_all(documented, seed)


def from_linear(world, rank, seed):
    group = group_from_process_group()
    for dtype in (torch.float32, torch.bfloat16):
        for bias in (False, True):
            linear, norm, x, residual = whole_layer(seed, world, dtype, bias)
            module = RowParallelLinearAddRMSNorm.from_linear(linear, norm, group)
            part = x.chunk(world, dim=-1)[rank]
            trained = module(part, residual)
            with torch.no_grad():
                unpacked = module(part, residual)
                packed_once = module.eval()(part, residual)
            wanted = unsplit(linear, norm, x, residual)
            assert_near(trained[0], wanted[0])
            assert_near(trained[1], wanted[1])
            for outputs in (unpacked, packed_once):
                assert all(torch.equal(a, b) for a, b in zip(trained, outputs, strict=True))


def test_from_linear(run_all, seed):
    run_all(from_linear, seed)


def training(world, rank, seed):
    """Steps of SGD on the split layer and on the whole one give the same parameters."""
    group = group_from_process_group()
    linear, norm, x, residual = whole_layer(seed, world, torch.float32)
    module = RowParallelLinearAddRMSNorm.from_linear(linear, norm, group)
    linear, norm = linear.double(), norm.double()
    part = x.chunk(world, dim=-1)[rank]
    ours = torch.optim.SGD(module.parameters(), lr=0.01)
    theirs = torch.optim.SGD([*linear.parameters(), *norm.parameters()], lr=0.01)
    for _ in range(3):
        for optimiser, outputs in (
            (ours, module(part, residual)),
            (theirs, add_rms_norm(linear(x.double()), residual.double(), norm.weight)),
        ):
            optimiser.zero_grad()
            (outputs[0] * outputs[1]).mean().backward()
            optimiser.step()
    assert_near(module.weight.detach(), linear.weight.detach().chunk(world, dim=1)[rank])
    assert_near(module.gamma.detach(), norm.weight.detach())
    if rank == 0:
        assert_near(module.bias.detach(), linear.bias.detach())
    else:
        assert not module.bias.grad.any(), "only rank 0's bias counts"
    with torch.no_grad():
        assert_near(module.eval()(part, residual)[0], unsplit(linear, norm, x, residual)[0])


def test_training(run_all, seed):
    run_all(training, seed)


def restore(module):
    """The weight that integers and scales stand for, in float64, and the largest of each group."""
    k, size = module.in_features_local, module.group_size or module.in_features_local
    integers = module.weight
    if module.quantised == "int4":
        integers = torch.stack([module.weight & 15, module.weight >> 4], dim=2).view(-1, k).int()
        integers = (integers ^ 8) - 8
    scale = module.scale.double().view(-1, module.out_features).t().repeat_interleave(size, dim=1)[:, :k]
    return integers.double() * scale, scale


def quantised(world, rank, seed, kind, group_size, wanted_size):
    group = group_from_process_group()
    for dtype in (torch.float32, torch.float16):
        linear, norm, x, residual = whole_layer(seed, world, dtype, k=300)
        linear.weight.data[3] = 0
        module = RowParallelLinearAddRMSNorm.from_linear(linear, norm, group)
        weight = module.weight.detach().double()
        assert module.quantise_(kind, group_size) is module and module.group_size == wanted_size
        restored, scale = restore(module)
        assert module.weight.dtype == (torch.int8 if kind == "int8" else torch.uint8) and module.scale.dtype == dtype
        size, most = wanted_size or weight.shape[1], 127 if kind == "int8" else 7
        parts = weight.split(size, dim=1)
        largest = torch.cat([part.abs().amax(dim=1, keepdim=True).expand_as(part) for part in parts], dim=1)
        assert ((restored - weight).abs() <= 0.51 * largest / most + weight.abs() * torch.finfo(dtype).eps).all()

        # The result is that of the layer with the restored weights; it needs the partials of all ranks.
        parts = [None] * world
        torch.distributed.all_gather_object(parts, restored)
        linear = linear.double()
        linear.weight.data = torch.cat(parts, dim=1)
        with torch.no_grad():
            y, norm_out = module.eval()(x.chunk(world, dim=-1)[rank], residual)
        wanted = unsplit(linear, norm, x, residual)
        assert_near(y, wanted[0])
        assert_near(norm_out, wanted[1])


@pytest.mark.parametrize("kind, group_size, wanted_size", [
    ("int8", None, 0), ("int8", 32, 32), ("int4", None, 128), ("int4", 32, 32), ("int4", 0, 0)])
def test_quantised(run_all, seed, kind, group_size, wanted_size):
    run_all(quantised, seed, kind, group_size, wanted_size)


# ------------------------------------------------------------------------------------------------- one rank


@pytest.fixture
def group():
    with mmarn.Group(name="module") as group:
        yield group


@pytest.fixture
def layer(group, seed):
    linear, norm, x, residual = whole_layer(seed, 1, torch.float32)
    return RowParallelLinearAddRMSNorm.from_linear(linear, norm, group).eval(), x, residual


@pytest.fixture
def packings(monkeypatch):
    """A list that gets an entry for every mmarn.Op that is made."""
    made = []
    make = mmarn.Op

    def count(*args, **options):
        made.append(options)
        return make(*args, **options)

    monkeypatch.setattr(packed_weights.mmarn, "Op", count)
    return made


def assert_current(module, x, residual):
    """Packed outputs are those of the parameters as they are now."""
    with torch.no_grad():
        found = module(x, residual)
    wanted = torch.ops.mmarn.mm_all_reduce_add_rms_norm(
        x, module.weight.detach().t(), residual, module.gamma.detach(), module.group, module.bias.detach(),
        epsilon=module.eps, bias_once=True)
    assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))


def replaced_parameter(module):
    module.weight = nn.Parameter(torch.randn_like(module.weight))


def replaced_data(module):
    module.weight.data = torch.randn_like(module.weight)


def loaded(module):
    module.load_state_dict({name: torch.randn_like(value) for name, value in module.state_dict().items()})


def step(module, **options):
    for parameter in module.parameters():
        parameter.grad = torch.randn_like(parameter)
    torch.optim.Adam(module.parameters(), **options).step()


def stepped(module):
    step(module)


def stepped_fused(module):
    """Torch counts no write, so it takes train() and eval()."""
    step(module.train(), fused=True)
    module.eval()


def scaled_gamma(module):
    with torch.no_grad():
        module.gamma.mul_(2)


def negated_bias(module):
    with torch.no_grad():
        module.bias.neg_()


CHANGES = (replaced_parameter, replaced_data, loaded, stepped, stepped_fused, scaled_gamma, negated_bias)


@pytest.mark.parametrize("change", CHANGES)
def test_packs_once_and_again_after_a_change(layer, packings, change):
    for _ in range(3):
        assert_current(*layer)
    assert len(packings) == 1
    change(layer[0])
    for _ in range(3):
        assert_current(*layer)
    assert len(packings) == 2


def test_training_in_eval_mode_with_a_fused_optimiser(layer, packings):
    module, x, residual = layer
    assert_current(*layer)
    module(x, residual)[1].square().sum().backward()
    torch.optim.SGD(module.parameters(), lr=0.1, fused=True).step()
    assert_current(*layer)
    assert len(packings) == 2


def test_nothing_is_packed_in_train_mode(layer, packings):
    module, x, residual = layer
    assert_current(module.train(), x, residual)
    assert packings == []


def test_other_dtype(layer):
    module, x, residual = layer
    assert_current(module, x, residual)
    assert_current(module.to(torch.bfloat16), x.bfloat16(), residual.bfloat16())


def test_inference_mode(layer, packings):
    module, x, residual = layer
    with torch.inference_mode():
        wanted = module(x, residual)
        assert torch.equal(module(x, residual)[0], wanted[0])
        assert len(packings) == 1
        copied = copy.deepcopy(module)  # of inference tensors, whose changes torch does not count: nothing is packed
        assert torch.equal(copied(x, residual)[0], wanted[0])
        copied.weight.mul_(3)
        copied.gamma.neg_()
        found = copied(x, residual)
        assert len(packings) == 1
        wanted = add_rms_norm(x @ copied.weight.t() + copied.bias, residual, copied.gamma)
    assert_near(found[0], wanted[0])
    assert_near(found[1], wanted[1])


def test_group_made_anew(layer):
    """A module knows its group by name; packed weights belong to one that may have been closed."""
    module, x, residual = layer
    assert_current(module, x, residual)
    mmarn.find_group("module").close()
    with torch.no_grad(), pytest.raises(ValueError, match="module"):
        module(x, residual)
    with mmarn.Group(name="module"):
        assert_current(module, x, residual)


def test_release_packed(layer, packings):
    module, x, residual = layer
    assert_current(module, x, residual)
    module.release_packed()
    module.release_packed()
    assert_current(module, x, residual)
    assert len(packings) == 2


@pytest.mark.parametrize("kind", ["int8", "int4"])
def test_state_dict(layer, group, kind):
    module, x, residual = layer
    state = module.state_dict()
    assert sorted(state) == ["bias", "gamma", "weight"]
    other = RowParallelLinearAddRMSNorm(20, 36, group=group, bias=True, eps=EPSILON)
    other.load_state_dict(state)
    module.quantise_(kind)
    assert sorted(module.state_dict()) == ["bias", "gamma", "scale", "weight"]
    with pytest.raises(RuntimeError, match="scale"):
        other.load_state_dict(module.state_dict())
    other = RowParallelLinearAddRMSNorm(20, 36, group=group, bias=True, eps=EPSILON).quantise_(kind).eval()
    other.load_state_dict(module.state_dict())
    with torch.no_grad():
        assert torch.equal(other(x, residual)[1], module(x, residual)[1])
        assert torch.equal(copy.deepcopy(other).train()(x, residual)[1], module(x, residual)[1])  # where it lies
    assert f"{kind} in groups of 20" in repr(other)


def test_copies_have_packed_weights_of_their_own(layer):
    module, x, residual = layer
    assert_current(module, x, residual)
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    for other in (copy.deepcopy(module), torch.load(file, weights_only=False)):
        assert_current(other, x, residual)
        with torch.no_grad():
            other.weight.mul_(3)
        assert_current(other, x, residual)
        assert_current(module, x, residual)


def test_norms_and_defaults(group):
    linear = nn.Linear(8, 16)
    assert linear.bias is not None
    for norm, eps in ((nn.RMSNorm(16), torch.finfo(torch.float32).eps), (nn.RMSNorm(16, eps=1e-3), 1e-3),
                      (nn.RMSNorm(16, eps=1e-3, elementwise_affine=False), 1e-3)):
        module = RowParallelLinearAddRMSNorm.from_linear(linear, norm, "module")
        assert module.eps == eps and torch.equal(module.gamma, torch.ones(16))
        x, residual = torch.randn(3, 8), torch.randn(3, 16)
        _, norm_out = module(x, residual)
        torch.testing.assert_close(norm_out, norm(linear(x) + residual))
    plain = RowParallelLinearAddRMSNorm(8, 16, group=group, dtype=torch.bfloat16)
    assert plain.bias is None and plain.weight.dtype == torch.bfloat16
    assert 0 < plain.weight.abs().max() <= 8**-0.5
    assert "in_features_local=8, out_features=16, bias=False" in repr(plain)


def indivisible(world, rank):
    group = group_from_process_group()
    with pytest.raises(ValueError, match=r"linear\.in_features is 9, not a multiple of the 2 ranks"):
        RowParallelLinearAddRMSNorm.from_linear(nn.Linear(9, 4), nn.RMSNorm(4), group)


def test_indivisible(run):
    run(2, indivisible)


def test_refusals(layer):
    module, x, residual = layer
    with pytest.raises(ValueError, match=r"norm.weight is \(37,\) but linear.out_features is 36"):
        RowParallelLinearAddRMSNorm.from_linear(nn.Linear(20, 36), nn.RMSNorm(37), "module")
    with pytest.raises(ValueError, match="nowhere"):
        RowParallelLinearAddRMSNorm(20, 36, group="nowhere")
    with pytest.raises(ValueError, match="kind is 'fp8'"):
        module.quantise_("fp8")
    for size in (16, -32, 1):
        with pytest.raises(ValueError, match=f"group_size is {size}, but must be 0"):
            module.quantise_("int4", size)
    with pytest.raises(ValueError, match="weight has 9 columns, but int4 needs an even number"):
        RowParallelLinearAddRMSNorm(9, 16, group="module").quantise_("int4")
    for grad in (torch.no_grad(), torch.enable_grad()):
        with grad, pytest.raises(ValueError, match="x1"):
            module(x[..., :-1], residual)
    module.quantise_()
    with pytest.raises(RuntimeError, match="weight is quantised already"):
        module.quantise_()
    with pytest.raises(RuntimeError, match="x1 requires a gradient"):
        module(x.requires_grad_(), residual)
