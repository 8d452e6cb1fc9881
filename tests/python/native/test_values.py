# SPDX-License-Identifier: MIT
"""Values of whole calls, every scenario and mode, on ranks that are threads, against float64 (see reference.py)."""

import numpy
import pytest

import mmarn
from cases import FLOAT, INT8, SCENARIOS, WEIGHTS, make_case
from floats import half_ulp
from ranks import run_threads
from reference import Chain, assert_close, sum_over_ranks

NUMERICS = ["default", "ascend", "fp32"]


def poisoned(like):
    return numpy.full_like(like, numpy.nan)


def run_case(case, world, call):
    """call(group, case, rank) -> (y, norm_out) on every rank; checks them all, and that y has the same bits."""
    results = run_threads(world, lambda group: call(group, case, group.rank))
    for y, norm_out in results:
        case.check(y, norm_out)
        assert y.tobytes() == results[0][0].tobytes()
    return results


def by_op(group, case, rank):
    y, norm_out = poisoned(case.residual), poisoned(case.residual)
    with mmarn.Op(group, case.x2[rank], case.gamma, **case.op_options(rank)) as op:
        got = op(case.x1[rank], case.residual, x1_scale=case.x1_scale[rank], y=y, norm_out=norm_out)
        assert got[0] is y and got[1] is norm_out
    return y, norm_out


def by_function(group, case, rank):
    return mmarn.mm_all_reduce_add_rms_norm(case.x1[rank], case.x2[rank], case.residual, case.gamma, group,
                                            x1_scale=case.x1_scale[rank], **case.op_options(rank))


@pytest.mark.parametrize("world", [1, 2, 4])
@pytest.mark.parametrize("numerics", NUMERICS)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_op_and_function(seed, scenario, numerics, world):
    ks = [64 + 32 * rank for rank in range(world)]
    case = make_case(scenario, seed, ks, 6, 38, lead=(2, 3), has_bias=True, numerics=numerics)
    by_both = [run_case(case, world, call) for call in (by_op, by_function)]
    assert by_both[0][0][1].tobytes() == by_both[1][0][1].tobytes()


def test_modes_reach_the_library(seed):
    """Three modes, three results: the bounds of one may hold for another."""
    case = make_case("bf16", seed, [64, 64, 64], 8, 256)
    results = []
    for case.numerics in NUMERICS:
        results += [run_case(case, 3, call)[0][1].tobytes() for call in (by_op, by_function)]
    assert len(set(results)) == 3 and results[::2] == results[1::2]


@pytest.mark.parametrize("mode", ["tensor", "channel", "row"])
@pytest.mark.parametrize("per_token", [False, True])
@pytest.mark.parametrize("scenario", INT8)
def test_int8_scales(seed, scenario, per_token, mode):
    case = make_case(scenario, seed, [70, 33], 5, 24, per_token=per_token, mode=mode)
    run_case(case, 2, by_op)
    run_case(case, 2, by_function)


@pytest.mark.parametrize("mode", ["tensor", "channel", "row", "group"])
@pytest.mark.parametrize("has_offset", [False, True])
@pytest.mark.parametrize("scenario", WEIGHTS)
def test_weight_scales(seed, scenario, has_offset, mode):
    case = make_case(scenario, seed, [80, 65], 5, 24, has_offset=has_offset, mode=mode)
    run_case(case, 2, by_op)
    run_case(case, 2, by_function)


@pytest.mark.parametrize("scenario", ["f16", "int8-words-f16", "w8-bf16", "w4-f16"])
def test_transposed_x2(seed, scenario):
    case = make_case(scenario, seed, [64], 3, 24)
    straight = run_case(case, 1, by_op)
    x2 = case.x2[0]
    if scenario.startswith("w4"):  # nibbles along k, seen as (k / 2, n)
        nibbles = numpy.stack([x2 & 15, (x2 >> 4) & 15], axis=-1).reshape(64, 24).T
        x2 = numpy.ascontiguousarray(nibbles[:, 0::2] | nibbles[:, 1::2] << 4).astype(numpy.uint8).T
    else:
        x2 = numpy.ascontiguousarray(x2.T).T
    case.x2[0] = x2
    assert run_case(case, 1, by_op)[0][1].tobytes() == straight[0][1].tobytes()
    assert run_case(case, 1, by_function)[0][1].tobytes() == straight[0][1].tobytes()


