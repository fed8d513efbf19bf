"""Live output: what workers write is shown as it comes, in whole lines, each with the name of its worker and test.

The bytes come through a pair of pipes for each worker, straight from the worker's descriptors 1 and 2; marks between
them say which test runs (:mod:`outpace.worker.live`). They are read where the controller waits for the coordinator,
and before each of the coordinator's messages, so what a test wrote is shown before what is said of it.

A pipe holds what the kernel lets it hold; a test that writes faster than lines can be shown waits. Of an unfinished
line at most ``LONGEST`` bytes are kept.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import sys
import tempfile
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from . import shown

if TYPE_CHECKING:
    from .nodes import Node
    from .session import OutpaceSession

# An unfinished line is shown in pieces of this size.
LONGEST = 1 << 16
CHUNK = 1 << 16
# What is kept of a worker's second collection, to be shown if the worker does not survive it.
HELD_BACK = 1 << 16
# How often what is captured is read along, in milliseconds.
READ_ALONG_EVERY = 50

# Whose output, and the output.
Piece = tuple[str, bytes]


class Stream:
    """One of the two streams of one worker: bytes in, whole lines with their labels out."""

    def __init__(self, node: Node, fd: int, mark: bytes, *, is_error: bool) -> None:
        self.node = node
        self.fd = fd
        self.is_error = is_error
        self.label = ""
        self._mark = mark
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Piece]:
        """What is complete now; the last line before a mark may lack its end."""
        data, self._rest = self._rest + data, b""
        start = 0
        while True:
            at = data.find(self._mark, start)
            end = data.find(b"\0", at + len(self._mark)) if at >= 0 else -1
            if end < 0:
                break
            if at > start:
                yield self.label, data[start:at]
            label, length = data[at + len(self._mark) : end].decode("utf-8", "replace").split("\n")
            yield from self.enter(label, int(length or 0))
            start = end + 1
        limit = len(data) if at < 0 else at
        cut = _whole_lines(data, start, limit)
        if at < 0 and limit - cut > LONGEST:
            # A mark may have begun.
            cut = _character_start(data, limit - len(self._mark))
        if cut > start:
            yield self.label, data[start:cut]
        self._rest = data[cut:]

    def enter(self, label: str, length: int) -> Iterator[Piece]:
        """What follows is of this label; ``length`` is how much had been captured by then."""
        self.label = label
        return iter(())

    def end(self) -> Iterator[Piece]:
        """The unfinished line, when no more is to come."""
        rest, self._rest = self._rest, b""
        if rest:
            yield self.label, rest


class Followed(Stream):
    """What is captured, read along; through the pipe come the marks, and records of ``log_cli``."""

    def __init__(self, node: Node, fd: int, mark: bytes, *, is_error: bool) -> None:
        super().__init__(node, fd, mark, is_error=is_error)
        self.file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed with the pipe
        self._at = 0
        self._line = b""

    def length(self) -> int:
        return os.fstat(self.file.fileno()).st_size

    def read_along(self, length: int) -> Iterator[Piece]:
        """What has been captured up to ``length``. Marks that stand before it must have been fed."""
        while self._at < length:
            data = os.pread(self.file.fileno(), min(CHUNK, length - self._at), self._at)
            self._at += len(data)
            data = self._line + data
            cut = _whole_lines(data, 0, len(data))
            if len(data) - cut > LONGEST:
                cut = _character_start(data, len(data) - 1)
            if cut:
                yield self.label, data[:cut]
            self._line = data[cut:]

    def enter(self, label: str, length: int) -> Iterator[Piece]:
        yield from self._finish(length)
        self.label = label

    def end(self) -> Iterator[Piece]:
        yield from self._finish(self.length())
        yield from super().end()

    def _finish(self, length: int) -> Iterator[Piece]:
        yield from self.read_along(length)
        line, self._line = self._line, b""
        if line:
            yield self.label, line


def _whole_lines(data: bytes, start: int, limit: int) -> int:
    return data.rfind(b"\n", start, limit) + 1 or start


def _character_start(data: bytes, at: int) -> int:
    """The nearest place before ``at`` where no character is cut in two."""
    for back in range(4):
        if data[at - back] & 0xC0 != 0x80:
            return at - back
    return at


class Live:
    """The pipes of all workers."""

    def __init__(self, session: OutpaceSession) -> None:
        self.session = session
        config = session.config
        self._streams_are_shown = shown.shows_streams(config)
        self._log_is_shown = shown.shows_log(config)
        self._followed = shown.followed(config)
        self._mark = secrets.token_hex(8)
        self._streams: dict[int, Stream] = {}
        # Our copies of the ends for writing, until the worker has opened its own.
        self._far_ends: dict[int, list[int]] = {}
        # Of those that collect what another has collected already; None once they have done so.
        self._held_back: dict[int, list[tuple[Stream, str, bytes]] | None] = {}
        self._prefixed = False
        # How long to wait for what no descriptor tells of, in milliseconds.
        self.patience: int | None = None
        self._one_place = _is_same_file(sys.stdout, sys.stderr)

    # -- workers come and go

    def describe(self, node: Node, *, is_first: bool) -> dict[str, Any]:
        """What a worker must know, for its input."""
        far_ends = self._far_ends[node.number] = []
        folder = f"/proc/{os.getpid()}/fd"
        is_shown = not self._followed or node.gateway.id in self._followed
        reads_along = bool(self._followed) and is_shown and not self._streams_are_shown
        mark = b"\0outpace:%s:" % self._mark.encode()
        paths, files = [], []
        for is_error in (False, True):
            near, far = os.pipe()
            os.set_blocking(near, False)
            stream = (Followed if reads_along else Stream)(node, near, mark, is_error=is_error)
            self._streams[near] = stream
            far_ends.append(far)
            paths.append(f"{folder}/{far}")
            if isinstance(stream, Followed):
                self.patience = READ_ALONG_EVERY
                files.append(f"{folder}/{stream.file.fileno()}")
        if not is_first:
            self._held_back[node.number] = []
        streams = ("live" if is_shown else "mute") if self._streams_are_shown else None
        return {
            "out": paths[0],
            "err": paths[1],
            "mark": self._mark,
            "streams": streams,
            "followed": files,
            "log": self._log_is_shown and is_shown,
        }

    def ready(self, node: Node) -> None:
        """It has opened its pipes, and collected what others have shown already."""
        self._close_far_ends(node.number)
        if node.number in self._held_back:
            self._held_back[node.number] = None

    def down(self, node: Node) -> None:
        """Whatever it wrote has been written."""
        self._close_far_ends(node.number)
        for stream in [each for each in self._streams.values() if each.node is node]:
            self._drain(stream)
            self._show(stream, stream.end())
        for stream, label, data in self._held_back.pop(node.number, None) or ():
            self._write(stream, label, data)

    def _close_far_ends(self, number: int) -> None:
        for fd in self._far_ends.pop(number, ()):
            os.close(fd)

    def close(self) -> None:
        """Nobody is left to write."""
        for number in list(self._far_ends):
            self._close_far_ends(number)
        for stream in list(self._streams.values()):
            with contextlib.suppress(OSError):
                self._drain(stream)
                self._show(stream, stream.end())
            self._close(stream)

    def _close(self, stream: Stream) -> None:
        if self._streams.pop(stream.fd, None) is not None:
            os.close(stream.fd)
            if isinstance(stream, Followed):
                stream.file.close()

    # -- reading

    def descriptors(self) -> Iterable[int]:
        return self._streams

    def pump(self, descriptors: Iterable[int] | None = None) -> None:
        """Show what has come, from each pipe a bounded part."""
        if self.patience is not None:
            self._read_along()
        if descriptors is None:
            poll = select.poll()
            for fd in self._streams:
                poll.register(fd, select.POLLIN)
            descriptors = [fd for fd, _ in poll.poll(0)]
        for fd in descriptors:
            if fd in self._streams:
                self._read(self._streams[fd])

    def _read_along(self) -> None:
        followed = [(each, each.length()) for each in self._streams.values() if isinstance(each, Followed)]
        for stream, length in followed:
            self._drain(stream)  # the marks that stand before that length
            self._show(stream, stream.read_along(length))

    def _drain(self, stream: Stream) -> None:
        """What a pipe can hold, at most a few times: a process that was left behind may write for ever."""
        for _ in range(64):
            if not self._read(stream):
                return

    def _read(self, stream: Stream) -> bool:
        """Whether there may be more."""
        try:
            data = os.read(stream.fd, CHUNK)
        except BlockingIOError:
            return False
        if not data:
            self._show(stream, stream.end())
            self._close(stream)
            return False
        self._show(stream, stream.feed(data))
        return True

    # -- showing

    def _show(self, stream: Stream, pieces: Iterable[Piece]) -> None:
        for label, data in pieces:
            if label or stream.node.number not in self._held_back:
                self._write(stream, label, data)
            else:
                self._hold_back(stream, label, data)

    def _hold_back(self, stream: Stream, label: str, data: bytes) -> None:
        held_back = self._held_back[stream.node.number]
        if held_back is not None:
            held_back.append((stream, label, data))
            while sum(len(data) for _, _, data in held_back) > HELD_BACK and len(held_back) > 1:
                del held_back[0]

    def _write(self, stream: Stream, label: str, data: bytes) -> None:
        lines = data.decode("utf-8", "replace")
        if not lines.endswith("\n"):
            lines += "\n"
        if label and self._is_prefixed():
            lines = "".join(f"[{label}] {line}\n" for line in lines[:-1].split("\n"))
        terminal = self.session.terminal
        writer = None if terminal is None else self.session.config.get_terminal_writer()
        if terminal is not None and writer is not None and (not stream.is_error or self._one_place):
            # What pytest has begun to write about a test goes on below.
            terminal.ensure_newline()
            if writer.width_of_current_line:
                writer.line()
            writer.flush()
        if stream.is_error:
            sys.stderr.write(lines)
            sys.stderr.flush()
        elif writer is not None:
            writer.write(lines, flush=True)
        else:
            sys.stdout.write(lines)
            sys.stdout.flush()

    def _is_prefixed(self) -> bool:
        """Once there is more than one worker it stays so, to the last line of the last of them."""
        if not self._prefixed:
            nodes = self.session.nodemanager
            self._prefixed = nodes.begins_with > 1 or len(self.session._active_nodes) > 1
        return self._prefixed


def _is_same_file(one: Any, other: Any) -> bool:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return os.path.sameopenfile(one.fileno(), other.fileno())
    return False
