# SPDX-License-Identifier: MIT
"""Importing this makes a program written for CUDA use the stand-ins for NPUs.

It rests on mmarn.ascend.transfer, which says what changes.
"""

from mmarn.ascend import transfer

transfer.enable()
