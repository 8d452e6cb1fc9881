# SPDX-License-Identifier: MIT
"""Arrays of every kind: what is read, what is written, what comes back, and what is refused with which sentence."""

import gc
import weakref

import ml_dtypes
import numpy
import pytest

import mmarn
from cases import FLOAT, make_case
from producers import (
    FOREIGN,
    READABLE,
    WRITABLE,
    Legacy,
    OtherDevice,
    back,
    jax,
    tensor_of,
    to_jax,
    to_read_only,
    to_torch,
    torch,
)


@pytest.fixture
def group():
    with mmarn.Group(threads=1) as group:
        yield group


def case_of(dtype):
    return make_case(dtype, 7, [32], 4, 24)


def called(group, make, case, **options):
    """The operator on arrays of one kind; every argument goes through make."""
    x1, x2, residual, gamma = map(make, (case.x1[0], case.x2[0], case.residual, case.gamma))
    return mmarn.Op(group, x2, gamma, **case.op_options(0))(x1, residual, **options)


@pytest.mark.parametrize("dtype", FLOAT)
@pytest.mark.parametrize("producer", READABLE)
def test_inputs(group, producer, dtype):
    """Same bits from every producer, and results in its framework."""
    case = case_of(dtype)
    make = READABLE[producer]
    results = called(group, make, case)
    for result, plain in zip(results, called(group, numpy.array, case)):
        assert type(result).__module__.split(".")[0].replace("jaxlib", "jax") == producer.split()[0]
        assert tuple(result.shape) == case.residual.shape
        assert back(result).tobytes() == plain.tobytes()
        assert not getattr(result, "requires_grad", False)
    function = mmarn.mm_all_reduce_add_rms_norm(*map(make, (case.x1[0], case.x2[0], case.residual, case.gamma)), group,
                                                **case.op_options(0))
    assert back(function[1]).tobytes() == back(results[1]).tobytes()


@pytest.mark.parametrize("dtype", FLOAT)
@pytest.mark.parametrize("producer", WRITABLE)
def test_outputs(group, producer, dtype):
    case = case_of(dtype)
    y, norm_out = (WRITABLE[producer](numpy.full_like(case.residual, numpy.nan)) for _ in range(2))
    got = called(group, numpy.array, case, y=y, norm_out=norm_out)
    assert got[0] is y and got[1] is norm_out
    case.check(back(y), back(norm_out))


@pytest.mark.parametrize("producer", FOREIGN)
@pytest.mark.parametrize("dtype", ["f16", "f32"])
def test_foreign(group, producer, dtype):
    """Inputs and outputs of a type that mmarn knows nothing of but its __dlpack__."""
    case = case_of(dtype)
    arrays = [numpy.full_like(case.residual, numpy.nan) for _ in range(2)]
    y, norm_out = map(FOREIGN[producer], arrays)
    assert called(group, FOREIGN[producer], case, y=y, norm_out=norm_out) == (y, norm_out)
    case.check(*arrays)
    with pytest.raises(TypeError, match="cannot make new arrays of <class 'producers.*pass the arrays"):
        called(group, FOREIGN[producer], case)


def test_mixed(group):
    """The framework of the results is residual's."""
    case = case_of("bf16")
    op = mmarn.Op(group, to_jax(case.x2[0]), to_torch(case.gamma), **case.op_options(0))
    y, norm_out = op(to_read_only(case.x1[0]), to_torch(case.residual))
    assert isinstance(y, torch().Tensor)
    case.check(back(y), back(norm_out))


@pytest.mark.parametrize("make", [numpy.array, to_torch], ids=["numpy", "torch"])
def test_transposed_view(group, make):
    """x2 as the transpose of an (n, k) array."""
    case = case_of("f16")
    weight = make(numpy.ascontiguousarray(case.x2[0].T))
    for borrow in (False, True):
        op = mmarn.Op(group, weight.T, make(case.gamma), borrow_x2=borrow, **case.op_options(0))
        y, norm_out = op(make(case.x1[0]), make(case.residual))
        case.check(back(y), back(norm_out))


@pytest.mark.parametrize("rows, n", [(0, 24), (4, 0)])
@pytest.mark.parametrize("make", [numpy.array, to_torch, to_jax], ids=["numpy", "torch", "jax"])
def test_empty(group, make, rows, n):
    case = make_case("f32", 7, [32], rows, n)
    for result in called(group, make, case):
        assert tuple(result.shape) == (rows, n)


