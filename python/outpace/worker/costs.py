"""What a test costs: time and CPU of each phase, and by how much it raised the process's peak memory.

For the history alone. A short test costs some microseconds more by it. CPU of child processes counts once they have
been waited for. While the main thread could run and others had the cores, the test took no time: what others did is
not to look like waiting.
"""

from __future__ import annotations

import os
import resource
import struct
import time
from typing import TYPE_CHECKING

from outpace.wire import HEADER, MAGIC, VERSION, Kind

from . import board

if TYPE_CHECKING:
    from .board import Lane

# u32 item, u32 skipped, u32 KiB, seconds of wall and of CPU in setup, call, teardown
FRAME = struct.Struct("<III6f")

# What is over sooner is taken to have computed all the time: asking the kernel would cost more than is learned.
_WORTH_ASKING = 0.001

# A test may replace them meanwhile.
_open, _read, _close = os.open, os.read, os.close
_perf_counter = time.perf_counter
_process_time = time.process_time
_getrusage = resource.getrusage
_SELF, _CHILDREN = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
_PHASE = {board.SETUP: 0, board.CALL: 1, board.TEARDOWN: 2}
_HEAD = HEADER.pack(FRAME.size, MAGIC, VERSION, Kind.W_COSTS)


class Costs:
    """Takes the place of ``lane.enter`` for the phases of a test."""

    def __init__(self, lane: Lane) -> None:
        self._enter = lane.enter
        self._phase = 0
        self._wall = [0.0, 0.0, 0.0]
        self._cpu = [0.0, 0.0, 0.0]
        self._began = self._test_began = 0.0
        self._cpu_began = 0.0
        # Seconds without a core until now, where that is known.
        self._delay: float | None = None
        self._was_long = False
        self._children = _of_children()
        self._peak: int = _getrusage(_SELF).ru_maxrss

    def begin(self) -> None:
        """A test begins; what this process did since the last one is nobody's."""
        self._wall = [0.0, 0.0, 0.0]
        self._cpu = [0.0, 0.0, 0.0]
        self._phase = 0
        # To read it costs more than a short test is worth, and long ones come together.
        self._delay = _delay() if self._was_long else None
        self._was_long = False
        self._cpu_began = _process_time()
        self._began = self._test_began = _perf_counter()

    def enter(self, phase: int) -> None:
        self._enter(phase)
        phase = _PHASE[phase]
        if phase or self._phase:
            self._note()
            self._phase = phase

    def end(self, item: int, skipped: bool) -> bytes:
        """The frame that tells what the test cost."""
        self._note()
        growth = 0
        if self._began - self._test_began > _WORTH_ASKING:
            peak = _getrusage(_SELF).ru_maxrss
            growth, self._peak = max(peak - self._peak, 0), peak
            children = _of_children()
            self._cpu[1] += children - self._children
            self._children = children
        return _HEAD + FRAME.pack(item, skipped, growth, *self._wall, *self._cpu)

    def _note(self) -> None:
        """The phase that went on until now."""
        now = _perf_counter()
        wall, phase = now - self._began, self._phase
        if wall > _WORTH_ASKING:
            cpu = _process_time()
            self._cpu[phase] += max(cpu - self._cpu_began, 0.0)
            self._cpu_began = cpu
            self._was_long = True
            if self._delay is not None:
                before, self._delay = self._delay, _delay()
                if self._delay is not None:
                    wall = max(wall - (self._delay - before), 0.0)
        else:
            self._cpu[phase] += wall
            self._cpu_began += wall
        self._wall[phase] += wall
        self._began = now


def _delay() -> float | None:
    """Seconds in which the main thread could have run and had no core, where the kernel tells."""
    try:
        file = _open("/proc/thread-self/schedstat", os.O_RDONLY)
        try:
            return int(_read(file, 80).split()[1]) / 1e9
        finally:
            _close(file)
    except (OSError, ValueError, IndexError):
        return None


def _of_children() -> float:
    usage = _getrusage(_CHILDREN)
    return usage.ru_utime + usage.ru_stime
