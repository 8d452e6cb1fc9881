# SPDX-License-Identifier: MIT
"""The Python call of npu_mm_all_reduce_add_rms_norm, of MindSpeed and CANN, on a machine without an NPU: importing this
package makes it possible.

`import mmarn.ascend` (or `python -m mmarn.ascend script.py`) provides the top-level names torch_npu and mindspeed, the
process-group backend hccl, Tensor.npu(), Module.npu() and torch.npu, for this process and for the ones that it spawns.
Tensors stay on the CPU and libmmarn does the work. install.py does all of it; docs/ascend.md says what is covered.
"""

import sys

from mmarn.ascend.install import enable

try:
    enable()
except ImportError as refusal:
    # While `python -m` looks for the module to run, sys.argv[0] is "-m": its user wants the sentence, not a traceback.
    if sys.argv[:1] == ["-m"]:
        raise SystemExit(str(refusal)) from None
    raise
