"""A serial run has nobody who watches it: a test that does not end makes it say where it is, and end."""

from __future__ import annotations

import faulthandler
import os
from pathlib import Path


class Watch:
    """The file ``hung`` holds the test that runs, then nothing, or the stacks of all threads."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self._fd = os.open(folder / "hung", os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        self._seconds = seconds

    def begin(self, nodeid: str) -> None:
        os.ftruncate(self._fd, 0)
        os.lseek(self._fd, 0, os.SEEK_SET)
        os.write(self._fd, nodeid.encode("utf-8", "surrogateescape") + b"\n")
        faulthandler.dump_traceback_later(self._seconds, exit=True, file=self._fd)

    def end(self) -> None:
        faulthandler.cancel_dump_traceback_later()
