"""Letting what takes too long fail, so that fixtures are torn down and the process lives on.

The coordinator writes into the lane what it means and sends a signal. The handler runs in the main thread as soon as
Python code does, and raises what ``pytest.fail`` raises; only inside the code of a test, a fixture or a module, where
pytest catches it, and only if that still is what was meant. It says nothing otherwise: the coordinator asks again, and
ends the process when asking was in vain.
"""

from __future__ import annotations

import signal
import time
from types import FrameType
from typing import TYPE_CHECKING

import pytest

from outpace import pytest_private

from . import board, stacks

_monotonic = time.monotonic
_sleep = time.sleep

if TYPE_CHECKING:
    from collections.abc import Callable

    from .board import Lane

# The coordinator's `ASK_SIGNAL`, SIGRTMAX-3.
SIGNAL = 61

# How long the coordinator's look may take at most.
PATIENCE = 1.0
PAUSE = 0.002

_OWN_PACKAGE = __name__.rpartition(".")[0] + "."


class Failing:
    """The handler; ``describe`` gives the words for what the process is at."""

    def __init__(self, lane: Lane, describe: Callable[[], str]) -> None:
        self.lane = lane
        self._describe = describe
        signal.signal(SIGNAL, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        __tracebackhide__ = True
        lane = self.lane
        asked = lane.asked()
        if asked & board.TELL_TASKS:
            return stacks.write_tasks()
        pursuit = lane.pursuit()
        if asked & ~board.STAND_STILL != pursuit or lane.answered() == pursuit or not _may_fail(frame):
            return None
        if asked & board.STAND_STILL:
            stacks.write_tasks()
            if not self._stand_still(asked):
                return None
        lane.answer(pursuit)
        raise pytest.fail.Exception(self._describe(), pytrace=True)

    def _stand_still(self, asked: int) -> bool:
        """Whether it is asked to fail in the end."""
        until = _monotonic() + PATIENCE
        while self.lane.asked() == asked and _monotonic() < until:
            _sleep(PAUSE)
        return self.lane.asked() == self.lane.pursuit()


def _may_fail(frame: FrameType | None) -> bool:
    """Whether pytest would catch it, and nothing of outpace's is cut in two."""
    while frame is not None:
        if pytest_private.is_caught_by_pytest(frame):
            return True
        if frame.f_globals.get("__name__", "").startswith(_OWN_PACKAGE):
            return False
        frame = frame.f_back
    return False