def test_borrowed_weights_live(group):
    """A borrowed x2 is kept by its Op, and let go when that is closed."""
    case = case_of("f32")
    x2 = case.x2[0].copy()
    gone = weakref.ref(x2)
    op = mmarn.Op(group, x2, case.gamma, borrow_x2=True, **case.op_options(0))
    del x2
    gc.collect()
    assert gone() is not None
    case.check(*op(case.x1[0], case.residual))
    op.close()
    gc.collect()
    assert gone() is None


def test_packed_weights_are_let_go(group):
    case = case_of("f32")
    x2 = case.x2[0].copy()
    gone = weakref.ref(x2)
    op = mmarn.Op(group, x2, case.gamma, **case.op_options(0))
    x2[:] = numpy.nan
    del x2
    gc.collect()
    assert gone() is None
    case.check(*op(case.x1[0], case.residual))


def test_borrowed_torch_storage(group):
    """The memory stays though the tensor is given another."""
    case = case_of("f32")
    x2 = to_torch(case.x2[0])
    op = mmarn.Op(group, x2, to_torch(case.gamma), borrow_x2=True, **case.op_options(0))
    x2.set_(torch().full((2**16,), float("nan")))
    y, norm_out = op(to_torch(case.x1[0]), to_torch(case.residual))
    case.check(back(y), back(norm_out))


# ---------------------------------------------------------------------------------------------------- refused


def refused(group, name, value, error, match):
    """One argument is replaced; nothing is written, and the group goes on."""
    case = case_of("f32")
    arguments = {"x1": case.x1[0], "x2": case.x2[0], "residual": case.residual, "gamma": case.gamma,
                 "y": numpy.full_like(case.residual, 7), "norm_out": numpy.full_like(case.residual, 8)}
    outputs = arguments["y"], arguments["norm_out"]
    with pytest.raises(error, match=match):
        mmarn.mm_all_reduce_add_rms_norm(**{**arguments, name: value}, group=group)
    assert (outputs[0] == 7).all() and (outputs[1] == 8).all()
    case.check(*mmarn.mm_all_reduce_add_rms_norm(**arguments, group=group, epsilon=case.epsilon))


@pytest.mark.parametrize("name", ["x1", "x2", "residual", "gamma", "y", "norm_out"])
def test_no_array(group, name):
    refused(group, name, [1.0], TypeError, f"^{name} is <class 'list'>; it must be an array")
    refused(group, name, numpy.zeros((4, 24)), TypeError, f"^{name} is float64; it must be float16")
    refused(group, name, numpy.zeros((4, 24), bool), TypeError, f"^{name} is bool; it must be float16")
    refused(group, name, OtherDevice(numpy.zeros((4, 24), numpy.float32)), TypeError,
            f"^{name} lies on device type 2")


def test_none(group):
    refused(group, "x1", None, TypeError, "^x1 is <class 'NoneType'>; it must be an array")


@pytest.mark.parametrize("name", ["y", "norm_out"])
def test_read_only_output(group, name):
    frozen = to_read_only(numpy.full((4, 24), 5, numpy.float32))
    refused(group, name, frozen, ValueError, f"^{name} is read-only")
    assert (frozen == 5).all()


def test_read_only_bfloat16(group):
    case = case_of("bf16")
    with pytest.raises(ValueError, match="^y is read-only"):
        called(group, numpy.array, case, y=to_read_only(case.residual))


def test_jax_output(group):
    refused(group, "y", to_jax(numpy.zeros((4, 24), numpy.float32)), TypeError, "^y is a JAX array.*leave it out")


def test_other_dtypes(group):
    refused(group, "x1", numpy.zeros((4, 32), ml_dtypes.float8_e4m3fn), TypeError, "^x1 is float8_e4m3fn; it must be")
    refused(group, "x1", numpy.zeros((4, 32), ">f4"), TypeError, "^x1 is >f4; it must be")
    refused(group, "x2", numpy.zeros((32, 24), numpy.uint8), TypeError, "^x2 is uint8; it must be float16")
    refused(group, "x1", numpy.zeros((1, 1, 1, 1, 4, 32), numpy.float32), ValueError, "^x1 has 6 axes; no tensor may")


def test_layouts(group):
    wide = numpy.ones((4, 64), numpy.float32)
    refused(group, "x1", wide[:, ::2], TypeError, "^x1 .*contiguous")
    refused(group, "x1", wide[:, 31::-1], TypeError, "^x1 ")
    refused(group, "x2", numpy.ones((32, 48), numpy.float32)[:, ::2], TypeError, "^x2 is .* with strides")
    refused(group, "x1", numpy.array(1, numpy.float32), ValueError, "^x1 has 0 axes")


