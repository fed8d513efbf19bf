"""Run one of the bundled projects in a process of its own, serially or in parallel, and keep what it left behind.

Every run of a project happens under the same absolute path (a fresh copy, moved aside afterwards), so that
paths in tracebacks, coverage data and reports are equal between runs and need no rewriting.
This module starts runs and reads their results; it never judges them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import outcomes

from .table import PLUGINS

HERE = Path(__file__).resolve().parent
PROJECTS = HERE / "projects"
SUPPORT = HERE.parent / "support"
RUN_LIMIT_S = 120

ENGINE = os.environ.get("OUTPACE_TEST_ENGINE", "outpace")
if ENGINE not in ("outpace", "xdist"):
    raise RuntimeError(f"OUTPACE_TEST_ENGINE must be 'outpace' or 'xdist', not {ENGINE!r}")


@dataclass(frozen=True)
class Mode:
    """How a project is run: the plugins that do it, and their options."""

    name: str
    plugins: tuple[str, ...]
    args: tuple[str, ...] = ()

    @property
    def parallel(self) -> bool:
        return bool(self.args)


SERIAL = Mode("serial", ("xdist",))
XDIST = Mode("xdist", ("xdist",), ("-n", "2"))
FORK = Mode("fork", ("xdist", "outpace.plugin"), ("-n", "2", "--start-method", "fork"))
SPAWN = Mode("spawn", ("xdist", "outpace.plugin"), ("-n", "2", "--start-method", "spawn"))
# Each test in a process of its own.
ISOLATED = Mode("isolated", ("xdist", "outpace.plugin"), ("-n", "2", "--isolate-each"))
PARALLEL_MODES = (FORK, SPAWN) if ENGINE == "outpace" else (XDIST,)

_LEFTOVERS = shutil.ignore_patterns("__pycache__", ".pytest_cache", ".hypothesis")

# Differs between any two runs: identities of mocks in their repr, ports that the system chose.
_VARIES = (
    (re.compile(r"\bid='\d+'"), "id='#'"),
    (re.compile(r"\b(localhost|127\.0\.0\.1):\d+"), r"\1:#"),
)

# Set by whoever runs these tests, and not meant for the runs that they start.
_FOREIGN = re.compile(
    r"^(PYTEST_|COV_|COVERAGE_|OUTPACE_(?!TEST_)|PYTHON(PATH|HASHSEED)$|(CI|BUILD_NUMBER|FORCE_COLOR|TOX_PARALLEL_ENV)$)"
)


@dataclass(frozen=True)
class Run:
    """A finished run."""

    mode: Mode
    command: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str
    folder: Path
    record: dict[str, Any] = field(repr=False)

    @property
    def lines(self) -> list[str]:
        return self.stdout.splitlines()

    @property
    def last_line(self) -> str:
        """pytest's closing line, without rulers and time: ``3 failed, 8 passed``."""
        closing = [line for line in self.lines if re.search(r"\bin \d+(\.\d+)?s\b", line)]
        assert closing, f"no closing line:\n{self.output}"
        return re.sub(r" in [\d.]+s.*$", "", closing[-1].strip("= "))

    def closing_counts(self) -> str:
        """The closing line without what a parallel run cannot know, or under xdist counts once per worker."""
        line = re.sub(r", \d+ deselected", "", self.last_line)
        return re.sub(r", \d+ warnings?", "", line) if ENGINE == "xdist" else line

    @property
    def output(self) -> str:
        return f"$ {' '.join(self.command)}\n{self.stdout}\n--- stderr\n{self.stderr}"

    @property
    def workers(self) -> set[str]:
        return {report["worker"] for report in self.record["reports"] if report["worker"]}

    def table(self) -> dict[str, list[tuple[str, str]]]:
        return outcomes.outcome_table(self.record)

    def calls(self) -> dict[str, str]:
        """node id -> outcome of its call phase, or of its setup where it got no further."""
        found: dict[str, str] = {}
        for nodeid, phases in self.table().items():
            for when, outcome in phases:
                if when == "call" or (when == "setup" and outcome != "passed"):
                    found[nodeid] = outcome
        return found

    def worker_of(self) -> dict[str, str]:
        return {r["nodeid"]: r["worker"] for r in self.record["reports"] if r["when"] == "call"}

    def section(self, title: str) -> list[str]:
        """Lines between the ruler that contains ``title`` and the next ruler."""
        found: list[str] = []
        inside = False
        for line in self.lines:
            if re.match(r"^[=_-]{4,}.*[=_-]{4,}$", line):
                inside = title in line
            elif inside and line.strip():
                found.append(line.rstrip())
        return found


