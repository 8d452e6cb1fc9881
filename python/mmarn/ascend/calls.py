"""What all operators share: the group behind an hcom name, the original's kind of exception, and word to the peers."""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch

import mmarn
from mmarn.ascend.backend import NAME


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

    The specification's number of the failure (161001, 161002, 561002, 561000) follows in brackets, and the
    library's own exception is the cause. An argument that cannot even be read as a tensor has no number.
    """
    try:
        yield
    except Exception as error:
        number = f" [{error.code}]" if hasattr(error, "code") else ""
        if not number and not isinstance(error, (TypeError, ValueError)):
            raise
        raise RuntimeError(f"{error}{number}") from error


@contextlib.contextmanager
def telling_peers(group: mmarn.Group) -> Iterator[None]:
    """Around work of one rank alone before a collective call: if it fails, the peers' call fails too.

    Otherwise they would wait for this rank until their deadline. The library tells them when it is the one that
    refuses, so it is given a call that it must refuse; they read the text below in its sentence.
    """
    try:
        yield
    except Exception:
        one = torch.ones(1, 1, dtype=torch.float16)
        with contextlib.suppress(Exception):
            mmarn.mm_all_reduce_add_rms_norm(one, one, one, one[0], group, reduce_op=f"see rank {group.rank}'s error")
        raise
