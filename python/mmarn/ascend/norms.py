# SPDX-License-Identifier: MIT
"""torch_npu's RMS norms and npu_trans_quant_param, as they surround the operator in programs and in its tests.

The norms round where the operator does (docs/numerics.md): y to its dtype, the statistic from the rounded y in fp32,
y * rstd to its dtype before gamma. npu_add_rms_norm rests on the library itself, so together with
npu_mm_all_reduce_base it gives the operator's bits. npu_trans_quant_param rests on mmarn.trans_quant_param.
"""

import math

import torch

import mmarn
from mmarn.ascend import calls
from mmarn.ascend.checks import check, check_tensors


def _check_gamma(x: torch.Tensor, gamma: torch.Tensor) -> None:
    trailing = tuple(x.shape[x.dim() - gamma.dim():]) if gamma.dim() <= x.dim() else None
    check(gamma.dim() > 0 and tuple(gamma.shape) == trailing,
          f"gamma is {tuple(gamma.shape)}, which is not how x, {tuple(x.shape)}, ends")
    check(x.dtype in (torch.float16, torch.bfloat16, torch.float32),
          f"x is {x.dtype}; it must be float16, bfloat16 or float32")


def _rstd(y: torch.Tensor, gamma: torch.Tensor, epsilon: float) -> torch.Tensor:
    """1 / sqrt(mean(y * y) + epsilon) over the axes of gamma, which stay with size 1; fp32."""
    axes = tuple(range(y.dim() - gamma.dim(), y.dim()))
    return 1.0 / torch.sqrt(y.float().square().mean(axes, keepdim=True) + epsilon)


@torch.no_grad()
def npu_rms_norm(self: torch.Tensor, gamma: torch.Tensor, epsilon: float = 1e-6) -> tuple[torch.Tensor, torch.Tensor]:
    """(y, rstd): y = x * rstd * gamma over the axes of gamma, and rstd = 1 / sqrt(mean(x * x) + epsilon) in fp32.

    x is float16, bfloat16 or float32, gamma of that dtype or float32 and of x's trailing axes. y has x's shape and
    dtype; rstd has size 1 on gamma's axes. Errors: RuntimeError.
    """
    _check_gamma(self, gamma)
    check(gamma.dtype in (self.dtype, torch.float32), f"gamma is {gamma.dtype} but x is {self.dtype}")
    rstd = _rstd(self, gamma, epsilon)
    scaled = (self.float() * rstd).to(self.dtype)
    return (scaled.float() * gamma.float()).to(self.dtype), rstd


@torch.no_grad()
def npu_add_rms_norm(x1: torch.Tensor, x2: torch.Tensor, gamma: torch.Tensor,
                     epsilon: float = 1e-6) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(norm, rstd, sum): sum = x1 + x2, norm = sum * rstd * gamma over the axes of gamma; in this order.

    x1, x2 and gamma have one dtype, float16, bfloat16 or float32; x1 and x2 one shape, gamma their trailing axes.
    norm and sum have x1's shape and dtype; rstd is float32 with size 1 on gamma's axes. Errors: RuntimeError.
    """
    check_tensors(x1=x1, x2=x2, gamma=gamma)
    check(x1.shape == x2.shape and x1.dtype == x2.dtype,
          f"x2 is {tuple(x2.shape)} {x2.dtype} but x1 is {tuple(x1.shape)} {x1.dtype}")
    _check_gamma(x1, gamma)
    check(gamma.dtype == x1.dtype, f"gamma is {gamma.dtype} but x1 is {x1.dtype}")
    n = gamma.numel()
    rows = math.prod(x1.shape[:x1.dim() - gamma.dim()])
    with calls.as_runtime_error(), mmarn.Group() as alone:
        y, norm = alone.all_reduce_add_rms_norm(x1.reshape(rows, n), x2.reshape(rows, n), gamma.reshape(n),
                                                epsilon=epsilon)
    y, norm = y.reshape(x1.shape), norm.reshape(x1.shape)
    return norm, _rstd(y, gamma, epsilon), y


def npu_trans_quant_param(scale: torch.Tensor, offset: torch.Tensor | None = None,
                          round_mode: int | None = 0) -> torch.Tensor:
    """The 64-bit words that dequant_scale takes for float16 results, as int64.

    scale and offset are float32, (t) or (1, n); of two different sizes one must be 1, and the result has the larger
    one's shape. The layout of a word is that of mmarn_trans_quant_param in mmarn.h. Errors: RuntimeError.
    """
    check_tensors(scale=scale, offset=offset)
    for name, tensor in {"scale": scale, "offset": offset}.items():
        if tensor is not None:
            check(tensor.dtype == torch.float32, f"{name} is {tensor.dtype}; it must be float32")
            check(tensor.dim() == 1 or (tensor.dim() == 2 and tensor.size(0) == 1),
                  f"{name} is {tuple(tensor.shape)}; it must be (t) or (1, n)")
    check(round_mode in (None, 0, 1), f"round_mode must be 0 or 1. but now is {round_mode}")
    with calls.as_runtime_error():
        return mmarn.trans_quant_param(scale, offset, round_mode or 0)
