"""A serial run has nobody who watches it: a test that does not end makes it say where it is, and end."""

from __future__ import annotations

import faulthandler
import mmap
import os
import time
from pathlib import Path

# The watch is wound up once in so many seconds, since that starts a thread.
_SLACK = 1.0
# Room for the id of a test; what is not used of it is blank.
_ROOM = 4 * mmap.PAGESIZE


class Watch:
    """The file ``hung`` holds the test that runs, and the stacks of all threads if it runs for too long.

    The id is written through a mapping, without a system call; the stacks come behind it.
    """

    def __init__(self, folder: Path, seconds: float) -> None:
        self._fd = os.open(folder / "hung", os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        os.write(self._fd, b" " * _ROOM)
        self._head = mmap.mmap(self._fd, _ROOM)
        self._written = 0
        self._seconds = seconds
        self._wound_up = float("-inf")

    def begin(self, nodeid: str) -> None:
        line = nodeid.encode("utf-8", "surrogateescape")[: _ROOM - 1] + b"\n"
        length = max(len(line), self._written)
        self._head[:length] = line.ljust(length)
        self._written = len(line)
        now = time.monotonic()
        if now - self._wound_up > _SLACK:
            self._wound_up = now
            faulthandler.dump_traceback_later(self._seconds + _SLACK, exit=True, file=self._fd)

    def close(self) -> None:
        faulthandler.cancel_dump_traceback_later()
