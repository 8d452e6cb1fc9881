# SPDX-License-Identifier: MIT
"""The operator's other forms from Python, against NumPy in float64: outputs one by one, rows of a rank's own, the norm
alone, int8 rows that feed the next matmul; what is refused, and in which words.
"""

import numpy
import pytest

import mmarn
from ranks import run_threads

EPSILON = 1e-6
ROWS, K, N = 7, 48, 40


def arrays(seed, rank):
    random = numpy.random.default_rng((seed, rank))
    return {name: random.standard_normal(shape).astype(numpy.float32)
            for name, shape in (("x1", (ROWS, K)), ("x2", (K, N)), ("x3", (ROWS, N)), ("bias", (N,)))}


def shared(seed):
    random = numpy.random.default_rng(seed)
    return random.standard_normal((ROWS, N)).astype(numpy.float32), random.standard_normal(N).astype(numpy.float32)


def mm_of(seed, world):
    parts = (arrays(seed, rank) for rank in range(world))
    return sum(p["x1"].astype(float) @ p["x2"] + p["bias"] + p["x3"] for p in parts)


def norm_of(values, gamma):
    rstd = 1 / numpy.sqrt((values**2).mean(-1, keepdims=True) + EPSILON)
    return values * rstd * gamma, rstd[:, 0]


def near(found, wanted):
    numpy.testing.assert_allclose(found, wanted, rtol=2e-5, atol=2e-5 * numpy.abs(wanted).max())


def rows_of(world, rank):
    """As numpy.array_split deals rows out."""
    return numpy.array_split(numpy.arange(ROWS), world)[rank]


@pytest.mark.parametrize("world", [1, 2, 3])
@pytest.mark.parametrize("options", [{}, {"norm_first": True}, {"gamma_plus_one": True}, {"shard_rows": True},
                                     {"norm_first": True, "shard_rows": True, "gamma_plus_one": True}])
def test_step(seed, world, options):
    residual, gamma = shared(seed)
    mm = mm_of(seed, world)
    scale = gamma + 1.0 if options.get("gamma_plus_one") else gamma
    if options.get("norm_first"):
        norm, rstd = norm_of(mm, scale)
        y = norm + residual
    else:
        y = mm + residual
        norm, rstd = norm_of(y, scale)

    def member(group):
        own = arrays(seed, group.rank)
        rows = rows_of(world, group.rank) if options.get("shard_rows") else numpy.arange(ROWS)
        with mmarn.Op(group, own["x2"], gamma, bias=own["bias"], epsilon=EPSILON, **options) as op:
            out = op.step(own["x1"], residual[rows], x3=own["x3"], y=True, norm_out=True, mm_out=True, rstd=True)
            quantised = op.step(own["x1"], residual[rows], x3=own["x3"], norm_out="int8")
        assert out.norm_scale is None and quantised.y is None and quantised.mm_out is None
        near(out.mm_out, mm[rows])
        near(out.y, y[rows])
        near(out.norm_out, norm[rows])
        near(out.rstd, rstd[rows])
        assert quantised.norm_out.dtype == numpy.int8 and quantised.norm_scale.shape == (len(rows),)
        near(quantised.norm_scale, numpy.abs(out.norm_out).max(-1) / 127)
        error = numpy.abs(quantised.norm_out * quantised.norm_scale[:, None] - out.norm_out)
        assert (error <= 0.50001 * quantised.norm_scale[:, None]).all()

    run_threads(world, member)


@pytest.mark.parametrize("world", [1, 2, 3])
def test_matmul_and_all_reduce(seed, world):
    mm = mm_of(seed, world)

    def member(group):
        own = arrays(seed, group.rank)
        rows = rows_of(world, group.rank)
        whole = mmarn.mm_all_reduce(own["x1"], own["x2"], group, bias=own["bias"], x3=own["x3"])
        part = mmarn.mm_all_reduce(own["x1"], own["x2"], group, bias=own["bias"], x3=own["x3"], shard_rows=True)
        given = numpy.full_like(whole, numpy.nan)
        assert mmarn.mm_all_reduce(own["x1"], own["x2"], group, bias=own["bias"], x3=own["x3"], out=given) is given
        near(whole, mm)
        assert whole.tobytes() == given.tobytes() and part.tobytes() == whole[rows].tobytes()
        gathered = group.all_gather(part, rows=ROWS)
        assert gathered.tobytes() == whole.tobytes()
        assert group.reduce_scatter(whole).shape == part.shape
        near(group.reduce_scatter(whole), world * mm[rows])
        scales = group.all_gather(rows.astype(numpy.int32), rows=ROWS)
        assert scales.tolist() == list(range(ROWS))

    run_threads(world, member)


