# SPDX-License-Identifier: MIT
"""mmarn.quant's readers of GPTQ, AWQ, compressed-tensors and GGUF: the weights have the bits of each package's own
dequantisation, the operator multiplies with them, and what cannot be expressed is refused with a sentence.

Checkpoints are random bits, so every integer, zero point and place in a word occurs.
"""

import mmarn
import numpy
import packages
import pytest
from mmarn import quant

K, N = 256, 64


def random_words(random, *shape):
    return random.integers(-(2**31), 2**31, shape, dtype=numpy.int64).astype(numpy.int32)


def random_scales(random, *shape):
    return random.uniform(2**-8, 2**-4, shape).astype(numpy.float16)


def expand(weights):
    """(q + offset) * scale in float64 by the definition of int4 alone, (k, n)."""
    x2 = numpy.asarray(weights.x2)
    if weights.x2_dtype == "int4":
        nibbles = numpy.stack([x2 & 15, x2 >> 4], axis=1).reshape(2 * x2.shape[0], -1).astype(numpy.int64)
        q = (nibbles ^ 8) - 8
    else:
        assert x2.dtype == numpy.int8
        q = x2.astype(numpy.int64)
    size = weights.antiquant_group_size or q.shape[0]
    scale, offset = (numpy.repeat(doubles(values), size, axis=0)
                     for values in (weights.antiquant_scale, 0 * weights.antiquant_scale
                                    if weights.antiquant_offset is None else weights.antiquant_offset))
    return (q + offset) * scale


def doubles(values):
    return numpy.asarray(values.double() if hasattr(values, "double") else values).astype(numpy.float64)


def check_product(weights, seed, dtype=numpy.float16):
    """The operator multiplies with the weights that `expand` gives; within a bound that no wrong integer passes."""
    w = expand(weights)
    k, n = w.shape
    random = numpy.random.default_rng(seed)
    x1 = random.standard_normal((3, k)).astype(dtype)
    scale, offset = (None if values is None else doubles(values).astype(dtype)
                     for values in (weights.antiquant_scale, weights.antiquant_offset))
    weights = weights._replace(x2=numpy.asarray(weights.x2), antiquant_scale=scale, antiquant_offset=offset)
    with mmarn.Group(mmarn.create_id(), 0, 1) as group, mmarn.Op(group, weights.x2, None, **weights.options()) as op:
        got = op.matmul(x1)
    want = x1.astype(numpy.float64) @ w
    assert (numpy.abs(got - want) <= 2**-9 * numpy.linalg.norm(x1.astype(numpy.float64), axis=1)[:, None]
            * numpy.linalg.norm(w, axis=0)).all()


