"""The standard streams of a layer: files in memory, in whose place a run has its caller's.

Whatever leads to such a file (copies that pytest's capture and faulthandler keep included) leads to the caller's stream
in the run; what was written meanwhile is written there first.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping

_places: dict[tuple[int, int], int] = {}
_log = -1


def install() -> None:
    """In place of those that this process was started with. What was standard error is kept as its log."""
    global _log
    _log = os.dup(2)
    for number in (0, 1, 2):
        fd = os.memfd_create(f"outpace-stream-{number}")
        os.dup2(fd, number)
        _note(fd, number)
        os.close(fd)


def renew() -> None:
    """In a fork that others shall not write to: files of its own, with what was written so far."""
    copies = _copies()
    _places.clear()
    for number in (0, 1, 2):
        fd = os.memfd_create(f"outpace-stream-{number}")
        if copies[number]:
            _copy(copies[number][0], fd)
        for each in copies[number]:
            os.dup2(fd, each, inheritable=os.get_inheritable(each))
        _note(fd, number)
        os.close(fd)


def _note(fd: int, number: int) -> None:
    found = os.fstat(fd)
    _places[found.st_dev, found.st_ino] = number


def _copies() -> dict[int, list[int]]:
    """What leads to these files, by number of the stream."""
    copies: dict[int, list[int]] = {0: [], 1: [], 2: []}
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found = os.fstat(int(name))
            number = _places.get((found.st_dev, found.st_ino))
            if number is not None:
                copies[number].append(int(name))
    return copies


def enter(streams: Mapping[int, int]) -> None:
    """As a run: these are the real ones, by number; they are closed."""
    global _log
    _flush()
    if _log >= 0:
        os.close(_log)  # that is for layers
        _log = -1
    copies = _copies()
    for number, real in streams.items():
        if number > 0 and copies[number]:
            _copy(copies[number][0], real)
        for fd in copies[number]:
            os.dup2(real, fd, inheritable=os.get_inheritable(fd))
        os.close(real)
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None:
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.reconfigure(line_buffering=stream is sys.__stderr__ or stream.isatty())


def _copy(fd: int, real: int) -> None:
    written = os.pread(fd, os.fstat(fd).st_size, 0)
    with contextlib.suppress(OSError):
        while written:
            written = written[os.write(real, written) :]


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):
            stream.flush()


def to_log() -> None:
    """This process ends without a run: what it has written is all there is to say why."""
    _flush()
    for number in (1, 2):
        _copy(number, _log)
