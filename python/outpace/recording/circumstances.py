"""The circumstances under which a test is run again: beside another one, in slow motion, or kept from the CPU."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from .places import Project

# How long a lane waits for the others: one that never comes must not stop the run.
_PATIENCE = 5.0
# Slow motion: at most so long before a line, and so much in one test.
_LONGEST = 0.012
_BUDGET = 0.6


class Meeting:
    """Lanes wait for each other before each of their tests, so that these overlap."""

    def __init__(self, folder: Path, lanes: int) -> None:
        self._folder = folder / "meeting"
        self._folder.mkdir(exist_ok=True)
        self._lanes = lanes
        self._gave_up = False

    def attend(self, lane: int, number: int) -> None:
        (self._folder / f"{number}-{lane}").touch()
        others = [self._folder / f"{number}-{other}" for other in range(self._lanes) if other != lane]
        deadline = time.monotonic() + _PATIENCE
        while not self._gave_up and not all(each.exists() for each in others):
            self._gave_up = time.monotonic() > deadline
            time.sleep(0.0005)


@contextlib.contextmanager
def slow_motion(project: Project, seed: int) -> Iterator[None]:
    """Wait a little, a different while each time, before lines of the project's code: narrow races become wide."""
    chance = random.Random(seed)
    steady = chance.random() < 0.5
    left = _BUDGET

    def line(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal left
        if event == "line" and left > 0:
            pause = chance.random() * _LONGEST if steady or chance.random() < 0.4 else 0.0
            left -= pause
            time.sleep(pause)
        return line

    def call(frame: FrameType, event: str, argument: Any) -> Any:
        return line if left > 0 and project.file_of(frame) is not None else None

    before = sys.gettrace()
    time.sleep(chance.random() * _LONGEST)
    sys.settrace(call)
    threading.settrace(call)
    try:
        yield
    finally:
        sys.settrace(before)
        threading.settrace(before)


# SIGTERM is let through only while the process it stops is running.
_STOPPER = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
pid = int(sys.argv[1])
os.write(1, b"!")
try:
    while True:
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.02)
        os.kill(pid, signal.SIGCONT)
        if os.getppid() != pid:
            break
        time.sleep(0.005)
finally:
    os.kill(pid, signal.SIGCONT)
"""


@contextlib.contextmanager
def slowed() -> Iterator[None]:
    """Have this process get the CPU a fifth of the time, as beside many others."""
    helper = subprocess.Popen([sys.executable, "-S", "-E", "-c", _STOPPER, str(os.getpid())], stdout=subprocess.PIPE)
    try:
        # A short test would be over before the helper has started.
        assert helper.stdout is not None
        helper.stdout.read(1)
        yield
    finally:
        helper.terminate()
        if helper.stdout is not None:
            helper.stdout.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            helper.wait(5)
