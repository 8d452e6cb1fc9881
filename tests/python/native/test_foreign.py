# SPDX-License-Identifier: MIT
"""Foreign memory of every sort but torch's: NumPy's subclasses and layouts, older NumPys, JAX, raw DLPack, buffers.

Every refusal is one sentence that names the argument, changes no output and leaves the group as it was.
"""

import array
import collections
import ctypes
import fractions
import mmap
import sys

import ml_dtypes
import numpy
import pytest

import mmarn
from cases import FLOAT, make_case
from producers import Legacy, Versioned, jax, tensor_of, to_jax, to_read_only
from ranks import run_threads

ARRAY = "; it must be an array: of torch, NumPy, JAX, or another with __dlpack__"
SUBCLASS = ", a subclass of numpy.ndarray that may give its memory another meaning; pass the plain numpy.ndarray"
DTYPE = "it must be float16, bfloat16, float32, int8"


@pytest.fixture
def case(seed):
    return make_case("f32", seed, [32, 32], 4, 24)


def refused(case, value, error, match, names=("x1", "residual", "y")):
    """As each of these arguments on rank 1: rank 0 hears of it, no output changes, and the next calls meet."""

    def call(group):
        arguments = {"x1": case.x1[group.rank], "x2": case.x2[group.rank], "residual": case.residual,
                     "gamma": case.gamma, "group": group, "epsilon": case.epsilon}
        for name in names:
            outputs = {"y": numpy.full_like(case.residual, 7), "norm_out": numpy.full_like(case.residual, 8)}
            bad = {name: value} if group.rank == 1 else {}
            with pytest.raises(error if bad else ValueError,
                               match=f"^{name} ?{match}" if bad else r"^call \d+.*: rank 1 refused the call") as caught:
                mmarn.mm_all_reduce_add_rms_norm(**{**arguments, **outputs, **bad})
            assert "\n" not in str(caught.value)
            assert (outputs["y"] == 7).all() and (outputs["norm_out"] == 8).all()
        return mmarn.mm_all_reduce_add_rms_norm(**arguments)

    for results in run_threads(2, call):
        case.check(*results)


# ------------------------------------------------------------------------------------------------------- NumPy


class Quantity(numpy.ndarray):
    """As packages for units do it."""

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        raise AssertionError("not to be called")


SUBCLASSES = {
    "masked": lambda a: numpy.ma.masked_array(a, a > 0),
    "matrix": numpy.matrix,
    "recarray": lambda a: a.view(numpy.recarray),
    "units": lambda a: a.view(Quantity),
    "bare": lambda a: a.view(type("Bare", (numpy.ndarray,), {})),
}


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
@pytest.mark.parametrize("make", SUBCLASSES.values(), ids=SUBCLASSES)
def test_subclasses(case, make):
    refused(case, make(case.residual.copy()), TypeError, f"is <class '.*>{SUBCLASS}")


@pytest.mark.parametrize("dtype", [">f4", "M8[s]", "m8[s]", "O", "V2", "?", "c8", "f8", "U1", "S4", [("a", "f4")],
                                   ml_dtypes.float8_e5m2, ml_dtypes.int4, ml_dtypes.float4_e2m1fn], ids=str)
def test_dtypes(case, dtype):
    refused(case, numpy.zeros((4, 24), dtype), TypeError, f"is .*; {DTYPE}")


def shifted(a, dtype=numpy.uint8):
    """The same values, one byte behind an aligned address."""
    memory = numpy.empty(a.nbytes + 65, dtype)
    start = -memory.ctypes.data % 64 + 1
    memory = memory[start:start + a.nbytes]
    memory[:] = numpy.frombuffer(a.tobytes(), numpy.uint8)
    return memory.view(a.dtype).reshape(a.shape)


def fields(a):
    """The same values as the fields of records whose size is no multiple of theirs."""
    records = numpy.zeros(a.shape, [("a", "u1"), ("b", a.dtype)])
    records["b"] = a
    return records["b"]


