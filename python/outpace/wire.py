"""Frames on a socket, as ``docs/design/protocol.md`` specifies them.

The system calls are bound when the module is imported: tests may patch ``os`` and ``socket`` as they like. This module
must not interpret payloads.
"""

from __future__ import annotations

import array
import os
import select
import socket
import struct
from collections import deque
from typing import NamedTuple

MAGIC = b"OP"
VERSION = 1
HEADER = struct.Struct("<I2sBB")
MAX_PAYLOAD = 512 * 1024 * 1024
CHUNK = 1 << 18

_read = os.read
_write = os.write
_dup = os.dup
_Socket = socket.socket


class Kind:
    """Frame kinds; the numbers are those of the Rust side."""

    # controller -> coordinator
    HELLO = 1
    TEMPLATE = 2
    PLAN = 3
    WORKER = 4
    VERDICT = 5
    ASSIGN = 6
    UNASSIGN = 7
    RETIRE = 8
    STOP = 9
    DONE = 10
    REQUEUE = 11
    ELASTIC = 20
    RETRY = 21
    MEMORY = 24
    LENT = 22
    HISTORY = 30
    TIMELINE = 31
    # coordinator -> controller
    WELCOME = 32
    COLLECTED = 33
    READY = 34
    RESULT = 35
    EVENT = 36
    DOWN = 37
    STARTED = 38
    FINISHED = 39
    FATAL = 40
    UNSCHEDULED = 41
    BYE = 42
    DIFFERENT = 43
    GROW = 50
    POOL = 51
    LEND = 52
    RETURNED = 53
    LOOKED = 44
    RECYCLED = 56
    MEMORY_USED = 57
    NOTICE = 60
    AT = 61
    WAITED = 62
    # template or worker -> coordinator
    W_HELLO = 64
    W_COLLECTED = 65
    W_READY = 66
    W_RESULT = 67
    W_ASK = 68
    W_EVENT = 69
    W_BYE = 70
    W_EXITED = 71
    W_FORKED = 72
    W_STATUS = 73
    W_BELL = 74
    W_AHEAD = 75
    W_WANT_TERMINAL = 76
    W_LEAVE_TERMINAL = 77
    W_ACTING = 85
    W_COSTS = 80
    W_PAID = 86
    W_EXPOSE = 84
    # coordinator -> template or worker
    INIT = 96
    FORK = 97
    GRANT = 98
    NOTHING = 99
    SHUTDOWN = 100
    RUN = 101
    REFERENCE = 102
    EXIT = 103
    HOLD = 110
    GO = 111
    LEASE = 104
    TERMINAL = 112
    ISOLATE = 113


class Frame(NamedTuple):
    kind: int
    payload: bytes


class WireError(Exception):
    """The other end sent bytes that are not this protocol."""


class Closed(Exception):
    """The other end is gone."""


def frame(kind: int, *parts: bytes) -> bytes:
    payload = parts[0] if len(parts) == 1 else b"".join(parts)
    return HEADER.pack(len(payload), MAGIC, VERSION, kind) + payload


class Decoder:
    """Turns bytes into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        buffer = self._buffer
        buffer += data
        frames: list[Frame] = []
        start, have = 0, len(buffer)
        while have - start >= HEADER.size:
            length, magic, version, kind = HEADER.unpack_from(buffer, start)
            if magic != MAGIC:
                raise WireError(f"not an outpace frame: {bytes(buffer[start : start + HEADER.size])!r}")
            if version != VERSION:
                raise WireError(f"protocol version {version}, expected {VERSION}")
            if length > MAX_PAYLOAD:
                raise WireError(f"a frame of {length} bytes is over the limit")
            end = start + HEADER.size + length
            if end > have:
                break
            frames.append(Frame(kind, bytes(buffer[start + HEADER.size : end])))
            start = end
        if start:
            del buffer[:start]
        return frames

    def rest(self) -> bytes:
        """The beginning of a frame."""
        return bytes(self._buffer)


class Channel:
    """One end of a connection: blocking, frames out at once, frames in one by one."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._decoder = Decoder()
        self._frames: deque[Frame] = deque()
        self._descriptors: deque[int] = deque()
        self._poll: select.poll | None = None

    def send(self, kind: int, *parts: bytes) -> None:
        self.send_bytes(frame(kind, *parts))

    def send_bytes(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[_write(self.fd, view) :]
            except (BrokenPipeError, ConnectionResetError) as error:
                raise Closed from error

    def receive(self) -> Frame:
        while not self._frames:
            try:
                data = _read(self.fd, CHUNK)
            except ConnectionResetError as error:
                raise Closed from error
            if not data:
                raise Closed
            self._frames.extend(self._decoder.feed(data))
        return self._frames.popleft()

    def pending(self) -> Frame | None:
        """A frame that has been read already."""
        return self._frames.popleft() if self._frames else None

    def put_back(self, frames: list[Frame]) -> None:
        """Frames that were received and not used come next, in their order."""
        self._frames.extendleft(reversed(frames))

    def unread(self) -> tuple[list[tuple[int, bytes]], bytes]:
        """What has been read and not been received, for another process that goes on with this connection."""
        return [(kind, payload) for kind, payload in self._frames], self._decoder.rest()

    def restore(self, unread: tuple[list[tuple[int, bytes]], bytes]) -> None:
        frames, rest = unread
        self._frames = deque(Frame(*each) for each in frames)
        self._decoder = Decoder()
        self._frames.extend(self._decoder.feed(rest))

    def is_readable(self, within: float = 0) -> bool:
        """Whether there is something to receive now, or within so many seconds."""
        if self._frames:
            return True
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(self.fd, select.POLLIN)
        return bool(self._poll.poll(within * 1000))

    def receive_with_descriptors(self) -> Frame:
        """As ``receive``; descriptors that come along are kept for ``take_descriptor``."""
        while not self._frames:
            data, descriptors = self._recvmsg()
            self._descriptors.extend(descriptors)
            if not data:
                raise Closed
            self._frames.extend(self._decoder.feed(data))
        return self._frames.popleft()

    def take_descriptor(self) -> int:
        return self._descriptors.popleft()

    def _recvmsg(self) -> tuple[bytes, list[int]]:
        fds = array.array("i")
        with _Socket(fileno=_dup(self.fd)) as sock:
            sock.setblocking(True)  # `socket.setdefaulttimeout` in a conftest makes any new socket non-blocking
            data, ancillary, _, _ = sock.recvmsg(CHUNK, socket.CMSG_SPACE(16 * fds.itemsize))
        for level, kind, content in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
        for fd in fds:
            os.set_inheritable(fd, False)
        return data, list(fds)

    def close(self) -> None:
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)
