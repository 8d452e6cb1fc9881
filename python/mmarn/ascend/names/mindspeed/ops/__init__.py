# SPDX-License-Identifier: MIT
"""mindspeed.ops: npu_mm_all_reduce_add_rms_norm and its in-place sister, a module each.

They rest on mmarn.ascend.operators.
"""