def test_alignment(case):
    refused(case, shifted(case.residual), TypeError, "begins at an address that is no multiple .* 4 bytes; pass a copy")
    refused(case, fields(case.residual), TypeError, "has strides that are no multiples of its elements' size; pass")
    half = case.residual.astype(ml_dtypes.bfloat16)
    refused(case, shifted(half), TypeError, "begins at an address that is no multiple of its elements' 2 bytes")
    with mmarn.Group(threads=1) as group:
        assert group.all_reduce(shifted(numpy.zeros((0, 24), numpy.float32))).shape == (0, 24)


def test_memory_maps(case, tmp_path):
    path = tmp_path / "weights"
    case.residual.tofile(path)
    shape = case.residual.shape
    read = numpy.memmap(path, numpy.float32, "r", shape=shape)
    refused(case, read, ValueError, "is read-only, so nothing can be written to it", names=["y"])
    written = numpy.memmap(path, numpy.float32, "r+", shape=shape)
    with mmarn.Group(threads=1) as group:
        assert (numpy.asarray(group.all_reduce(read)) == case.residual).all()
        group.all_reduce(2 * case.residual, written)
    assert (numpy.fromfile(path, numpy.float32).reshape(shape) == 2 * case.residual).all()


def test_broadcast_outputs(case):
    rows = numpy.full(24, 7, numpy.float32)
    for read_only in (True, False):
        shared = numpy.lib.stride_tricks.as_strided(rows, (4, 24), (0, 4), writeable=not read_only)
        refused(case, shared, (TypeError, ValueError), "is (read-only|.*strides)", names=["y", "norm_out"])
    assert (rows == 7).all()


@pytest.mark.parametrize("dtype", FLOAT)
def test_read_only_everywhere(seed, dtype):
    """Every argument that is only read; test_oldest.py has this with a NumPy whose DLPack refuses."""
    make = to_read_only
    case = make_case(dtype, seed, [32], 4, 24, has_bias=True)
    arrays = {"x1": case.x1[0], "x2": case.x2[0], "residual": case.residual, "gamma": case.gamma}
    foreign = {name: make(value) for name, value in arrays.items()}
    options = {**case.op_options(0), "bias": make(case.op_options(0)["bias"])}
    with mmarn.Group(threads=1) as group:
        outputs = {"y": numpy.full_like(case.residual, 7), "norm_out": numpy.full_like(case.residual, 8)}
        case.check(*mmarn.mm_all_reduce_add_rms_norm(**foreign, **outputs, **options, group=group))
        for borrow in (False, True):
            op = mmarn.Op(group, foreign["x2"], foreign["gamma"], borrow_x2=borrow, **options)
            case.check(*op(foreign["x1"], foreign["residual"], **outputs))
        with pytest.raises(ValueError, match="^y is read-only, so nothing can be written to it$"):
            mmarn.mm_all_reduce_add_rms_norm(**foreign, y=foreign["residual"], group=group, **options)
        assert (foreign["residual"] == case.residual).all()


def test_read_only_scales(seed):
    """int8 words, token scales and int4 weights, read through buffers."""
    for scenario, more in (("int8-words-f16", {"per_token": True}), ("w4-f32", {"mode": "group", "has_offset": True})):
        case = make_case(scenario, seed, [64], 4, 24, **more)
        options = {name: to_read_only(value) if isinstance(value, numpy.ndarray) else value
                   for name, value in case.op_options(0).items()}
        given = {"x1": case.x1[0], "x2": case.x2[0], "residual": case.residual, "gamma": case.gamma,
                 "x1_scale": case.x1_scale[0]}
        given = {name: to_read_only(value) for name, value in given.items() if value is not None}
        with mmarn.Group(threads=1) as group:
            case.check(*mmarn.mm_all_reduce_add_rms_norm(**given, **options, group=group))


