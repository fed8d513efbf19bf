"""What a test leaves outside of Python's own objects: child processes and threads that still run."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterable

from outpace.worker import process_facts

from . import touches


def _children() -> dict[int, str]:
    """Asked of this process's own threads where the kernel tells: a look at all processes takes its time."""
    try:
        pids: list[str] = []
        for thread in os.listdir("/proc/self/task"):
            with open(f"/proc/self/task/{thread}/children", encoding="ascii") as file:
                pids.extend(file.read().split())
    except OSError:
        return process_facts.children()
    return process_facts.children() if pids else {}


class Surroundings:
    def __init__(self) -> None:
        self._children = self._first_children = _children()
        self._processes = touches.processes
        self._threads = self._first_threads = set(threading.enumerate())

    def changes(self) -> Iterable[tuple[str, str]]:
        """Since the last call."""
        children, threads = self._children, set(threading.enumerate())
        if children or self._processes != touches.processes:
            self._processes = touches.processes
            children = _children()
        elif threads == self._threads:
            return ()
        found = list(self._describe(children, self._children, threads, self._threads))
        self._children, self._threads = children, threads
        return found

    def since_start(self) -> Iterable[tuple[str, str]]:
        return self._describe(_children(), self._first_children, set(threading.enumerate()), self._first_threads)

    def undo(self, kind: str, name: str) -> bool:
        if kind != "process":
            return False
        for pid, title in _children().items():
            if title == name and pid not in self._first_children:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)
        return True

    @staticmethod
    def _describe(
        children: dict[int, str],
        before: dict[int, str],
        threads: set[threading.Thread],
        threads_before: set[threading.Thread],
    ) -> Iterable[tuple[str, str]]:
        for pid, title in children.items():
            if pid not in before:
                yield "process", title
        for thread in threads - threads_before:
            if thread.is_alive():
                yield "thread", thread.name
