# SPDX-License-Identifier: MIT
"""The operator by its name in MindSpeed; y and norm_out are new tensors.

It rests on mmarn.ascend.operators, which has the schema.
"""

from typing import Any

import torch

__all__ = ["npu_mm_all_reduce_add_rms_norm"]


def npu_mm_all_reduce_add_rms_norm(*args: Any, **kwargs: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """(y, norm_out) of x1, x2, residual, gamma and hcom; everything else by keyword. Collective over hcom's group."""
    return torch.ops.mindspeed.npu_mm_all_reduce_add_rms_norm(*args, **kwargs)
