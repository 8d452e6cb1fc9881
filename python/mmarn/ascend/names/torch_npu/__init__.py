# SPDX-License-Identifier: MIT
"""torch_npu for a machine without an NPU: the part of it that surrounds npu_mm_all_reduce_add_rms_norm.

Everything is mmarn.ascend's; importing this first, as a spawned process does, makes the rest available too.
"""

import sys

import torch

import mmarn.ascend  # noqa: F401
from mmarn.ascend import npu
from mmarn.ascend.all_reduce import npu_mm_all_reduce_base
from mmarn.ascend.norms import npu_add_rms_norm, npu_rms_norm, npu_trans_quant_param

__all__ = ["npu", "npu_add_rms_norm", "npu_mm_all_reduce_base", "npu_rms_norm", "npu_trans_quant_param"]
__version__ = torch.__version__.split("+")[0] + "+mmarn"

sys.modules["torch_npu.npu"] = npu