def test_what_is_read_is_let_go(case):
    """References to arrays that are read, refused and borrowed, also by their buffers."""
    frozen, odd = to_read_only(case.x2[0]), fields(case.x2[0])
    with mmarn.Group(threads=1) as group:
        for _ in range(3):
            before = sys.getrefcount(frozen), sys.getrefcount(odd)
            for _ in range(50):
                with mmarn.Op(group, frozen, case.gamma, borrow_x2=True) as op:
                    assert sys.getrefcount(frozen) > before[0]
                    op(case.x1[0], case.residual)
                for bad in (odd, frozen.T):
                    with pytest.raises((TypeError, ValueError), match="^x2 "):
                        mmarn.mm_all_reduce_add_rms_norm(case.x1[0], bad, case.residual, case.gamma, group)
                with pytest.raises(ValueError, match="^y is read-only"):
                    mmarn.mm_all_reduce_add_rms_norm(case.x1[0], frozen, case.residual, case.gamma, group, y=frozen)
            after = sys.getrefcount(frozen), sys.getrefcount(odd)
    assert after == before


# --------------------------------------------------------------------------------------------------------- JAX


def test_jax(case):
    module = jax()
    gone = to_jax(case.residual) + 1
    gone.delete()
    refused(case, gone, TypeError, "cannot be read through DLPack: .*deleted", names=["x1", "residual"])
    refused(case, module.random.key(0), TypeError, f"is <class .*PRNGKeyArray'>{ARRAY}", names=["x1"])
    refused(case, module.ShapeDtypeStruct((4, 24), "float32"), TypeError, f"is <class .*{ARRAY}", names=["x1"])
    refused(case, module.numpy.zeros((4, 24), "int4"), TypeError, ".*", names=["x1"])


@pytest.mark.parametrize("transform", ["jit", "grad", "vmap"])
def test_jax_tracers(case, transform):
    with mmarn.Group(threads=1) as group:

        def function(x):
            return group.all_reduce(x).sum()

        with pytest.raises(TypeError, match="^x is <class .*Tracer'>, which JAX traces without memory; call") as caught:
            getattr(jax(), transform)(function)(to_jax(case.residual))
        assert len(str(caught.value).splitlines()[0]) < 200


# ---------------------------------------------------------------------------------------------- DLPack, buffers


class Copied(Versioned):
    flags = 2


class ReadOnly(Versioned):
    flags = 1


class Tampered(Legacy):
    """Sets members of the DLTensor that it gives away."""

    def __init__(self, array, **members):
        super().__init__(array)
        self.members = members

    def __dlpack__(self, stream=None):
        capsule = self.array.__dlpack__()
        for name, value in self.members.items():
            setattr(tensor_of(capsule), name, value)
        return capsule


@pytest.mark.parametrize("flag, sentence", [(Copied, "gives a copy of its memory, so nothing can be written to it"),
                                            (ReadOnly, "is read-only, so nothing can be written to it")])
def test_flags(case, flag, sentence):
    refused(case, flag(case.residual.copy()), ValueError, sentence, names=["y", "norm_out"])
    with mmarn.Group(threads=1) as group:
        out = numpy.full_like(case.residual, 7)
        assert (group.all_reduce(flag(case.residual), out) == case.residual).all()


@pytest.mark.parametrize("members, sentence", [
    ({"device_type": 3}, "lies on device type 3"), ({"device_type": 13}, "lies on device type 13"),
    ({"lanes": 2}, "has a dtype"), ({"bits": 4}, "has a dtype"), ({"bits": 0}, "has a dtype"),
    ({"code": 17, "bits": 4}, "has a dtype"), ({"ndim": 5}, "has 5 axes"), ({"ndim": -1}, "has -1 axes"),
    ({"shape": None}, "has a shape that no array can have"), ({"data": None}, "has elements but no memory"),
    ({"byte_offset": 2}, "begins at an address that is no multiple of its elements' 4 bytes")], ids=str)
def test_tampered(case, members, sentence):
    refused(case, Tampered(case.residual.copy(), **members), (TypeError, ValueError), sentence)


def test_a_refusal_by_dlpack_is_final(case):
    """Though there is a buffer: the refusal may be for nulls, or whatever else a buffer does not tell."""
    class Nulls(ctypes.c_float * 24 * 4):
        def __dlpack__(self, **options):
            raise BufferError("there are nulls among the elements\nand so on")

    refused(case, Nulls(), TypeError, "cannot be read through DLPack: there are nulls among the elements$")


