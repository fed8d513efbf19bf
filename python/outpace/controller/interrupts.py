"""SIGINT and SIGTERM while the controller works through the coordinator's messages.

An exception in the middle of a message would lose half of it: a result, or the place in the stream. So an interrupt is
raised while the controller waits for a message, or before the next one. Who asks again while a plugin is busy with a
message gets the exception at once.
"""

from __future__ import annotations

import contextlib
import select
import signal
from collections.abc import Iterable, Iterator
from typing import Any


class Interrupts:
    def __init__(self) -> None:
        self._waiting = False
        self._asked = False

    @contextlib.contextmanager
    def caught(self) -> Iterator[None]:
        """Within it the two signals mean the same; handlers that a project has installed stay."""
        replaced = []
        with contextlib.suppress(ValueError):  # not the main thread
            for number, default in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
                if signal.getsignal(number) is default:
                    signal.signal(number, self._on_signal)
                    replaced.append((number, default))
        try:
            yield
        finally:
            for number, default in replaced:
                signal.signal(number, default)

    def _on_signal(self, number: int, frame: Any) -> None:
        if self._waiting or self._asked:
            self._asked = False
            raise KeyboardInterrupt
        self._asked = True

    def wait(self, descriptors: Iterable[int], patience: int | None = None) -> list[int]:
        """Wait until there is something to read, and from which, or for so many milliseconds.

        The place where interrupts come up.
        """
        poll = select.poll()
        for fd in descriptors:
            poll.register(fd, select.POLLIN)
        self._waiting = True
        try:
            self.check()
            return [fd for fd, _ in poll.poll(patience)]
        finally:
            self._waiting = False

    def check(self) -> None:
        if self._asked:
            self._asked = False
            raise KeyboardInterrupt