def test_parts(seed):
    residual, gamma = shared(seed)
    x = arrays(seed, 0)["x3"]
    with mmarn.Group() as group:
        for member in (None, group):
            out = mmarn.add_rms_norm(x, gamma, residual, group=member, epsilon=EPSILON, y=True, rstd=True)
            near(out.y, x.astype(float) + residual)
            norm, rstd = norm_of(out.y.astype(float), gamma)
            near(out.norm_out, norm)
            near(out.rstd, rstd)
            assert out.mm_out is None
            alone = mmarn.add_rms_norm(x, gamma, group=member, epsilon=EPSILON)
            near(alone.norm_out, norm_of(x.astype(float), gamma)[0])
            assert alone.y is None
        reduced = group.step(x, gamma, residual, epsilon=EPSILON, y=True, norm_out=True, mm_out=True)
        assert reduced.y.tobytes() == out.y.tobytes() and reduced.mm_out.tobytes() == x.tobytes()


def test_int8_rows_feed_a_matmul(seed):
    """An int8 norm_out and its scales as the next x1 and x1_scale, against the float rows through the same weights."""
    residual, gamma = shared(seed)
    weights = numpy.random.default_rng(seed).integers(-127, 128, (N, 24)).astype(numpy.int8)
    scale = numpy.full(24, 0.01, numpy.float32)
    with mmarn.Group() as group, mmarn.Op(group, weights, None, dequant_scale=scale) as op:
        rows = mmarn.add_rms_norm(residual, gamma, norm_out="int8")
        product = op.matmul(rows.norm_out, x1_scale=rows.norm_scale)
        exact = (rows.norm_out.astype(int) @ weights.astype(int)) * 0.01 * rows.norm_scale[:, None].astype(float)
        near(product, exact)


def test_describe():
    with mmarn.Group() as group, mmarn.Op(group, numpy.ones((K, N), numpy.float32), None) as op:
        told = op.describe(ROWS)
        assert told["multiply"] == "fp32" and told["layout"] == "packed" and told["weight_bytes"] >= 4 * K * N
        with pytest.raises(ValueError, match="rows is 0"):
            op.describe(0)


def test_refusals():
    x1, x2 = numpy.ones((ROWS, K), numpy.float32), numpy.ones((K, N), numpy.float32)
    gamma = numpy.ones(N, numpy.float32)
    with mmarn.Group() as group, mmarn.Op(group, x2, None) as plain, mmarn.Op(group, x2, gamma) as op:
        with pytest.raises(ValueError, match="must have an output"):
            op.step(x1)
        with pytest.raises(ValueError, match="gamma is NULL but norm_out is given"):
            plain.step(x1, norm_out=True)
        with pytest.raises(TypeError, match="norm_scale is given but norm_out is not i8"):
            op.step(x1, norm_out=True, norm_scale=True)
        with pytest.raises(TypeError, match="x3"):
            op.step(x1, x3="no array", y=True)
        with pytest.raises(ValueError, match="y is .* but residual is"):
            op.step(x1, numpy.ones((ROWS, N), numpy.float32), y=numpy.ones((ROWS + 1, N), numpy.float32))
        with pytest.raises(ValueError, match=r"gamma is \(40,\) but x's last axis is 48"):
            mmarn.add_rms_norm(x1, gamma)
        with pytest.raises(ValueError, match="which has 7 rows, but out is"):
            group.all_gather(x1, rows=ROWS + 1)
        with pytest.raises(TypeError, match="rows is 'many'"):
            group.all_gather(x1, rows="many")
        assert plain.step(x1, y=True).y[0, 0] == K


def test_calls_queue():
    """Threads of one rank, with nothing but the flag between them and RuntimeError."""
    import threading

    with mmarn.Group(queue=True) as group:
        sums, failures = [], []

        def often(value):
            try:
                sums.extend(group.all_reduce(numpy.full(100, value, numpy.float32))[0] for _ in range(200))
            except BaseException as failure:  # noqa: BLE001 - examined by the waiting thread
                failures.append(failure)

        threads = [threading.Thread(target=often, args=(float(i),)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not failures and sorted(sums) == sorted([0.0, 1.0, 2.0, 3.0] * 200)
