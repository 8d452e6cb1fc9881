# SPDX-License-Identifier: MIT
"""examples/smollm2*.py on a small random model: any division agrees with the undivided model, and mistakes show."""

import copy

import pytest
import torch

from mmarn.torch import group_from_process_group
from small_llama import VOCABULARY, SmallLlama
from smollm2 import check
from smollm2_check import exact_and_bound
from smollm2_parallel import MmarnRanks, TorchRanks, parallelise

DTYPES = [torch.float32, torch.bfloat16, torch.float16]


def small_case(seed, heads=9, key_value_heads=3, dtype=torch.float32, bias=False):
    """(model, ids), the same on every rank."""
    model = SmallLlama(seed, heads, key_value_heads, bias).to(dtype).requires_grad_(False).eval()
    return model, torch.randint(VOCABULARY, (1, 11))


def divided_by_mmarn(world, rank, seed, dtype, int8):
    model, ids = small_case(seed, dtype=dtype, bias=True)
    with group_from_process_group() as group:
        divided = parallelise(copy.deepcopy(model), MmarnRanks(group, int8))
        good = check(model, divided, ids, int8)
        with torch.inference_mode():
            return good, divided(ids).logits.float().numpy().tobytes()


@pytest.mark.parametrize("int8", [False, True], ids=["floats", "int8"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_agrees_and_is_the_same_on_every_rank(run, seed, dtype, int8):
    """9 heads, 52 hidden columns and 67 tokens over 2 ranks: every part is uneven."""
    answers = run(2, divided_by_mmarn, seed, dtype, int8)
    assert [good for good, _ in answers] == [True, True]
    assert answers[0][1] == answers[1][1]


@pytest.mark.parametrize("world", [1, 3])
def test_other_numbers_of_ranks(run, seed, world):
    assert all(good for good, _ in run(world, divided_by_mmarn, seed, torch.float32, False))


def divided_by_torch(world, rank, seed, dtype):
    model, ids = small_case(seed, dtype=dtype, bias=True)
    return check(model, parallelise(copy.deepcopy(model), TorchRanks()), ids)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_torch_distributed_agrees(run, seed, dtype):
    assert run(2, divided_by_torch, seed, dtype) == [True, True]


def spoilt(world, rank, seed, spoil):
    model, ids = small_case(seed)
    with group_from_process_group() as group:
        divided = parallelise(copy.deepcopy(model), MmarnRanks(group))
        with torch.no_grad():
            spoil(divided.model.layers[1], rank)
        return check(model, divided, ids)


def one_weight(layer, rank):
    """Off by a thousandth on one rank, in a model of thousands of weights."""
    if rank == 1:
        weight = layer.attention_end.weight
        weight.view(-1)[weight.abs().argmax()] *= 1.001


def one_gamma(layer, rank):
    layer.mlp_end.gamma[5] *= 1.001


def heads_exchanged(layer, rank):
    if rank == 1:
        layer.attention_end.weight.copy_(layer.attention_end.weight.roll(24, dims=1))


@pytest.mark.parametrize("spoil", [one_weight, one_gamma, heads_exchanged])
def test_a_mistake_shows(run, seed, spoil):
    assert run(2, spoilt, seed, spoil) == [False, False]


def too_few_heads(world, rank, seed):
    model, _ = small_case(seed, heads=6, key_value_heads=1)
    with pytest.raises(ValueError, match="the model has 1 key-value heads, too few for 2 ranks"):
        parallelise(model, TorchRanks())


def test_too_few_heads(run, seed):
    run(2, too_few_heads, seed)


def test_exact_logits_are_those_of_float64(seed):
    """The formulas of smollm2_check.py against the model itself, whose norms compute in float32."""
    model, ids = small_case(seed, bias=True)
    exact, bound = exact_and_bound(model, ids)
    plain = copy.deepcopy(model).double()(ids).logits[0]
    assert ((exact - plain).abs() <= bound).all() and (bound < 1e-3).all()
    assert (bound > 0).all()
