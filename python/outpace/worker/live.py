"""The outgoing side of live output: this process's standard output and error lead to the controller's pipes.

The controller makes two pipes for each worker and says in the worker's input where their ends for writing are
(``/proc/PID/fd/N``); this process opens them. What the tests, their subprocesses and C code write goes there directly.
Between the bytes of the tests stand marks, which the controller takes out: they say whose output follows, and end a
line that was left unfinished. A mark is one write of fewer than ``PIPE_BUF`` bytes, so nothing is written into it.

Imported only where something is shown live. It must not keep anything back in a buffer: what was written is shown even
if the process is killed the next moment.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Generator
from typing import Any

import pytest

from outpace import pytest_private

# Longer names of tests are cut in prefixes.
LONGEST_NAME = 300
_NO_CONTROL = dict.fromkeys(range(32), "?")

_write = os.write


class _Through(io.BufferedWriter):
    """Keeps nothing back, and unlike a raw file writes all it is given."""

    def write(self, data: Any) -> int:
        count = super().write(data)
        self.flush()
        return count


class Live:
    """The pipes of this process, and what it has said of itself."""

    def __init__(self, given: dict[str, Any]) -> None:
        self._label = ""
        # Files that capture writes to and the controller reads along, if it follows this worker.
        self._followed: list[int] = []
        self._captures: list[Any] = []
        self._open(given)

    def _open(self, given: dict[str, Any]) -> None:
        self._given = given
        self._mark = b"\0outpace:%s:" % given["mark"].encode()
        self.fds = [os.open(given[name], os.O_WRONLY | os.O_CLOEXEC) for name in ("out", "err")]

    # -- the way to the first test

    def begin(self) -> None:
        """Before any code of the user's: what is written at import and collection is shown."""
        if self._given["streams"]:
            self._lead_streams()
            for number, name in ((1, "stdout"), (2, "stderr")):
                stream = _unbuffered(number, getattr(sys, name))
                setattr(sys, name, stream)
                setattr(sys, f"__{name}__", stream)

    def _lead_streams(self) -> None:
        for number, fd in ((1, self.fds[0]), (2, self.fds[1])):
            os.dup2(fd, number)

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """What pytest itself writes in a worker is not for the user; records of ``log_cli`` are."""
        if self._given["streams"]:
            pytest_private.silence_terminal(config)
        pytest_private.lead_live_log(config, LogStream(self))

    def become_fork(self, config: pytest.Config, given: dict[str, Any]) -> None:
        """In a fork of the template: pipes of its own."""
        for fd in self.fds:
            os.close(fd)
        self._open(given)
        if given["streams"]:
            self._lead_streams()
            fault_fd = pytest_private.fault_handler_descriptor(config)
            if fault_fd is not None:
                os.dup2(self.fds[1], fault_fd, inheritable=False)

    def enter(self, worker_id: str, config: pytest.Config) -> None:
        """From here on this process is a worker that runs tests."""
        self._worker_id = worker_id
        paths = self._given["followed"]
        for capture in pytest_private.fd_captures(config) if paths else ():
            if capture.targetfd:
                self._captures.append(capture)
                self._followed.append(pytest_private.follow_capture(capture, paths[capture.targetfd - 1]))
        if self._given["streams"] == "mute":
            null = os.open(os.devnull, os.O_WRONLY)
            for number in (1, 2):
                os.dup2(null, number)
            os.close(null)
        self.say(worker_id)

    @property
    def is_followed(self) -> bool:
        return bool(self._followed)

    def skip_followed(self) -> None:
        """What forks of this process have captured is not this process's."""
        for capture in self._captures:
            capture.snap()

    # -- tests

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, None]:
        self.say(f"{self._worker_id} {item.name[:LONGEST_NAME]}")
        yield
        self.say(self._worker_id)

    def say(self, label: str) -> None:
        """Whose output follows."""
        self._label = label
        for number in (0, 1):
            self._put(self.fds[number], self._a_mark(number))

    def show(self, text: str) -> None:
        """A line or more, on a line of its own."""
        if self._given["log"]:
            self._put(self.fds[0], self._a_mark(0) + text.encode("utf-8", "backslashreplace"))

    def _a_mark(self, number: int) -> bytes:
        """Where files are followed it also says how much had been written to them."""
        label = self._label.translate(_NO_CONTROL).encode("utf-8", "backslashreplace")
        length = b"%d" % os.fstat(self._followed[number]).st_size if self._followed else b""
        return self._mark + label + b"\n" + length + b"\0"

    def _put(self, fd: int, data: bytes) -> None:
        with contextlib.suppress(OSError):  # the controller is gone, and so will this process be
            while data:
                data = data[_write(fd, data) :]


class LogStream:
    """What pytest's handler of ``log_cli`` uses of a terminal reporter."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def write(self, text: str) -> None:
        if text != "\n":  # it would begin a fresh line: there is one
            self._live.show(text if text.endswith("\n") else text + "\n")

    def section(self, title: str, sep: str = "-", **markup: bool) -> None:
        self._live.show(f" {title} ".center(60, sep) + "\n")

    def flush(self) -> None:
        """Nothing is kept back."""


def _unbuffered(number: int, like: Any) -> io.TextIOWrapper:
    raw = io.FileIO(number, "w", closefd=False)
    return io.TextIOWrapper(
        _Through(raw),
        encoding=getattr(like, "encoding", None) or "utf-8",
        errors="backslashreplace" if number == 2 else getattr(like, "errors", None),
        write_through=True,
    )
