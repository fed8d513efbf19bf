"""The controller's connection to a coordinator that a layer has started for it."""

from __future__ import annotations

import contextlib
import os
import select
import socket

from outpace import __version__
from outpace.launch import Coordinator, python_command
from outpace.wire import Channel, Closed, Kind

_PATIENCE = 10_000


class _Elsewhere:
    """The coordinator's process, which is no child of this one."""

    pid = 0

    def wait(self, timeout: float | None = None) -> int:
        return 1

    def kill(self) -> None:
        """It ends when its connection does."""


class Connected(Coordinator):
    def __init__(self, fd: int, given: int) -> None:
        """``given`` is the file that takes what the first worker is given."""
        self.process = _Elsewhere()  # type: ignore[assignment]
        self.channel = Channel(fd)
        self._given = given
        self.cpu_quota = None
        self.cpus = ""
        with contextlib.suppress(Closed):
            self.send(Kind.HELLO, version=__version__)
            self.send(Kind.TEMPLATE, argv=python_command())

    def send_worker(self, number: int, data: bytes) -> None:
        if self._given >= 0:
            with os.fdopen(self._given, "wb") as file:
                file.write(data)
            self._given = -1
        super().send_worker(number, data)

    def close(self) -> None:
        """Ends the coordinator, and waits until it has ended whatever is left of the run."""
        fd = self.channel.fd
        if fd < 0:
            return
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(fd)) as end:
            end.shutdown(socket.SHUT_WR)
            poll = select.poll()
            poll.register(end, select.POLLIN)
            while poll.poll(_PATIENCE) and os.read(fd, 1 << 16):
                pass
        self.channel.close()
