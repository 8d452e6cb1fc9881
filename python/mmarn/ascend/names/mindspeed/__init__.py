# SPDX-License-Identifier: MIT
"""mindspeed for a machine without an NPU: its operator npu_mm_all_reduce_add_rms_norm, and nothing else.

It rests on mmarn.ascend, whose import registers the operators under torch.ops.mindspeed.
"""

import mmarn.ascend  # noqa: F401
