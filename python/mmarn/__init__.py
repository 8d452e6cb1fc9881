# SPDX-License-Identifier: MIT
"""Matmul, all-reduce, residual and RMSNorm in one step, over the ranks of one machine.

    mm_out   = sum over ranks of (x1 @ x2 + bias + x3)
    y        = mm_out + residual
    norm_out = y / sqrt(mean(y * y) + epsilon) * gamma

Arrays may be torch's (on the CPU), NumPy's (bfloat16 through ml_dtypes), JAX's, or any other's that speak DLPack.
Exceptions carry the library's sentence, and .status and .code (the C interface's mmarn_status and mmarn_last_code).
"""

from mmarn._core import __version__, create_id, describe
from mmarn.group import Group, find_group
from mmarn.op import Op, Outputs, add_rms_norm, mm_all_reduce, mm_all_reduce_add_rms_norm
from mmarn.quant import trans_quant_param

__all__ = ["Group", "Op", "Outputs", "__version__", "add_rms_norm", "create_id", "describe", "find_group",
           "mm_all_reduce", "mm_all_reduce_add_rms_norm", "trans_quant_param"]
