# SPDX-License-Identifier: MIT
"""Says how it was started, and ends with the code that it is given. Arguments: anything, then the code."""

import sys

import mindspeed  # noqa: F401
import torch_npu  # noqa: F401

if __name__ == "__main__":
    print(__name__, sys.argv[0].endswith("arguments.py"), sys.argv[1:])
    raise SystemExit(int(sys.argv[-1]))