def test_negative_sizes(case):
    class Negative(Legacy):
        def __dlpack__(self, stream=None):
            capsule = self.array.__dlpack__()
            ctypes.c_int64.from_address(tensor_of(capsule).shape).value = -4
            return capsule

    refused(case, Negative(case.residual.copy()), ValueError, "has a shape that no array can have")


def test_no_arrays(case):
    for value in (array.array("f", [1.0]), memoryview(case.residual), bytearray(8), mmap.mmap(-1, 4096),
                  (ctypes.c_float * 4)(), [1.0], (1.0,), 1.0, numpy.float32(1), "x", {}, None, numpy.ndarray,
                  collections.UserList([1.0])):
        if value is None:
            refused(case, value, TypeError, f"is <class '.*'>{ARRAY}", names=["x1", "residual"])
        else:
            refused(case, value, TypeError, f"is <class '.*'>{ARRAY}")


# ------------------------------------------------------------------------------------------------- plain options


def test_numbers_of_numpy(seed):
    """What stands for a bool, an int or a float stands for it here."""
    case = make_case("f32", seed, [32], 4, 24)
    with mmarn.Group(rank=numpy.int8(0), world_size=numpy.uint16(1), threads=numpy.int64(1),
                     timeout=numpy.int8(100)) as group:
        op = mmarn.Op(group, case.x2[0], case.gamma, epsilon=numpy.float64(case.epsilon), comm_turn=numpy.int32(0),
                      antiquant_group_size=numpy.uint8(0), bias_once=numpy.True_, borrow_x2=numpy.False_)
        case.check(*op(case.x1[0], case.residual))
        with pytest.raises(TypeError, match="the original's limits allow neither f32"):
            mmarn.Op(group, case.x2[0], case.gamma, strict=numpy.bool_(1))
        words = [mmarn.trans_quant_param(numpy.abs(case.gamma), None, one).tolist()
                 for one in (1, True, numpy.True_, numpy.int64(1))]
        assert words.count(words[0]) == 4
        for timeout in (numpy.float32(3), fractions.Fraction(7, 2), numpy.float16(60000)):
            mmarn.Group(timeout=timeout).close()


@pytest.mark.parametrize("options, error, match", [
    ({"threads": "x"}, TypeError, "threads is 'x'; it must be an integer"),
    ({"rank": 2**40}, ValueError, "rank is 1099511627776; it must be an integer of 32 bits"),
    ({"world_size": 2**70}, ValueError, "world_size is 1180591620717411303424; it must be an integer"),
    ({"world_size": 1.0}, TypeError, "world_size is 1.0; it must be an integer"),
    ({"name": 5}, TypeError, "name is 5; it must be a str or None"),
    ({"transport": b"shm"}, TypeError, "transport is b'shm'; it must be a str or None"),
    ({"name": "a\0b"}, ValueError, r"name is 'a\\x00b'; it may have neither null characters nor surrogates"),
    ({"name": "\ud800"}, ValueError, r"name is '\\ud800'; it may have neither"),
    ({"timeout": numpy.array([1.0, 2.0])}, TypeError, "timeout is array.*; it must be a number of seconds"),
    ({"timeout": "1"}, TypeError, "timeout is '1'; it must be a number")], ids=str)
def test_arguments_of_groups(options, error, match):
    with pytest.raises(error, match=f"^{match}"):
        mmarn.Group(**options)


def test_names_to_find():
    with mmarn.Group(name="here", threads=1):
        for name, error, match in ((5, TypeError, "name is 5; it must be a str"),
                                   ("here\0or there", ValueError, "name is 'here.x00or there'; it may have neither"),
                                   ("\ud800", ValueError, "name is")):
            with pytest.raises(error, match=f"^{match}"):
                mmarn.find_group(name)


def test_sums_call_it_x(case):
    with mmarn.Group(threads=1) as group:
        with pytest.raises(TypeError, match=r"^x is \(4, 12\) with strides \(24, 2\); it must be contiguous$"):
            group.all_reduce(case.residual[:, ::2])
        with pytest.raises(ValueError, match="^x has 0 axes") as caught:
            group.all_reduce(numpy.array(1, numpy.float32))
        assert caught.value.status == "MMARN_ERR_ARGUMENT" and caught.value.code