def test_bad_capsules(group):
    class NoCapsule(Legacy):
        def __dlpack__(self, stream=None):
            return 5

    class Raises(Legacy):
        def __dlpack__(self, stream=None):
            raise RuntimeError("the moon is full")

    class Lanes(Legacy):
        def __dlpack__(self, stream=None):
            capsule = self.array.__dlpack__()
            tensor_of(capsule).lanes = 2
            return capsule

    array = numpy.zeros((4, 32), numpy.float32)
    refused(group, "x1", NoCapsule(array), TypeError, "^x1 gives no DLPack capsule but a <class 'int'>")
    refused(group, "x1", Raises(array), TypeError, "^x1 cannot be read through DLPack: the moon is full")
    refused(group, "x1", Lanes(array), TypeError, "^x1 has a dtype that mmarn does not know")
    used = array.__dlpack__()
    numpy.from_dlpack(type("Once", (), {"__dlpack__": lambda self, **_: used,
                                        "__dlpack_device__": lambda self: (1, 0)})())
    refused(group, "x1", type("Used", (), {"__dlpack__": lambda self: used})(), TypeError, "^x1 gives no DLPack")


def test_torch_refused(group):
    module = torch()
    refused(group, "x1", module.zeros(4, 32, device="meta"), TypeError, "^x1 ")
    refused(group, "x1", module.eye(32)[:4].to_sparse(), TypeError, "^x1 is torch.sparse_coo; pass its to_dense")
    refused(group, "x1", module.zeros(4, 32, dtype=module.complex64), TypeError, "^x1 is torch.complex64")
    refused(group, "x2", module.zeros(32, 24, dtype=module.uint8), TypeError, "^x2 is torch.uint8")


@pytest.mark.parametrize("name", ["x1", "x2", "residual", "gamma", "y"])
def test_gradients_are_not_lost(group, name):
    """With gradients on, an array that requires one is refused; under no_grad it is an array like any other."""
    module = torch()
    shape = {"x1": (4, 32), "x2": (32, 24), "gamma": (24,)}.get(name, (4, 24))
    wants = module.ones(shape, requires_grad=True)
    refused(group, name, wants, TypeError, f"^{name} requires grad.*mmarn.torch")
    case = case_of("f32")
    arrays = {"x1": case.x1[0], "x2": case.x2[0], "residual": case.residual, "gamma": case.gamma}
    with module.no_grad():
        mmarn.mm_all_reduce_add_rms_norm(**{**arrays, name: wants}, group=group)
        if name == "x2":
            mmarn.Op(group, wants, case.gamma, borrow_x2=True)(case.x1[0], case.residual)


def test_writes_are_counted(group):
    """autograd notices that a tensor it needs has been written."""
    module = torch()
    factor = module.ones(4, 24, requires_grad=True)
    y = module.ones(4, 24)
    product = (factor * y).sum()
    case = case_of("f32")
    called(group, numpy.array, case, y=y)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        product.backward()
    x = module.ones(3)
    version = x._version
    group.all_reduce(x, x)
    assert x._version > version


def test_jax_results_are_independent(group):
    """JAX's inputs stay as they were, and nobody else holds the results."""
    case = case_of("f32")
    residual = to_jax(case.residual)
    y, _ = called(group, to_jax, case)
    before = numpy.array(y)
    called(group, to_jax, case)
    assert (numpy.asarray(y) == before).all() and (numpy.asarray(residual) == case.residual).all()
    reduced = group.all_reduce(residual)
    assert isinstance(reduced, jax().Array) and (numpy.asarray(reduced) == case.residual).all()


def test_words_of_every_framework():
    scale = numpy.array([0.5, 3.0], numpy.float32)
    plain = mmarn.trans_quant_param(scale)
    assert mmarn.trans_quant_param(to_torch(scale)).tolist() == plain.tolist()
    assert mmarn.trans_quant_param(to_torch(scale)).dtype is torch().int64
    with pytest.raises(TypeError, match="int64, which JAX has only with jax_enable_x64"):
        mmarn.trans_quant_param(to_jax(scale))
    with jax().enable_x64(True):
        assert mmarn.trans_quant_param(to_jax(scale)).tolist() == plain.tolist()


def test_nothing_leaks(group):
    """References and DLPack's owners are given back, after successes and after refusals."""
    import sys

    case = case_of("bf16")
    arrays = case.x1[0], case.residual
    op = mmarn.Op(group, case.x2[0], case.gamma, **case.op_options(0))
    for _ in range(3):
        before = [sys.getrefcount(array) for array in (*arrays, None, ValueError)]
        for _ in range(200):
            op(*arrays)
            with pytest.raises(ValueError):
                op(arrays[0], arrays[1][:3])
        gc.collect()
        after = [sys.getrefcount(array) for array in (*arrays, None, ValueError)]
    assert max(late - early for late, early in zip(after, before)) < 100