@pytest.mark.parametrize("dtype", FLOAT)
def test_in_place(seed, dtype):
    case = make_case(dtype, seed, [48, 32], 4, 40)

    def call(group):
        own = case.residual.copy()
        y, norm_out = mmarn.Op(group, case.x2[group.rank], case.gamma, **case.op_options(group.rank))(
            case.x1[group.rank], own, y=own)
        assert y is own
        return y, norm_out

    for y, norm_out in run_threads(2, call):
        case.check(y, norm_out)


def test_own_residuals(seed):
    """Ranks with residuals of their own get outputs of their own."""
    case = make_case("f32", seed, [16, 16], 3, 8)
    shifted = make_case("f32", seed, [16, 16], 3, 8)
    shifted.residual = -2 * case.residual
    mine = [case, shifted]
    results = run_threads(2, lambda group: by_op(group, mine[group.rank], group.rank))
    for own, (y, norm_out) in zip(mine, results):
        own.check(y, norm_out)


@pytest.mark.parametrize("flag", [False, True])
def test_bias_once(seed, flag):
    case = make_case("f32", seed, [16, 24], 3, 8)
    bias = numpy.random.default_rng(seed).standard_normal(8).astype(numpy.float32)
    for rank, chain in enumerate(case.chains):
        case.bias[rank] = bias
        case.options[rank] = {"bias_once": flag}
        if rank == 0 or not flag:
            chain.partial = chain.partial + bias
            chain.variance = chain.variance + chain.partial**2
    run_case(case, 2, by_op)


@pytest.mark.parametrize("world", [1, 2, 4])
@pytest.mark.parametrize("numerics", NUMERICS)
@pytest.mark.parametrize("dtype", FLOAT)
def test_parts(seed, dtype, numerics, world):
    """The matmul alone, the all-reduce alone and the all-reduce with residual and norm."""
    case = make_case(dtype, seed, [32] * world, 4, 40, numerics=numerics)
    parts = [numpy.asarray(chain.partial, numpy.float32).astype(case.residual.dtype) for chain in case.chains]

    def call(group):
        with mmarn.Op(group, case.x2[group.rank], case.gamma, **case.op_options(group.rank)) as op:
            partial = op.matmul(case.x1[group.rank])
        total = poisoned(case.residual)
        assert group.all_reduce(parts[group.rank], total, numerics=numerics) is total
        return partial, total, group.all_reduce_add_rms_norm(parts[group.rank], case.residual, case.gamma,
                                                             epsilon=case.epsilon, numerics=numerics)

    results = run_threads(world, call)
    alone = [Chain(part.astype(numpy.float64), 0) for part in parts]
    exact, error = sum_over_ranks(alone, numerics, dtype)
    if numerics == "fp32" or dtype == "f32":  # without a norm the sum itself is rounded, once
        error = error + half_ulp(numpy.abs(exact) + error, dtype)
    rounded_case = make_case(dtype, seed, [32] * world, 4, 40, numerics=numerics)
    rounded_case.chains = alone
    for rank, (partial, total, (y, norm_out)) in enumerate(results):
        chain = case.chains[rank]
        assert_close("partial", partial, (chain.partial, 8 * 2.0**-24 * numpy.sqrt(chain.variance)))
        assert_close("out", total, (exact, error))
        rounded_case.check(y, norm_out)


def test_quantisation_words(seed):
    generator = numpy.random.default_rng(seed)
    scale = generator.standard_normal(33).astype(numpy.float32)
    offset = generator.uniform(-400, 400, 33).astype(numpy.float32)
    bits = scale.view(numpy.uint32).astype(numpy.uint64)
    truncated = bits & numpy.uint64(0xFFFFE000) | numpy.uint64(1 << 46)
    assert (mmarn.trans_quant_param(scale).view(numpy.uint64) == truncated).all()
    nearest = (bits + numpy.uint64(0xFFF) + (bits >> numpy.uint64(13) & numpy.uint64(1))) & numpy.uint64(0xFFFFE000)
    got = mmarn.trans_quant_param(scale, offset, 1)
    clamped = numpy.clip(numpy.rint(offset), -256, 255).astype(numpy.int64) & 0x1FF
    expected = nearest | numpy.uint64(1 << 46) | (clamped.astype(numpy.uint64) << numpy.uint64(37))
    assert got.dtype == numpy.int64 and (got.view(numpy.uint64) == expected).all()
