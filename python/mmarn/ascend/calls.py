# SPDX-License-Identifier: MIT
"""What all operators share: the group behind an hcom name, the original's kind of exception, and word to the peers."""

import contextlib
from collections.abc import Iterator
from typing import Any

import mmarn
from mmarn._torch_gate import telling_peers
from mmarn.ascend.backend import NAME

__all__ = ["as_runtime_error", "find_group", "telling_peers"]


def find_group(hcom: Any) -> mmarn.Group:
    """The group whose name get_hccl_comm_name returned in this process. RuntimeError, with a sentence, if none."""
    if not isinstance(hcom, str) or not NAME.fullmatch(hcom):
        raise RuntimeError(f"hcom is {hcom!r:.140}; it must be a name that get_hccl_comm_name returned")
    try:
        return mmarn.find_group(hcom)
    except (ValueError, LookupError) as error:
        raise RuntimeError(f"hcom is {hcom!r}: {error}") from error


@contextlib.contextmanager
def as_runtime_error() -> Iterator[None]:
    """Turns the library's exceptions into RuntimeError, which is what the original raises; the sentence stays.

    CANN's number of the failure (161001, 161002, 561002, 561000) follows in brackets, and the
    library's own exception is the cause. An argument that cannot even be read as a tensor has no number.
    """
    try:
        yield
    except Exception as error:
        number = f" [{error.code}]" if hasattr(error, "code") else ""
        if not number and not isinstance(error, (TypeError, ValueError)):
            raise
        raise RuntimeError(f"{error}{number}") from error
