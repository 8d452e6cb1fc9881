# SPDX-License-Identifier: MIT
"""MMARN for PyTorch: groups from process groups, operators with fake kernels and gradients, and a module.

Importing this package registers torch.ops.mmarn.* (ops.py, forms.py), with their gradients (autograd.py). It rests on the mmarn
package, which itself never imports torch, and on torch 2.4 or newer. docs/torch.md shows how to use it.
"""

import torch

if torch.__version__ < (2, 4):
    raise ImportError(f"mmarn.torch needs torch 2.4 or newer, but torch is {torch.__version__}")

from mmarn.torch import autograd, forms, ops  # noqa: F401  (they register the operators and gradients)
from mmarn._torch_effects import checkpoint_contexts
from mmarn.torch.groups import group_from_process_group
from mmarn.torch.module import RowParallelLinearAddRMSNorm

__all__ = ["RowParallelLinearAddRMSNorm", "checkpoint_contexts", "group_from_process_group"]
