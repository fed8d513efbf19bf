"""Where this process's stacks are written when the coordinator asks for them.

``faulthandler`` writes them from a signal handler in C, to an in-memory file that the coordinator reads through
``/proc``: nothing of Python's has to run, so it works while C code holds the interpreter's lock. A fork needs a file of
its own. Without ``memfd_create`` there are no stacks, and everything else goes on.

The file also takes the ``asyncio`` tasks, which only Python code can tell: :func:`write_tasks`.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import sys
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .board import Lane

# The coordinator's `DUMP_SIGNAL`, SIGRTMAX-4.
SIGNAL = 60
# The name by which the coordinator knows the file.
NAME = "outpace-stacks"

_MOST_TASKS = 50
_MOST_FRAMES = 40

_fd = -1
_write = os.write


def install(lane: Lane) -> None:
    """Make the file, have stacks written there, say so in the lane. In a fork: in place of the template's."""
    global _fd
    inherited = _fd
    try:
        _fd = os.memfd_create(NAME)
        faulthandler.register(SIGNAL, file=_fd, all_threads=True, chain=False)
    except (AttributeError, OSError, RuntimeError):
        _fd = -1
    else:
        lane.tell_stacks(_fd)
    if inherited >= 0:
        with contextlib.suppress(OSError):
            os.close(inherited)


def descriptor() -> int:
    """The file's; -1 where there is none."""
    return _fd


def write_tasks() -> None:
    """Write down where each task of each running event loop waits, in one piece."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None or _fd < 0:
        return
    with contextlib.suppress(Exception):
        text = "".join(_describe(task) for loop in _running_loops(asyncio) for task in _tasks(asyncio, loop))
        _write(_fd, text.encode("utf-8", "backslashreplace"))


def _running_loops(asyncio: Any) -> list[Any]:
    """This thread's, and those of other threads as far as their frames show them."""
    loops = [asyncio._get_running_loop()]
    for innermost in list(sys._current_frames().values()):
        frame: FrameType | None = innermost
        while frame is not None:
            if frame.f_code.co_name == "run_forever" and "self" in frame.f_locals:
                loops.append(frame.f_locals["self"])
            frame = frame.f_back
    return list({id(loop): loop for loop in loops if loop is not None}.values())


def _tasks(asyncio: Any, loop: Any) -> list[Any]:
    """In the order in which they were made, as far as their names say it."""
    tasks = list(asyncio.all_tasks(loop))

    def made(task: Any) -> tuple[int, str]:
        number = task.get_name().rpartition("-")[2]
        return (int(number) if number.isdigit() else sys.maxsize, task.get_name())

    return sorted(tasks, key=made)[:_MOST_TASKS]


def _describe(task: Any) -> str:
    frames = list(_frames(task.get_coro()))[:_MOST_FRAMES]
    codes = [(frame.f_code, frame.f_lineno) for frame in frames]
    lines = [f'  File "{code.co_filename}", line {line} in {code.co_name}' for code, line in codes]
    return "\n".join([f"asyncio task {task.get_name()} (most recent call first):", *reversed(lines), ""])


def _frames(awaited: Any) -> Iterator[FrameType]:
    """From the task's coroutine down to what it waits for."""
    for _ in range(1000):
        if awaited is None:
            return
        for prefix, inner in (("cr", "cr_await"), ("gi", "gi_yieldfrom"), ("ag", "ag_await")):
            frame = getattr(awaited, f"{prefix}_frame", None)
            if frame is not None:
                yield frame
                awaited = getattr(awaited, inner, None)
                break
        else:
            return