class Lab:
    """Runs projects below ``root``; asks for the same run twice and you get the first one again."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._done: dict[tuple[Any, ...], Run] = {}
        self._started = 0

    def run(
        self,
        project: str,
        mode: Mode,
        *extra: str,
        args: Sequence[str] | None = None,
        load: Sequence[str] | None = None,
        autoload: bool = False,
    ) -> Run:
        """Run ``project`` with its plugin's arguments from the table (or ``args``) and ``extra`` ones.

        ``load`` replaces the plugins to load; ``autoload`` leaves them to pytest, which loads all that are installed.
        """
        plugin = PLUGINS.get(project)
        if args is None:
            args = plugin.args if plugin else ()
        if load is None:
            load = plugin.load if plugin and not autoload else ()
        options = (*args, *extra)
        key = (project, mode.name, options, tuple(load), autoload)
        if key not in self._done:
            self._done[key] = self._run(project, mode, _command(mode, load, options, autoload), autoload)
        return self._done[key]

    def _run(self, project: str, mode: Mode, command: Sequence[str], autoload: bool) -> Run:
        self._started += 1
        kept = self.root / f"{self._started}-{project}-{mode.name}"
        record = kept.with_suffix(".json")
        work = self.root / "work" / project
        plugin = PLUGINS.get(project)
        for source in (project, *(plugin.shares if plugin else ())):
            shutil.copytree(PROJECTS / source, work, ignore=_LEFTOVERS, dirs_exist_ok=True)
        try:
            done = _execute(command, work, _environment(record, autoload))
        finally:
            shutil.move(str(work), str(kept))
        recorded = _read(record) if record.exists() else {}
        run = Run(mode, tuple(command), done.returncode, done.stdout, done.stderr, kept, recorded)
        if mode in (FORK, SPAWN) and "reports" in recorded and recorded["reports"]:
            _assert_ran_by_outpace(run)
        return run


def _read(record: Path) -> dict[str, Any]:
    text = record.read_text()
    for pattern, replacement in _VARIES:
        text = pattern.sub(replacement, text)
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def _command(mode: Mode, load: Sequence[str], options: Sequence[str], autoload: bool) -> list[str]:
    command = [sys.executable, "-m", "pytest", "-p", "outcomes"]
    if autoload:
        command += [] if mode in (FORK, SPAWN) else ["-p", "no:outpace"]
    else:
        for name in (*mode.plugins, *load):
            command += ["-p", name]
    return [*command, "--basetemp=basetemp", *mode.args, *options]


def _environment(record: Path, autoload: bool) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if not _FOREIGN.match(name)}
    env.update(
        PYTHONPATH=str(SUPPORT),
        OUTCOMES_FILE=str(record),
        COLUMNS="160",
        PY_COLORS="0",
        TERM="dumb",
    )
    if not autoload:
        env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    return env


def _execute(command: Sequence[str], folder: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=RUN_LIMIT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        raise AssertionError(f"no end after {RUN_LIMIT_S} s: {' '.join(command)}\n{out}\n--- stderr\n{err}") from None
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def _assert_ran_by_outpace(run: Run) -> None:
    """A run that silently fell back to another engine or start method would prove nothing."""
    if any(option in run.command for option in ("-q", "--no-header")):
        return
    header = [line for line in run.lines if line.startswith("outpace ")]
    assert header, f"not run by outpace:\n{run.output}"
    assert f"start method {run.mode.name}" in header[0], f"not started by {run.mode.name}:\n{run.output}"


def differences(serial: Run, parallel: Run, **options: Any) -> list[str]:
    """What differs in the reports of two runs. xdist repeats warnings for every worker; outpace must not."""
    options.setdefault("warnings", parallel.mode is not XDIST)
    return outcomes.differences(serial.record, parallel.record, **options)


def assert_same(serial: Run, parallel: Run, *, closing: bool = True, **options: Any) -> None:
    """Reports, exit code and (but for a plugin that writes another) the closing line of two runs agree."""
    found = differences(serial, parallel, **options)
    assert not found, "\n".join([*found, "", serial.output, "", parallel.output])
    if closing:
        assert serial.closing_counts() == parallel.closing_counts(), f"{serial.output}\n\n{parallel.output}"
    assert parallel.workers, f"no report names a worker:\n{parallel.output}"
