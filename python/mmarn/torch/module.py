# SPDX-License-Identifier: MIT
"""The end of a row-parallel block as one module: linear layer, all-reduce, residual and RMSNorm.

It stands for nn.Linear (split along its inputs, which is Megatron's row-parallel layer), the addition to the residual
stream and the RMSNorm behind it; in a Llama-type layer that is o_proj with post_attention_layernorm, or down_proj with
the next layer's input_layernorm. It rests on the operators of ops.py and the packed weights of packed.py.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch._subclasses import FakeTensor

import mmarn
from mmarn._torch_gate import refuse
from mmarn.torch import linears, norms, probe, quantise
from mmarn.torch.packed import PackedWeights


class RowParallelLinearAddRMSNorm(nn.Module):
    """(x, residual) -> (y, norm_out) with y = sum over ranks of (x @ weight.T + bias) + residual,
    norm_out = y / sqrt(mean(y * y) + eps) * gamma.

    x is (b, s, in_features_local) or (rows, in_features_local), this rank's part of the features; residual, y and
    norm_out are (b, s, out_features) or (rows, out_features), the same on every rank. All are of the parameters' dtype:
    float16, bfloat16 or float32; gamma may be float32 beside the other two, as from_linear keeps it, until half() or
    to() convert it with the rest, and so may residual, with y. forward is collective.

    weight  (out_features, in_features_local), this rank's part of the columns of the whole layer's weight
    bias    (out_features) or None; replicated. With bias_once rank 0's is added once, and on the other ranks its
            gradient is zero; without, the sum over the ranks of their biases is added
    gamma   (out_features), replicated

    In eval mode, while no gradient is needed, the weight is packed once and used packed, until it changes; packed.py
    says what counts as a change. Otherwise it is used where it lies. The outputs have the same bits either way.
    """

    def __init__(
        self,
        in_features_local: int,
        out_features: int,
        *,
        group: mmarn.Group | str,
        bias: bool = False,
        eps: float = 1e-6,
        device: torch.device | str | int | None = None,
        dtype: torch.dtype | None = None,
        numerics: str = "default",
        bias_once: bool = True,
        name: str | None = None,
    ) -> None:
        """group: an open group, or its name; kept by name, so that the module can be copied and pickled.

        device, dtype: of the parameters, as nn.Linear's. The module can be made on meta and filled afterwards.
        name: of the module's calls, which then meet only calls that the other ranks name alike; None: any.
        """
        super().__init__()
        self.in_features_local, self.out_features = in_features_local, out_features
        self.group = group if isinstance(group, str) else group.name
        self.eps, self.numerics, self.bias_once, self.name = eps, numerics, bias_once, name
        self.weight = nn.Parameter(torch.empty(out_features, in_features_local, device=device, dtype=dtype))
        self.bias = nn.Parameter(torch.empty(out_features, device=device, dtype=dtype)) if bias else None
        self.gamma = nn.Parameter(torch.empty(out_features, device=device, dtype=dtype))
        self.register_buffer("scale", None)
        self.quantised, self.group_size = None, 0  # quantise_ sets them
        self._packed = PackedWeights()
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """As nn.Linear and nn.RMSNorm begin: uniform within 1 / sqrt(the whole layer's inputs), and ones."""
        bound = 1 / math.sqrt(self.in_features_local * mmarn.find_group(self.group).world_size)
        nn.init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            nn.init.uniform_(self.bias, -bound, bound)
        nn.init.ones_(self.gamma)

    @classmethod
    def from_linear(
        cls, linear: nn.Linear, norm: nn.Module, group: mmarn.Group | str, *, numerics: str = "default",
        name: str | None = None,
    ) -> RowParallelLinearAddRMSNorm:
        """This rank's module for a whole linear layer and the norm behind it, with copies of their parameters.

        linear  what computes x @ weight.T + bias; in_features must be a multiple of the group's size, and rank r gets
                the r-th block of columns
        norm    what computes RMSNorm with its weight, 1 + its weight, or none. gamma is the weight in its own dtype if
                that is linear's or float32, and otherwise, as for 1 + weight, in float32

        Both are tried on random rows where their class does not tell, in copies; docs/torch.md has what is taken.

        Errors: ValueError (they compute something else; sizes that do not fit), TypeError (no modules; other dtypes).
        """
        member = mmarn.find_group(group) if isinstance(group, str) else group
        weight, bias = linears.weight_and_bias(linear)
        out_features, in_features = weight.shape
        if in_features % member.world_size:
            raise ValueError(f"linear.in_features is {in_features}, not a multiple of the {member.world_size} ranks")
        gamma, eps = norms.fold(norm, out_features, weight.dtype)
        probe.on_one_device({"linear.weight": weight, "linear.bias": bias, "norm.weight": gamma})
        module = cls(
            in_features // member.world_size, out_features, group=member, bias=bias is not None, eps=eps,
            device=weight.device, dtype=weight.dtype, numerics=numerics, name=name,
        )
        with torch.no_grad():
            module.weight.copy_(weight.chunk(member.world_size, dim=1)[member.rank])
            if bias is not None:
                module.bias.copy_(bias)
            if gamma is not None:
                module.gamma = nn.Parameter(gamma.to(module.gamma.device, copy=True))
        return module

    def forward(self, x: Tensor, residual: Tensor) -> tuple[Tensor, Tensor]:
        """(y, norm_out); shapes and dtypes are the class's. Collective. Errors: those of the mmarn package."""
        weight, gamma, bias, scale = self.weight, self.gamma, self.bias, self.scale
        self._refuse_unfilled(x, weight=weight, gamma=gamma, bias=bias, scale=scale)
        inputs = (x, residual, weight, gamma, bias)
        needs_grad = torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in inputs)
        if needs_grad and not torch.compiler.is_compiling():
            self.release_packed()  # for somebody who trains in eval mode: see train()
        if needs_grad or self.training or weight.is_meta or isinstance(weight, FakeTensor):  # nothing to be packed
            return torch.ops.mmarn.mm_all_reduce_add_rms_norm(
                x, weight.t(), residual, gamma, self.group, bias, antiquant_scale=scale,
                epsilon=self.eps, bias_once=self.bias_once, numerics=self.numerics, name=self.name, **self._kind(),
            )
        return torch.ops.mmarn.packed_mm_all_reduce_add_rms_norm(
            x, weight, residual, gamma, self.group, self._packed.number, bias, scale,
            epsilon=self.eps, bias_once=self.bias_once, numerics=self.numerics, name=self.name, **self._kind(),
        )

    def _kind(self) -> dict:
        """What the operators must know of a quantised weight."""
        if not self.quantised:
            return {}
        return {"antiquant_group_size": self.group_size, "x2_dtype": "int4" if self.quantised == "int4" else None}

    def _refuse_unfilled(self, x: Tensor, **parameters: Tensor | None) -> None:
        """Errors: RuntimeError (a parameter was left on meta, and x is not there)."""
        for name, parameter in parameters.items():
            if parameter is not None and parameter.is_meta and not x.is_meta:
                refuse(self.group, (x,),
                       f"{name} is on meta, but x is on {x.device}; load or initialise {name} first")

    def train(self, mode: bool = True) -> RowParallelLinearAddRMSNorm:
        """As every module's; frees the packed weight, because a fused optimiser's step changes no version counter."""
        self.release_packed()
        return super().train(mode)

    @torch.no_grad()
    def quantise_(self, kind: str = "int8", group_size: int | None = None) -> RowParallelLinearAddRMSNorm:
        """Replaces weight by integers with scales, symmetrically: w is about integer * scale. Local.

        kind: "int8", or "int4", of which two share a byte: weight is then uint8 (out_features, in_features_local / 2).
        group_size: columns that share a scale, a multiple of 32, or 0 for all; None: 0 for int8 and 128 for int4. scale
        is (out_features), or (groups, out_features). Both become buffers; x and the other parameters keep their dtype.
        To load a quantised state_dict, quantise the module in the same way first.

        Errors: ValueError (kind, group_size), RuntimeError (done already).
        """
        size = quantise.checked_group(kind, group_size, self.in_features_local)
        if self.quantised:
            raise RuntimeError("weight is quantised already")
        integers, scale = quantise.rounded(self.weight, kind, size)
        self.release_packed()
        del self.weight
        self.register_buffer("weight", integers)
        self.scale = scale
        self.quantised, self.group_size = kind, size
        return self

    def release_packed(self) -> None:
        """Frees the packed weight; the next forward packs again. To be called before the group is closed."""
        self._packed.release()

    def extra_repr(self) -> str:
        return (
            f"in_features_local={self.in_features_local}, out_features={self.out_features}, "
            f"bias={self.bias is not None}, eps={self.eps}, group={self.group!r}"
            + (f", {self.quantised} in groups of {self.group_size or self.in_features_local}" if self.quantised else "")
        )
