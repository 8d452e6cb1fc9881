# SPDX-License-Identifier: MIT
"""Random shapes, ranks, scenarios, modes and mistakes, drawn by hypothesis; the same ones in every run."""

import numpy
from hypothesis import given, settings
from hypothesis import strategies as st

import mmarn
from cases import FLOAT, INT8, SCENARIOS, WEIGHTS, make_case
from ranks import run_threads


@st.composite
def cases(draw):
    scenario = draw(st.sampled_from(SCENARIOS))
    group = scenario in WEIGHTS and draw(st.booleans())
    ks = draw(st.lists(st.integers(33 if group else 1, 150), min_size=1, max_size=5))
    n = draw(st.integers(1, 150))
    if scenario in WEIGHTS:
        n += n % 2  # two elements of int4 to a byte
    lead = draw(st.sampled_from([(1,), (3,), (7,), (2, 4), (1, 1), (33,)]))
    modes = ["group"] if group else ["tensor", "channel", "row"]
    return make_case(scenario, draw(st.integers(0, 2**31)), ks, int(numpy.prod(lead)), n, lead=lead,
                     has_bias=draw(st.booleans()), numerics=draw(st.sampled_from(["default", "ascend", "fp32"])),
                     mode=draw(st.sampled_from(modes)), per_token=scenario in INT8 and draw(st.booleans()),
                     has_offset=draw(st.booleans()))


@settings(max_examples=120)
@given(case=cases(), borrow=st.booleans(), in_place=st.booleans(), threads=st.integers(1, 3), flat=st.booleans())
def test_any_call(case, borrow, in_place, threads, flat):
    residual = case.residual.reshape(-1, case.gamma.size) if flat else case.residual

    def call(group):
        rank = group.rank
        own = residual.copy()
        y = own if in_place else numpy.full_like(own, numpy.nan)
        with mmarn.Op(group, case.x2[rank], case.gamma, borrow_x2=borrow, **case.op_options(rank)) as op:
            by_op = op(case.x1[rank], own, x1_scale=case.x1_scale[rank], y=y)
        assert by_op[0] is y and (in_place or (own == residual).all())
        function = mmarn.mm_all_reduce_add_rms_norm(case.x1[rank], case.x2[rank], residual, case.gamma, group,
                                                    x1_scale=case.x1_scale[rank], **case.op_options(rank))
        assert [a.tobytes() for a in by_op] == [a.tobytes() for a in function]
        return by_op

    results = run_threads(len(case.x1), call, threads=threads)
    for y, norm_out in results:
        case.check(y, norm_out)
        assert y.tobytes() == results[0][0].tobytes()


@settings(max_examples=40)
@given(dtype=st.sampled_from(FLOAT), shape=st.lists(st.integers(1, 9), min_size=1, max_size=4),
       world=st.integers(1, 5), seed=st.integers(0, 2**31))
def test_any_sum(dtype, shape, world, seed):
    """Whole numbers, which every type and every order sum exactly."""
    parts = numpy.random.default_rng(seed).integers(-20, 21, (world, *shape))
    plain = make_case(dtype, 0, [1], 1, 1).gamma.dtype
    for total in run_threads(world, lambda group: group.all_reduce(parts[group.rank].astype(plain))):
        assert total.dtype == plain and (total.astype(int) == parts.sum(axis=0)).all()


WRONG = st.one_of(
    st.none(), st.integers(-2**70, 2**70), st.floats(), st.text(max_size=5), st.binary(max_size=5),
    st.lists(st.floats(), max_size=3),
    st.builds(lambda shape, dtype, step: numpy.ones(shape, dtype)[..., ::step],
              st.lists(st.integers(0, 40), min_size=1, max_size=6).filter(lambda s: numpy.prod(s) < 10**5),
              st.sampled_from(["float16", "float32", "float64", "int8", "uint8", "int32", "int64", "uint64", "bool"]),
              st.sampled_from([1, 1, 2, -1])))
ARGUMENTS = ["x1", "x2", "residual", "gamma", "bias", "epsilon", "reduce_op", "comm_turn", "numerics", "bias_once",
             "strict", "dequant_scale", "antiquant_scale", "antiquant_offset", "antiquant_group_size", "x2_dtype",
             "x1_scale", "y", "norm_out"]


@settings(max_examples=300)
@given(wrong=st.dictionaries(st.sampled_from(ARGUMENTS), WRONG, min_size=1, max_size=3),
       scenario=st.sampled_from(["f32", "int8-f32-f32", "w8-f16", "w4-bf16"]))
def test_any_mistake(wrong, scenario):
    """Any argument may be anything: the call works or an exception names what is wrong, and the peers know."""
    case = make_case(scenario, 3, [32, 32], 4, 24)

    def call(group):
        rank = group.rank
        arguments = {"x1": case.x1[rank], "x2": case.x2[rank], "residual": case.residual, "gamma": case.gamma,
                     "y": numpy.full_like(case.residual, 7), "norm_out": numpy.full_like(case.residual, 8),
                     **case.op_options(rank)}
        try:
            mmarn.mm_all_reduce_add_rms_norm(**{**arguments, **(wrong if rank == 1 else {})}, group=group)
            refused = False
        except (TypeError, ValueError) as error:
            assert str(error)
            refused = True
            if rank == 0:
                assert error.status == "MMARN_ERR_MISMATCH"
                assert (arguments["y"] == 7).all() and (arguments["norm_out"] == 8).all()
        again = mmarn.mm_all_reduce_add_rms_norm(**{**arguments, "y": None, "norm_out": None}, group=group)
        return refused, again

    (refused, again), (peer_refused, peer_again) = run_threads(2, call, timeout=20)
    assert refused == peer_refused
    case.check(*again)
    case.check(*peer_again)
