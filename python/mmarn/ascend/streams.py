# SPDX-License-Identifier: MIT
"""Streams and events for work that is finished when its call returns: all they can do is keep time.

torch_npu.npu re-exports these. A stream orders nothing, because there is only the caller's own order.
"""

import time
from typing import Any


class Stream:
    """A queue that is always empty."""

    def __init__(self, device: Any = None, priority: int = 0, **options: Any) -> None:
        self.device = device
        self.priority = priority

    def synchronize(self) -> None:
        """Returns at once."""

    def query(self) -> bool:
        """True: all work is done."""
        return True

    def wait_stream(self, stream: "Stream") -> None:
        """Returns at once."""

    def wait_event(self, event: "Event") -> None:
        """Returns at once."""

    def record_event(self, event: "Event | None" = None) -> "Event":
        """Records the event, or a new one, and returns it."""
        event = event or Event()
        event.record(self)
        return event


class Event:
    """A moment of the wall clock; with enable_timing, two of them give the time between."""

    def __init__(self, enable_timing: bool = False, blocking: bool = False, interprocess: bool = False) -> None:
        self._timing = enable_timing
        self._seconds: float | None = None

    def record(self, stream: Stream | None = None) -> None:
        """Notes the time; whatever was called before is done."""
        self._seconds = time.perf_counter()

    def wait(self, stream: Stream | None = None) -> None:
        """Returns at once."""

    def query(self) -> bool:
        """True: what the event stands for is done."""
        return True

    def synchronize(self) -> None:
        """Returns at once."""

    def elapsed_time(self, end_event: "Event") -> float:
        """Milliseconds from this event to end_event. RuntimeError unless both keep time and were recorded."""
        for name, event in (("this event", self), ("end_event", end_event)):
            if not event._timing:
                raise RuntimeError(f"{name} was made with enable_timing=False, so it has no time")
            if event._seconds is None:
                raise RuntimeError(f"{name} was not recorded")
        return (end_event._seconds - self._seconds) * 1e3


_default = Stream()
_current = _default


def default_stream(device: Any = None) -> Stream:
    return _default


def current_stream(device: Any = None) -> Stream:
    return _current


def set_stream(stream: Stream) -> None:
    """Makes the stream the one that current_stream returns."""
    global _current
    _current = stream


class StreamContext:
    """Context manager: the stream is the current one inside; None changes nothing."""

    def __init__(self, stream: Stream | None) -> None:
        self.stream = stream

    def __enter__(self) -> None:
        self.previous = _current
        if self.stream is not None:
            set_stream(self.stream)

    def __exit__(self, *exception: object) -> None:
        set_stream(self.previous)


def stream(stream: Stream | None) -> StreamContext:
    return StreamContext(stream)
