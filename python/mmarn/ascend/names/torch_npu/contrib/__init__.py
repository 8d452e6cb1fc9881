# SPDX-License-Identifier: MIT
"""torch_npu.contrib: transfer_to_npu alone.

It rests on mmarn.ascend.transfer.
"""