# ------------------------------------------------------------------------------------------------------ GPTQ and AWQ


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("group_size", [32, 128, -1])
def test_gptq(seed, bits, group_size):
    torch = pytest.importorskip("torch")
    pytest.importorskip("transformers")
    module = packages.load_file("qlinear_cuda_old", "auto_gptq/nn_modules/qlinear/qlinear_cuda_old.py")
    random = numpy.random.default_rng(seed)
    groups = 1 if group_size == -1 else K // group_size
    tensors = {"qweight": torch.from_numpy(random_words(random, K * bits // 32, N)),
               "qzeros": torch.from_numpy(random_words(random, groups, N * bits // 32)),
               "scales": torch.from_numpy(random_scales(random, groups, N))}
    linear = module.QuantLinear(bits, group_size, K, N, bias=False, weight_dtype=torch.float16)
    linear.load_state_dict({**tensors, "g_idx": linear.g_idx})
    want = linear(torch.eye(K, dtype=torch.float16)).numpy()
    weights = quant.from_gptq(*tensors.values(), linear.g_idx, bits=bits, group_size=group_size)
    numpy.testing.assert_array_equal(expand(weights).astype(numpy.float16), want)
    assert isinstance(weights.x2, torch.Tensor) and weights.antiquant_offset.dtype == torch.float16
    arrays = quant.from_gptq(*(tensor.numpy() for tensor in tensors.values()), bits=bits, group_size=group_size)
    numpy.testing.assert_array_equal(expand(arrays), expand(weights))
    check_product(weights, seed)


def test_gptq_symmetric(seed):
    """Zero points in the middle need no offset, and both ways to store them say the same."""
    random = numpy.random.default_rng(seed)
    qweight, scales = random_words(random, K // 8, N), random_scales(random, 2, N)
    seven, eight = (numpy.full((2, N // 8), word, numpy.uint32).view(numpy.int32) for word in (0x77777777, 0x88888888))
    one = quant.from_gptq(qweight, seven, scales, group_size=128)
    two = quant.from_gptq(qweight, eight, scales, group_size=128, zeros_plus_one=False)
    assert one.antiquant_offset is None and two.antiquant_offset is None
    numpy.testing.assert_array_equal(one.x2, two.x2)
    assert quant.from_gptq(qweight, eight, scales, group_size=128).antiquant_offset is not None


@pytest.mark.parametrize("group_size", [32, 128, -1])
def test_awq(seed, group_size):
    torch = pytest.importorskip("torch")
    module = packages.load_file("packing_utils", "awq/utils/packing_utils.py")
    random = numpy.random.default_rng(seed)
    groups = 1 if group_size == -1 else K // group_size
    qweight, qzeros = (torch.from_numpy(random_words(random, rows, N // 8)) for rows in (K, groups))
    scales = torch.from_numpy(random_scales(random, groups, N))
    want = module.dequantize_gemm(qweight, qzeros, scales, 4, K // groups).numpy()
    weights = quant.from_awq(qweight, qzeros, scales, group_size=group_size)
    numpy.testing.assert_array_equal(expand(weights).astype(numpy.float16), want)
    check_product(weights, seed)


# -------------------------------------------------------------------------------------------------- compressed-tensors


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("groups", [1, 2, 8])
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("scale_type", ["float16", "bfloat16", "float32"])
def test_compressed_tensors(seed, bits, groups, symmetric, scale_type):
    torch = pytest.importorskip("torch")
    pytest.importorskip("transformers")
    helpers = packages.load_package("compressed_tensors.compressors.pack_quantized.helpers")
    quantization = packages.load_package("compressed_tensors.quantization")
    lifecycle = packages.load_package("compressed_tensors.quantization.lifecycle.forward")
    random = numpy.random.default_rng(seed)
    low, high = -(1 << (bits - 1)), (1 << (bits - 1))
    q = torch.from_numpy(random.integers(low, high, (N, K)).astype(numpy.int8))
    scale = torch.from_numpy(random_scales(random, N, groups)).to(getattr(torch, scale_type))
    zero = None if symmetric else torch.from_numpy(random.integers(low, high, (N, groups)).astype(numpy.int8))
    strategy = {"strategy": "channel"} if groups == 1 else {"strategy": "group", "group_size": K // groups}
    args = quantization.QuantizationArgs(num_bits=bits, symmetric=symmetric, **strategy)
    want = lifecycle.dequantize(q, scale, zero, args).T
    packed = helpers.pack_to_int32(q, bits)
    packed_zero = None if symmetric else helpers.pack_to_int32(zero, bits, packed_dim=0)
    ways = [(packed, packed_zero), (packed, zero), (q, zero)]
    for stored, zeros in ways:
        weights = quant.from_compressed_tensors(stored, scale, zeros, bits=bits)
        assert (weights.antiquant_offset is None) == symmetric
        assert weights.antiquant_group_size == (0 if groups == 1 else K // groups)
        got = torch.from_numpy(expand(weights)).to(scale.dtype)
        assert torch.equal(got, want)
    check_product(weights, seed)


def test_compressed_tensors_odd_sizes(seed):
    """A k that does not fill its last word, an n that does not fill its last word of zero points, one scale for all."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("transformers")
    helpers = packages.load_package("compressed_tensors.compressors.pack_quantized.helpers")
    random = numpy.random.default_rng(seed)
    q, zero = (torch.from_numpy(random.integers(-8, 8, shape).astype(numpy.int8)) for shape in ((13, 70), (13, 1)))
    scale = torch.from_numpy(random_scales(random, 13, 1))
    packed, packed_zero = helpers.pack_to_int32(q, 4), helpers.pack_to_int32(zero, 4, packed_dim=0)
    weights = quant.from_compressed_tensors(packed, scale, packed_zero, weight_shape=torch.tensor([13, 70]))
    numpy.testing.assert_array_equal(expand(weights), ((q.int() - zero.int()) * scale.double()).T.numpy())
    one = quant.from_compressed_tensors(q, scale[0])
    numpy.testing.assert_array_equal(expand(one), (q * scale[0].double()).T.numpy())
    check_product(one, seed)


# ---------------------------------------------------------------------------------------------------------------- GGUF


@pytest.mark.parametrize("kind", ["q8_0", "q4_0"])
def test_gguf(seed, kind):
    gguf = pytest.importorskip("gguf")
    of_package = gguf.GGMLQuantizationType[kind.upper()]
    random = numpy.random.default_rng(seed)
    data = gguf.quants.quantize(random.standard_normal((N, K)).astype(numpy.float32), of_package)
    weights = quant.from_gguf(data, kind)
    assert weights.antiquant_group_size == 32 and weights.antiquant_offset is None
    numpy.testing.assert_array_equal(expand(weights).astype(numpy.float32), gguf.quants.dequantize(data, of_package).T)
    check_product(weights, seed)
    check_product(weights, seed, numpy.float32)


# ------------------------------------------------------------------------------------------------------------ refusals


def test_refusals(seed):
    random = numpy.random.default_rng(seed)
    qweight, scales, order = random_words(random, K // 8, N), random_scales(random, 2, N), numpy.arange(K) // 128
    qzeros = random_words(random, 2, N // 8)
    swapped = order.copy()
    swapped[[127, 128]] = 1, 0
    with pytest.raises(ValueError, match=r"g_idx puts row 127 into group 1 instead of 0: .*desc_act"):
        quant.from_gptq(qweight, qzeros, scales, swapped, group_size=128)
    quant.from_gptq(qweight, qzeros, scales, order, group_size=128)
    for wrong, arguments in [
        ("bits is 3", (qweight, qzeros, scales, None, 3, 128)),
        ("group_size is 96, which does not divide the 256", (qweight, qzeros, scales, None, 4, 96)),
        ("group_size is 0, which does not divide", (qweight, qzeros, scales, None, 4, 0)),
        ("group_size is 16, but .* multiples of 32", (qweight, qzeros, scales, None, 4, 16)),
        (r"scales has the shape \(2, 64\), but .*\(4, 64\)", (qweight, qzeros, scales, None, 4, 64)),
        (r"qzeros has the shape \(1, 8\)", (qweight, qzeros[:1], scales, None, 4, 128)),
        (r"g_idx has the shape \(3,\)", (qweight, qzeros, scales, order[:3], 4, 128)),
        ("qweight has 1 dimensions", (qweight[0], qzeros, scales, None, 4, 128)),
    ]:
        with pytest.raises(ValueError, match=wrong):
            quant.from_gptq(*arguments[:4], bits=arguments[4], group_size=arguments[5])
    with pytest.raises(TypeError, match="qweight is float16, but must be int32 or uint32"):
        quant.from_gptq(scales, qzeros, scales)
    with pytest.raises(ValueError, match="bits is 8, but AWQ"):
        quant.from_awq(qweight, qzeros, scales, bits=8)
    with pytest.raises(ValueError, match="weight_scale has 5 groups, which do not divide the 512 rows"):
        quant.from_compressed_tensors(qweight, random_scales(random, K // 8, 5))
    with pytest.raises(ValueError, match=r"weight_scale has the shape \(3, 2\), but must be \(32, groups\)"):
        quant.from_compressed_tensors(qweight, random_scales(random, 3, 2))
    with pytest.raises(ValueError, match="kind is 'q4_k', but must be"):
        quant.from_gguf(numpy.zeros((1, 18), numpy.uint8), "q4_k")
    with pytest.raises(ValueError, match="rows of 20 bytes, which are not whole blocks of 18"):
        quant.from_gguf(numpy.zeros((1, 20), numpy.uint8), "q4_0")
