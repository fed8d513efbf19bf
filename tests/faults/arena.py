"""Start real pytest runs in processes of their own, hurt them, and look at what they left.

Every process of a run carries a unique environment variable, so that whatever outlives the run is found in `/proc`.
The run gets a fresh ``TMPDIR``: whatever is left there is found too. Nothing here knows what outpace should have done.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import textwrap
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import outcomes

from .verdict import Run

SUPPORT = Path(__file__).resolve().parent.parent / "support"
MARKER = "OUTPACE_FAULTS_RUN"
# No run of these tests takes seconds on a quiet machine; only a hang takes this long.
LIMIT_S = 30.0

# With PYTHONUNBUFFERED a line that nobody flushes would be seen all the same.
_FOREIGN = ("PYTEST_", "OUTPACE_", "COV_", "PYTHONUNBUFFERED")
# What a serial pytest leaves in TMPDIR as well: the temp folders of the last three runs, for the user to look at.
_KEPT_BY_PYTEST = "pytest-of-"


class Arena:
    """A project on disk and the runs of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "project"
        self.folder.mkdir()
        self.temp = folder / "tmp"
        self.temp.mkdir()
        self._runs = 0

    def write(self, name: str, text: str) -> Path:
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(textwrap.dedent(text).lstrip("\n"))
        return target

    def start(self, *args: str, **options: Any) -> Running:
        """``pytest *args`` with outpace, started and not waited for."""
        self._runs += 1
        record = self.folder.parent / f"record-{self._runs}.json"
        return Running([sys.executable, "-m", "pytest", "-p", "outcomes", *args], self, record, **options)

    def run(self, *args: str, **options: Any) -> Run:
        return self.start(*args, **options).end()

    def lines(self, name: str) -> list[str]:
        """The whole lines of a file that tests append to."""
        path = self.folder / name
        text = path.read_text() if path.exists() else ""
        return text[: text.rfind("\n") + 1].splitlines()

    def left_in_temp(self) -> list[str]:
        return sorted(name for name in os.listdir(self.temp) if not name.startswith(_KEPT_BY_PYTEST))


class Running:
    """A run under way, in a session of its own."""

    def __init__(
        self,
        command: Sequence[str],
        arena: Arena,
        record: Path,
        *,
        env: Mapping[str, str] | None = None,
        prepare: Callable[[], None] | None = None,
        prefix: Sequence[str] = (),
    ) -> None:
        self.arena = arena
        self.record = record
        self.marker = uuid.uuid4().hex
        environ = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        environ.update(
            {
                "PYTHONPATH": str(SUPPORT),
                "OUTCOMES_FILE": str(record),
                "TMPDIR": str(arena.temp),
                "COLUMNS": "160",
                "PY_COLORS": "0",
                MARKER: self.marker,
                **(env or {}),
            }
        )
        self._out = open(record.with_suffix(".out"), "wb")  # noqa: SIM115 - a pipe could be held open by a survivor
        self.command = [*prefix, *command]

        def prepare_child() -> None:
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            # Whoever runs the tests may have them ignore it (`nohup`), and children inherit that.
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
            if prepare is not None:
                prepare()

        self.process = subprocess.Popen(
            self.command,
            cwd=arena.folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=self._out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=prepare_child,
        )

    # -- looking

    def pids(self) -> list[int]:
        """Every process of this run that is not a zombie, whoever its parent is by now."""
        return [pid for pid, _ in _marked(self.marker)]

    def coordinator(self) -> int:
        return self._one(lambda pid: b"__coordinate" in _cmdline(pid))

    def template(self) -> int:
        """The Python process that the coordinator started first."""
        coordinator = self.coordinator()
        found: list[int] = self.wait(lambda: [pid for pid in self.pids() if _parent(pid) == coordinator])
        return min(found)

    def _one(self, is_it: Callable[[int], bool]) -> int:
        found: list[int] = self.wait(lambda: [pid for pid in self.pids() if is_it(pid)])
        assert len(found) == 1, found
        return found[0]

    def wait(self, condition: Callable[[], Any], seconds: float = LIMIT_S) -> Any:
        """Poll until the condition is true; give its value."""
        until = time.monotonic() + seconds
        while not (value := condition()):
            if time.monotonic() > until or self.process.poll() is not None:
                if value := condition():
                    return value
                alive = "\n".join(describe(pid) for pid in self.pids())
                self.kill()
                raise AssertionError(f"waited in vain\n{self.output()}\nalive:\n{alive}")
            time.sleep(0.005)
        return value

    def wait_for_lines(self, name: str, count: int = 1) -> list[str]:
        return self.wait(lambda: len(self.arena.lines(name)) >= count) and self.arena.lines(name)

    def output(self) -> str:
        return Path(self._out.name).read_text(errors="replace")

    def progress(self) -> str:
        """What is printed after the header: letters of finished tests, and all that follows."""
        return self.output().partition(" items]\n")[2]

    # -- hurting

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def ctrl_c(self) -> None:
        """As the terminal does it: to the whole foreground process group."""
        os.killpg(self.process.pid, signal.SIGINT)

    def kill(self) -> None:
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def end(self, limit: float = LIMIT_S) -> Run:
        """Wait for the end; then whatever the run still has a second later is left behind."""
        try:
            code = self.process.wait(limit)
        except subprocess.TimeoutExpired:
            alive = "\n".join(describe(pid) for pid in self.pids())
            self.kill()
            raise AssertionError(f"no end after {limit} s\n{self.output()}\nalive:\n{alive}") from None
        until = time.monotonic() + 3
        while self.pids() and time.monotonic() < until:
            time.sleep(0.01)
        survivors = [describe(pid) for pid in self.pids()]
        self.kill()
        self._out.close()
        record = outcomes.load(self.record) if self.record.exists() else None
        return Run(self.command, code, self.output(), record, survivors, self.arena.left_in_temp())


def _marked(marker: str) -> Iterator[tuple[int, bytes]]:
    wanted = f"{MARKER}={marker}".encode()
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                environ = Path(f"/proc/{name}/environ").read_bytes()
                if wanted in environ.split(b"\0"):
                    yield int(name), environ


def _cmdline(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def _parent(pid: int) -> int:
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0


def describe(pid: int) -> str:
    return f"{pid} (child of {_parent(pid)}) {_cmdline(pid)[:200]!r}"
