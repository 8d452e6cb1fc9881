# SPDX-License-Identifier: MIT
"""torch_npu.npu_mm_all_reduce_base: out = all_reduce_sum(x1 @ x2 + bias + x3), without residual and norm.

It rests on mmarn.Op.matmul and on the group's all-reduce with numerics='ascend': each rank's result is rounded to the
output's dtype, x3 is added to it with another rounding, and the sum runs in rank order with every addition rounded.
"""

from typing import Any

import torch

import mmarn
from mmarn.ascend import calls
from mmarn.ascend.checks import SIXTEEN_BITS, check, check_tensors

# Keyword arguments of newer releases that choose something other than what is done here, and their neutral values.
NEUTRAL: dict[str, Any] = {
    "comm_quant_scale_1": None, "comm_quant_scale_2": None, "group_sizes": None, "y_dtype": None, "x1_dtype": None,
    "x2_dtype": None, "dequant_scale_dtype": None, "pertoken_scale_dtype": None, "comm_quant_mode": 0,
    "comm_mode": None,
}


def output_dtype(x1: torch.Tensor, dequant_scale: torch.Tensor | None) -> torch.dtype:
    """x1's dtype; for int8, bfloat16 if dequant_scale is, else float16."""
    if x1.dtype != torch.int8:
        return x1.dtype
    return torch.bfloat16 if dequant_scale is not None and dequant_scale.dtype == torch.bfloat16 else torch.float16


def _check(x1: torch.Tensor, x2: torch.Tensor, x3: torch.Tensor | None, pertoken_scale: torch.Tensor | None,
           dtype: torch.dtype, others: dict[str, Any]) -> None:
    for name, value in others.items():
        if name not in NEUTRAL:
            raise TypeError(f"npu_mm_all_reduce_base() got an unexpected keyword argument {name!r}")
        check(value == NEUTRAL[name] if isinstance(value, int) else value is NEUTRAL[name],
              f"{name} is given, but mmarn.ascend supports no more than {NEUTRAL[name]}")
    check(x1.dim() in (2, 3) and x1.numel() > 0, f"x1 is {tuple(x1.shape)}; it must have 2 or 3 axes and not be empty")
    check(x2.dim() == 2 and x2.numel() > 0, f"x2 is {tuple(x2.shape)}; it must have 2 axes and not be empty")
    check(x1.dtype in (torch.int8, *SIXTEEN_BITS), f"x1 is {x1.dtype}; it must be float16, bfloat16 or int8")
    shape = (*x1.shape[:-1], x2.size(1))
    check(x3 is None or (tuple(x3.shape) == shape and x3.dtype == dtype),
          f"x3 is {x3 is not None and tuple(x3.shape)} {x3 is not None and x3.dtype} but the result is {shape} {dtype}")
    if pertoken_scale is not None:
        rows = x1.numel() // x1.size(-1)
        check(x1.dtype == torch.int8, f"pertoken_scale is given but x1 is {x1.dtype}")
        check(tuple(pertoken_scale.shape) == (rows,) and pertoken_scale.dtype == torch.float32,
              f"pertoken_scale is {tuple(pertoken_scale.shape)} {pertoken_scale.dtype}; it must be ({rows},) float32")


def _partial(group: mmarn.Group, x1: torch.Tensor, x2: torch.Tensor, x3: torch.Tensor | None,
             pertoken_scale: torch.Tensor | None, dtype: torch.dtype, options: dict[str, Any]) -> torch.Tensor:
    """This rank's x1 @ x2 + bias (+ x3), rounded to the output's dtype. Local."""
    gamma = torch.ones(x2.size(1), dtype=dtype)  # says which dtype the outputs have; Op.matmul uses it for nothing else
    with mmarn.Op(group, x2, gamma, strict=pertoken_scale is None, borrow_x2=True, **options) as op:
        part = op.matmul(x1)
    if pertoken_scale is not None:
        part *= pertoken_scale.reshape(*x1.shape[:-1], 1)
    part = part.to(dtype)
    return part if x3 is None else part.add_(x3)


@torch.no_grad()
def npu_mm_all_reduce_base(x1: torch.Tensor, x2: torch.Tensor, hcom: str, *, reduce_op: str = "sum",
                           bias: torch.Tensor | None = None, antiquant_scale: torch.Tensor | None = None,
                           antiquant_offset: torch.Tensor | None = None, x3: torch.Tensor | None = None,
                           dequant_scale: torch.Tensor | None = None, pertoken_scale: torch.Tensor | None = None,
                           antiquant_group_size: int = 0, comm_turn: int = 0, **others: Any) -> torch.Tensor:
    """out = sum over the ranks of hcom's group of x1 @ x2 + bias + x3. Collective.

    x1 is (b, s, k) or (rows, k), x2 (k, n) or the transpose of a contiguous (n, k), bias (n), x3 and the result
    (b, s, n) or (rows, n); dtypes and scales are those of npu_mm_all_reduce_add_rms_norm, and pertoken_scale, (rows)
    float32, multiplies the rows of an int8 product after dequant_scale, which may then be float32. bias and x3 are
    summed over the ranks. Communication in int8 and the float8 and float4 formats are refused.
    Errors: RuntimeError with one sentence; the peers' calls fail too.
    """
    group = calls.find_group(hcom)
    options = {"reduce_op": reduce_op, "bias": bias, "antiquant_scale": antiquant_scale,
               "antiquant_offset": antiquant_offset, "dequant_scale": dequant_scale,
               "antiquant_group_size": antiquant_group_size, "comm_turn": comm_turn}
    with calls.telling_peers(group):
        check_tensors(x1=x1, x2=x2, x3=x3, bias=bias, antiquant_scale=antiquant_scale,
                      antiquant_offset=antiquant_offset, dequant_scale=dequant_scale, pertoken_scale=pertoken_scale)
        dtype = output_dtype(x1, dequant_scale)
        _check(x1, x2, x3, pertoken_scale, dtype, others)
        with calls.as_runtime_error():
            part = _partial(group, x1, x2, x3, pertoken_scale, dtype, options)
    with calls.as_runtime_error():
        return group.all_reduce(part, part, numerics="ascend")
