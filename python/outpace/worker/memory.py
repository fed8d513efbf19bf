"""With ``--memory``: by how much each test made its worker grow.

Registered in the template, at work in its forks. It reads two files of its own process a test, and changes nothing.
"""

from __future__ import annotations

import heapq
import mmap
import os
from collections.abc import Generator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .session import WorkerSession

# A test is told of when it is among so many of its worker's that grew it most, and by at least so much.
_MOST = 10
_LEAST = 1_000_000

_read, _open, _close = os.read, os.open, os.close


class Growth:
    def __init__(self, worker: WorkerSession) -> None:
        self._worker = worker
        self._largest: list[int] = []

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self) -> Generator[None, Any, None]:
        before, mark = _anonymous(), _high_water()
        yield
        after, top = _anonymous(), _high_water()
        kept = after - before
        # The mark only rises: a test below an earlier one's leaves no trace.
        peak = max(kept, top - before if top > mark else 0)
        if peak < _LEAST or (len(self._largest) == _MOST and peak <= self._largest[0]):
            return
        (heapq.heappush if len(self._largest) < _MOST else heapq.heapreplace)(self._largest, peak)
        running = self._worker.loop.running
        if running is not None:
            self._worker.reporting.event("memory", item=running, kept=max(kept, 0), peak=peak)


def _anonymous() -> int:
    """Bytes in memory that belong to no file."""
    fields = _content("/proc/self/statm").split()
    return (int(fields[1]) - int(fields[2])) * mmap.PAGESIZE if len(fields) > 2 else 0


def _high_water() -> int:
    """The most bytes that the process ever had in memory and that belong to no file, about."""
    status = _content("/proc/self/status")
    start = status.find(b"VmHWM:")
    if start < 0:
        return 0
    shared = sum(_kibibytes(status, name) for name in (b"RssFile:", b"RssShmem:"))
    return _kibibytes(status, b"VmHWM:") - shared


def _kibibytes(status: bytes, name: bytes) -> int:
    start = status.find(name)
    return int(status[start + len(name) :].split(None, 1)[0]) * 1024 if start >= 0 else 0


def _content(path: str) -> bytes:
    with suppress(OSError):
        fd = _open(path, os.O_RDONLY)
        try:
            return _read(fd, 8192)
        finally:
            _close(fd)
    return b""
