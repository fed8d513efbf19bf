"""A terminal with a shell in it, in which a run is started and somebody types.

The shell compares the terminal before and after the run, and reads a line when it is over: it can only hear it where
the terminal is its own again.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import outcomes
import pexpect
from faults.arena import MARKER, SUPPORT, Arena, _cmdline, _marked, describe
from faults.verdict import Run

LIMIT_S = 30
PROMPT = r"\((?:Pdb|MyPdb)\) "
_FOREIGN = ("PYTEST_", "OUTPACE_", "COV_")
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\r")
_SHELL = """\
trap : INT
stty -a > "$OUTCOMES_FILE.before"
"$@"
echo "code $?"
stty -a > "$OUTCOMES_FILE.after"
read word && echo "heard $word"
"""


class Desk:
    """Where consoles stand."""

    def __init__(self, arena: Arena) -> None:
        self.arena = arena
        self._consoles: list[Console] = []

    def write(self, name: str, text: str) -> Path:
        return self.arena.write(name, text)

    def start(self, *args: str, **options: Any) -> Console:
        """``pytest *args`` at a terminal of its own."""
        record = self.arena.folder.parent / f"record-{len(self._consoles)}.json"
        console = Console([sys.executable, "-m", "pytest", "-p", "outcomes", *args], self.arena, record, **options)
        self._consoles.append(console)
        return console

    def clear(self) -> None:
        for console in self._consoles:
            console.kill()


class Console:
    def __init__(self, command: list[str], arena: Arena, record: Path, *, env: Mapping[str, str] | None = None) -> None:
        self.arena, self.record, self.command = arena, record, command
        self.marker = uuid.uuid4().hex
        environ = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        environ.update(
            {
                "PYTHONPATH": str(SUPPORT),
                "OUTCOMES_FILE": str(record),
                "TMPDIR": str(arena.temp),
                "TERM": "dumb",
                "PY_COLORS": "0",
                MARKER: self.marker,
                **(env or {}),
            }
        )
        self._heard: list[str] = []
        self.terminal = pexpect.spawn(
            "sh",
            ["-c", _SHELL, "sh", *command],
            cwd=str(arena.folder),
            env=environ,  # type: ignore[arg-type]
            encoding="utf-8",
            codec_errors="replace",
            timeout=LIMIT_S,
            dimensions=(50, 160),
        )
        self.terminal.logfile_read = self  # type: ignore[assignment]

    # -- what pexpect writes what it reads to

    def write(self, text: str) -> None:
        self._heard.append(text)

    def flush(self) -> None:
        pass

    @property
    def output(self) -> str:
        return _ESCAPES.sub("", "".join(self._heard))

    # -- sitting at it

    def expect(self, pattern: str) -> str:
        """What was printed up to it."""
        try:
            self.terminal.expect(pattern)
        except (pexpect.TIMEOUT, pexpect.EOF):
            alive = "\n".join(describe(pid) for pid in self.pids())
            raise AssertionError(f"never seen: {pattern}\n{self.output}\nalive:\n{alive}") from None
        return _ESCAPES.sub("", self.terminal.before or "")

    def prompt(self) -> str:
        return self.expect(PROMPT)

    def answer(self, command: str) -> str:
        """Type a command at the prompt that has come; what it answers, up to the next prompt."""
        self.type(command)
        return self.prompt().partition("\n")[2].strip()

    def type(self, line: str) -> None:
        self.terminal.sendline(line)

    def control(self, key: str) -> None:
        self.terminal.sendcontrol(key)

    def end(self) -> Run:
        """Wait for the end of the run; the terminal must then be as it was, and the shell's."""
        self.expect(r"code (\d+)\r\n")
        code = int(self.terminal.match.group(1))
        said = self.output
        self.type("still-here")
        self.expect("heard still-here")
        self.terminal.expect(pexpect.EOF)
        before, after = (Path(f"{self.record}.{when}").read_text() for when in ("before", "after"))
        assert before == after, f"{before}\n{after}\n{said}"
        until = time.monotonic() + 3
        while self.pids() and time.monotonic() < until:
            time.sleep(0.01)
        survivors = [describe(pid) for pid in self.pids()]
        record = outcomes.load(self.record) if self.record.exists() else None
        return Run(self.command, code, said, record, survivors, self.arena.left_in_temp())

    # -- looking, hurting

    def pids(self) -> list[int]:
        return [pid for pid, _ in _marked(self.marker)]

    def controller(self) -> int:
        (shell,) = [pid for pid in self.pids() if pid == self.terminal.pid]
        children = Path(f"/proc/{shell}/task/{shell}/children").read_text().split()
        return int(children[0])

    def coordinator(self) -> int:
        (pid,) = [pid for pid in self.pids() if b"__coordinate" in _cmdline(pid)]
        return pid

    def wait(self, condition: Callable[[], object]) -> None:
        until = time.monotonic() + LIMIT_S
        while not condition():
            assert time.monotonic() < until, [describe(pid) for pid in self.pids()]
            time.sleep(0.01)

    def wait_until_gone(self) -> None:
        self.wait(lambda: not self.pids())

    def kill(self) -> None:
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.terminal.close(force=True)
