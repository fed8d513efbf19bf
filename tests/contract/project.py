"""A small project on disk, and ways to run pytest on it: the engine under test, plain xdist, serial.

Every run is a process group of its own under a time limit: a run that hangs fails its test and leaves nothing behind.
The environment of the run is this one without the variables that would steer the inner pytest.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.metadata import version
from pathlib import Path
from typing import Any, Union

import outcomes
import pytest

HERE = Path(__file__).resolve().parent
SUPPORT = HERE.parent / "support"
ENGINE = os.environ.get("OUTPACE_TEST_ENGINE", "outpace")
START_METHOD = os.environ.get("OUTPACE_TEST_START_METHOD")
RUN_LIMIT = 60.0
PLAIN = ("-p", "no:outpace")
XDIST = tuple(map(int, version("pytest-xdist").split(".")[:2]))
NO_REORDER = ("--no-loadscope-reorder",) if XDIST >= (3, 8) else ()
not_forced_to_fork = pytest.mark.skipif(START_METHOD == "fork", reason="a fork is asked for where it is unsafe")

Argument = Union[str, "os.PathLike[str]"]
_COUNTED = ("passed", "failed", "skipped", "xfailed", "xpassed", "error", "errors", "warning", "warnings", "deselected")


def engine_arguments() -> tuple[str, ...]:
    if ENGINE == "xdist":
        return PLAIN
    return (f"--start-method={START_METHOD}",) if START_METHOD else ()


@dataclass(frozen=True)
class Run:
    """What one pytest run printed and returned; ``record`` is what the outcomes plugin saw, if it was asked for."""

    ret: int
    out: str
    err: str
    record: dict[str, Any] | None = None

    @property
    def recorded(self) -> dict[str, Any]:
        assert self.record is not None, self.out + self.err
        return self.record

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def counts(self) -> dict[str, int]:
        """The numbers of the final line, ``=== 2 passed, 1 warning in 0.10s ===``; plural names made singular."""
        for line in reversed(self.lines):
            words = line.strip("= ").replace(",", "").split()
            pairs = dict(zip(words[1::2], words[::2]))
            found = {name.rstrip("s"): int(count) for name, count in pairs.items() if name in _COUNTED}
            if found:
                return found
        return {}

    def match(self, *patterns: str) -> None:
        pytest.LineMatcher(self.lines).fnmatch_lines(patterns)

    def no_match(self, pattern: str) -> None:
        pytest.LineMatcher(self.lines).no_fnmatch_line(pattern)

    def has(self, pattern: str) -> bool:
        return any(fnmatchcase(line, pattern) for line in self.lines)


class Project:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._runs = 0

    def files(self, **sources: str) -> Project:
        """``files(test_a="...")`` writes ``test_a.py``."""
        for name, source in sources.items():
            self.write(f"{name}.py", source)
        return self

    def write(self, name: str, text: str) -> Path:
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(textwrap.dedent(text).lstrip("\n"))
        return target

    def ini(self, text: str) -> Project:
        self.write("pytest.ini", "[pytest]\n" + textwrap.dedent(text))
        return self

    def run(self, *args: Argument, **options: Any) -> Run:
        """With the engine under test."""
        return self._pytest(*engine_arguments(), *args, **options)

    def plain(self, *args: Argument, **options: Any) -> Run:
        """Without outpace: plain xdist where ``args`` distribute, serial pytest where they do not."""
        return self._pytest(*PLAIN, *args, **options)

    def _pytest(
        self,
        *args: Argument,
        record: bool = False,
        env: Mapping[str, str | None] | None = None,
        stdin: bytes | None = None,
        limit: float = RUN_LIMIT,
    ) -> Run:
        self._runs += 1
        record_file = self.path.parent / f"{self.path.name}-record-{self._runs}.json"
        command = [sys.executable, "-m", "pytest", *(["-p", "outcomes"] if record else []), *map(str, args)]
        environ = _environ(env or {}, record_file)
        code, out, err = _run_group(command, self.path, environ, stdin, limit)
        data = outcomes.load(record_file) if record and record_file.is_file() else None
        return Run(code, out, err, data)


def _environ(changes: Mapping[str, str | None], record_file: Path) -> dict[str, str]:
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "OUTPACE_", "COV_"))}
    environ["PYTHONPATH"] = os.pathsep.join([str(SUPPORT), str(HERE)])
    environ["OUTCOMES_FILE"] = str(record_file)
    environ["PY_COLORS"] = "0"
    environ["COLUMNS"] = "100"
    for key, value in changes.items():
        if value is None:
            environ.pop(key, None)
        else:
            environ[key] = value
    return environ


def _run_group(
    command: list[str], cwd: Path, environ: dict[str, str], stdin: bytes | None, limit: float
) -> tuple[int, str, str]:
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=environ,
        stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(stdin, timeout=limit)
        return process.returncode, out.decode(errors="replace"), err.decode(errors="replace")
    except subprocess.TimeoutExpired:
        _kill_group(process)
        out, err = process.communicate()
        pytest.fail(
            f"no end after {limit} s: {command}\n{out.decode(errors='replace')}\n{err.decode(errors='replace')}"
        )
    finally:
        _kill_group(process)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
