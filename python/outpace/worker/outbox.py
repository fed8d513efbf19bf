"""The way out of a worker: a ring in shared memory, which costs no system call and outlives the worker.

The coordinator looks at rings many times a second and whenever the bell is rung, so a worker rings only when it wants
an answer. Where stores may be seen out of order by another processor (anything but x86) the socket is used instead.
"""

from __future__ import annotations

import platform
import signal
import time
from typing import TYPE_CHECKING

from outpace.wire import Kind, frame

from .board import LANE, RING

if TYPE_CHECKING:
    from outpace.wire import Channel

    from .board import Board

ORDERED_STORES = platform.machine().lower() in ("x86_64", "amd64", "i686", "i386")

# How long to sleep while the coordinator makes room, and how often to make sure that it still lives.
PAUSE = 0.0002
CHECK_EVERY = 500

_BELL = frame(Kind.W_BELL)
_sleep = time.sleep
_sigmask = signal.pthread_sigmask
_INTERRUPT = {signal.SIGINT}


class Direct:
    """Through the socket, at once."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def write(self, data: bytes) -> None:
        """An interrupt in the middle of a write that the kernel takes in pieces would cut a frame in two."""
        blocked = _sigmask(signal.SIG_BLOCK, _INTERRUPT)
        try:
            self._channel.send_bytes(data)
        finally:
            _sigmask(signal.SIG_SETMASK, blocked)

    def ring_bell(self) -> None:
        """Nothing waits to be noticed."""


class Ring:
    """Through shared memory."""

    def __init__(self, board: Board, lane: int, channel: Channel) -> None:
        self._channel = channel
        self._bytes = board.bytes
        self._start = board.lanes * LANE + lane * RING
        self._quads = board.quads
        self._produced = lane * LANE // 8 + 4
        self._consumed = self._produced + 1

    def write(self, data: bytes) -> None:
        """An interrupt may come before or after, not in between: a frame is there whole, and once."""
        blocked = _sigmask(signal.SIG_BLOCK, _INTERRUPT)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[self._put(rest) :]
        finally:
            _sigmask(signal.SIG_SETMASK, blocked)

    def _put(self, data: memoryview) -> int:
        produced = self._quads[self._produced]
        room = RING - (produced - self._quads[self._consumed])
        if room < min(len(data), RING):
            self._wait_for_room(produced, min(len(data), RING))
            room = min(len(data), RING)
        count = min(len(data), room)
        at = produced % RING
        first = min(count, RING - at)
        start = self._start
        self._bytes[start + at : start + at + first] = data[:first]
        if first < count:
            self._bytes[start : start + count - first] = data[first:count]
        self._quads[self._produced] = produced + count
        return count

    def _wait_for_room(self, produced: int, wanted: int) -> None:
        turns = 0
        while RING - (produced - self._quads[self._consumed]) < wanted:
            if turns % CHECK_EVERY == 0:
                self.ring_bell()
            turns += 1
            _sleep(PAUSE)

    def ring_bell(self) -> None:
        self._channel.send_bytes(_BELL)
