"""The open output files of a process, found so that nothing buffered is written twice or lost.

A buffer that is not empty at a fork is written by the parent and by every child; a buffer that is not empty at
``os._exit`` is never written, while an interpreter that ends in the ordinary way would have written it. Files are found
through the garbage collector; they are flushed, never closed.
"""

from __future__ import annotations

import fcntl
import gc
import io
import mmap
import os
import sys
import weakref
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from outpace.worker import process_facts

_KINDS = (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom)


# In a heap of so many bytes a full collection takes up to 100 ms, which the first test would wait for.
_LARGE = 200_000_000
# Mapped, never written to through a file object.
_OWN_MEMORY = "/memfd:outpace-"


@dataclass(frozen=True)
class Writers:
    """The files that were open for writing when the heap was frozen."""

    files: tuple[weakref.ref[Any], ...]

    @classmethod
    def freeze_heap(cls, known: Iterable[Any] = (), known_descriptors: Iterable[int] = ()) -> Writers:
        """Collect garbage, note the open files, and move all that lives out of the collector's sight.

        Without the freeze the first collection in each fork would write to, and so copy, every page of the heap.
        ``known`` are open files, and ``known_descriptors`` descriptors without one: where nothing else is open for
        writing nothing is searched for.
        """
        gc.collect(1 if _resident() > _LARGE else 2)
        files = list(known)
        if _others_are_open({*known_descriptors, *_descriptors(files)}):
            gc.unfreeze()  # what is frozen cannot be listed
            files += _open_files()
        gc.freeze()
        return cls(tuple(weakref.ref(file) for file in files))

    def flush(self) -> None:
        _flush_streams()
        _flush(file for file in (ref() for ref in self.files) if file is not None)


def _resident() -> int:
    """Bytes of memory; 0 where that cannot be told."""
    with suppress(OSError, ValueError), open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * mmap.PAGESIZE
    return 0


def _descriptors(files: Iterable[Any]) -> Iterator[int]:
    for file in files:
        with suppress(OSError, ValueError, AttributeError):
            yield file.fileno()


def _others_are_open(known: set[int]) -> bool:
    """Whether any descriptor but these and the standard ones is open for writing; also where that cannot be told."""
    descriptors = process_facts.open_descriptors()
    others = [
        fd
        for fd, target in descriptors.items()
        if fd not in known and fd > 2 and target != os.devnull and not target.startswith(_OWN_MEMORY)
    ]
    return not descriptors or any(fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY for fd in others)


def flush_all(inherited: Writers) -> None:
    """Flush the files that were inherited and those opened since."""
    inherited.flush()
    _flush(_open_files())


def _open_files() -> list[Any]:
    things = gc.get_objects()
    # There are millions of things and a few hundred types of them.
    kinds = {kind for kind in set(map(type, things)) if issubclass(kind, _KINDS)}
    return [thing for thing in things if type(thing) in kinds]


def _flush_streams() -> None:
    _flush(stream for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__) if stream is not None)


def _flush(files: Iterable[Any]) -> None:
    for file in files:
        with suppress(OSError, ValueError, AttributeError):
            if not file.closed:
                file.flush()
