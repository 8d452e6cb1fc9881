# SPDX-License-Identifier: MIT
"""Ways to hold one matrix: arrays of every framework and layout, made from the same NumPy array.

A maker takes a C-contiguous NumPy array (bfloat16: ml_dtypes') and gives an array of equal values. back() is the way
home. Frameworks that are not installed are skipped by name.
"""

import ctypes

import numpy
import pytest


def torch():
    return pytest.importorskip("torch")


def jax():
    return pytest.importorskip("jax")


def is_bfloat16(array):
    return array.dtype.name == "bfloat16"


def to_torch(array):
    module = torch()
    if is_bfloat16(array):
        return module.from_numpy(array.view(numpy.int16).copy()).view(module.bfloat16)
    return module.from_numpy(array.copy())


def to_torch_parameter(array):
    return torch().nn.Parameter(to_torch(array), requires_grad=False)


def to_torch_slice(array):
    """A contiguous view that begins in the middle of its storage."""
    whole = torch().cat([to_torch(array), to_torch(array)])
    return whole[array.shape[0]:]


def to_jax(array):
    return jax().numpy.asarray(array)


def to_numpy_slice(array):
    return numpy.concatenate([array, array])[array.shape[0]:]


def to_read_only(array):
    copy = array.copy()
    copy.flags.writeable = False
    return copy


class Legacy:
    """An exporter from before version 1 of DLPack: no max_version, an unversioned capsule."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, stream=None):
        return self.array.__dlpack__()

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


class NullStrides(Legacy):
    """As Legacy, and with NULL for the strides of a compact array."""

    def __dlpack__(self, stream=None):
        capsule = self.array.__dlpack__()
        tensor_of(capsule).strides = None
        return capsule


class ByteOffset(Legacy):
    """As Legacy, with the beginning of the data given apart from its pointer."""

    def __dlpack__(self, stream=None):
        capsule = self.array.__dlpack__()
        tensor = tensor_of(capsule)
        tensor.data -= 192
        tensor.byte_offset += 192
        return capsule


class OtherDevice(Legacy):
    def __dlpack__(self, stream=None):
        capsule = self.array.__dlpack__()
        tensor_of(capsule).device_type = 2
        return capsule


class Versioned(Legacy):
    """As NumPy is since 2.1, with flags of its own choice."""

    flags = 0

    def __dlpack__(self, max_version=None, **options):
        capsule = self.array.__dlpack__(max_version=(1, 0))
        # The flags come behind the version, the manager's context and the deleter.
        ctypes.c_uint64.from_address(pointer_of(capsule, b"dltensor_versioned") + 24).value = self.flags
        return capsule


class Tensor(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("device_type", ctypes.c_int32), ("device_id", ctypes.c_int32),
                ("ndim", ctypes.c_int32), ("code", ctypes.c_uint8), ("bits", ctypes.c_uint8),
                ("lanes", ctypes.c_uint16), ("shape", ctypes.c_void_p), ("strides", ctypes.c_void_p),
                ("byte_offset", ctypes.c_uint64)]


def pointer_of(capsule, name):
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return pointer(capsule, name)


def tensor_of(capsule):
    """The DLTensor in an unversioned capsule, to be tampered with."""
    return Tensor.from_address(pointer_of(capsule, b"dltensor"))


def back(array):
    """Any of them as a NumPy array."""
    if type(array).__module__.startswith("torch"):
        array = array.detach()
        if array.dtype is torch().bfloat16:
            import ml_dtypes

            return array.view(torch().int16).numpy().view(ml_dtypes.bfloat16)
        return array.numpy()
    return numpy.asarray(array)


WRITABLE = {"numpy": numpy.array, "numpy slice": to_numpy_slice, "torch": to_torch, "torch slice": to_torch_slice,
            "torch parameter": to_torch_parameter}
READABLE = {**WRITABLE, "numpy read-only": to_read_only, "jax": to_jax}
# Of types that make no arrays of their own; NumPy exports no bfloat16 by this way.
FOREIGN = {"legacy": Legacy, "NULL strides": NullStrides, "byte offset": ByteOffset}
