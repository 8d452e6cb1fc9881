# SPDX-License-Identifier: MIT
"""Tensors of torch whose memory does not say by itself what they mean, made from a plain one of equal values.

KINDS: name -> (maker, the native door's sentence, the torch door's). A sentence is that of a refusal, without the
argument's name; RIGHT where the values are honoured, TORCHS where torch's own protocol answers before the operator.
"""

import pytest

torch = pytest.importorskip("torch")

RIGHT, TORCHS = "right", "torch's"
SUBCLASS = ", a subclass of torch.Tensor that may give its memory another meaning"


def negative(tensor):
    return torch._neg_view(-tensor)


def negative_imaginary(tensor):
    return torch.complex(torch.randn_like(tensor), -tensor).conj().imag


def tampered(tensor):
    """The values beside poison, and the last axis with stride 2."""
    wide = torch.full((*tensor.shape, 2), 1e30)
    wide[..., 0] = tensor
    return wide[..., 0]


class Plain(torch.Tensor):
    pass


class Packed(torch.nn.Parameter):
    """As the weights of quantised files are held: bytes, and beside them what they mean."""

    def __new__(cls, data, kind=None):
        self = torch.Tensor._make_subclass(cls, data, False)
        self.kind = kind
        return self


class Function(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return super().__torch_function__(func, types, args, kwargs or {})


class Wrapper(torch.Tensor):
    """Holds the true tensor, and hands it to every operator."""

    @staticmethod
    def __new__(cls, tensor):
        return torch.Tensor._make_wrapper_subclass(cls, tensor.shape, dtype=tensor.dtype)

    def __init__(self, tensor):
        self.tensor = tensor

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        bare = torch.utils._pytree.tree_map_only(Wrapper, lambda wrapper: wrapper.tensor, (args, kwargs or {}))
        return func(*bare[0], **bare[1])


def freed(tensor):
    tensor = tensor.clone()
    tensor.untyped_storage().resize_(0)
    return tensor


def masked(tensor):
    from torch.masked import masked_tensor

    return masked_tensor(tensor, tensor > 0)


def awaited(tensor):
    """What a collective of torch returns that may still be under way; whoever uses it waits."""
    from torch.distributed._functional_collectives import AsyncCollectiveTensor

    return AsyncCollectiveTensor(tensor)


def fake(tensor):
    from torch._subclasses import FakeTensorMode

    return FakeTensorMode().from_tensor(tensor)


def quantised(tensor):
    return torch.quantize_per_tensor(tensor, 0.1, 0, torch.qint8)


DTYPE = "it must be float16, bfloat16"
KINDS = {
    "parameter": (lambda t: torch.nn.Parameter(t, requires_grad=False), RIGHT, RIGHT),
    "strided": (tampered, "contiguous", RIGHT),
    "expanded": (lambda t: t[:1].expand(t.shape), "contiguous", TORCHS),
    "negative bit": (negative, "has torch's negative bit.*pass its resolve_neg", RIGHT),
    "imaginary part": (negative_imaginary, "has torch's negative bit", RIGHT),
    "conjugate bit": (lambda t: torch.complex(t, t).conj(), "has torch's conjugate bit", "is torch.complex64; "),
    "complex": (lambda t: torch.complex(t, t), "is torch.complex64; ", "is torch.complex64; "),
    "ZeroTensor": (lambda t: torch._efficientzerotensor(t.shape), "is a ZeroTensor", TORCHS),
    "subclass": (lambda t: t.as_subclass(Plain), SUBCLASS, SUBCLASS),
    "subclass of Parameter": (Packed, SUBCLASS, SUBCLASS),
    "__torch_function__": (lambda t: t.as_subclass(Function), SUBCLASS, SUBCLASS),
    "__torch_dispatch__": (Wrapper, SUBCLASS, RIGHT),
    "awaited": (awaited, SUBCLASS, RIGHT),
    "masked": (masked, SUBCLASS, TORCHS),
    "fake": (fake, SUBCLASS, TORCHS),
    "jagged": (lambda t: torch.nested.nested_tensor([t], layout=torch.jagged), SUBCLASS, TORCHS),
    "nested": (lambda t: torch.nested.nested_tensor([t]), "is a nested tensor", "is a nested tensor"),
    "sparse": (torch.Tensor.to_sparse, "is torch.sparse_coo; pass its to_dense", "is torch.sparse_coo"),
    "compressed": (torch.Tensor.to_sparse_csr, "is torch.sparse_csr; ", "is torch.sparse_csr; "),
    "mkldnn": (torch.Tensor.to_mkldnn, "is torch._mkldnn; ", "is torch._mkldnn; "),
    "quantised": (quantised, "is quantised by torch", "is quantised by torch"),
    "meta": (lambda t: t.to("meta"), "lies on meta", TORCHS),
    "freed": (freed, "has elements but no memory", "has elements but no memory"),
    "uninitialised": (lambda t: torch.nn.UninitializedParameter(requires_grad=False), SUBCLASS, TORCHS),
    "4 bits": (lambda t: t.to(torch.uint8).view(torch.int4), "is torch.int4; " + DTYPE, "is torch.int4; " + DTYPE),
    "bool": (lambda t: t > 0, "is torch.bool; " + DTYPE, "is torch.bool; " + DTYPE),
}
