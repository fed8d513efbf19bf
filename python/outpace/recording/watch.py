"""A serial run has nobody who watches it: a test that does not end makes it say where it is, and end."""

from __future__ import annotations

import faulthandler
import os
import time
from pathlib import Path

# The watch is wound up once in so many seconds, since that starts a thread.
_SLACK = 1.0


class Watch:
    """The file ``hung`` holds the test that runs, and the stacks of all threads if it runs for too long."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self._fd = os.open(folder / "hung", os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        self._seconds = seconds
        self._wound_up = float("-inf")

    def begin(self, nodeid: str) -> None:
        os.ftruncate(self._fd, 0)
        os.lseek(self._fd, 0, os.SEEK_SET)
        os.write(self._fd, nodeid.encode("utf-8", "surrogateescape") + b"\n")
        now = time.monotonic()
        if now - self._wound_up > _SLACK:
            self._wound_up = now
            faulthandler.dump_traceback_later(self._seconds + _SLACK, exit=True, file=self._fd)

    def close(self) -> None:
        faulthandler.cancel_dump_traceback_later()
