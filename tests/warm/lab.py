"""A project, a server of its own, and runs of it: warm ones and cold ones."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

OUTPACE = str(Path(sys.executable).parent / "outpace")
PATIENCE = 60.0

_ALWAYS = ("-n", "2", "--no-history")


class Result:
    def __init__(self, code: int, output: str) -> None:
        self.code = code
        self.output = output

    @property
    def note(self) -> str:
        """What the header says of layers."""
        found = re.search(r"^outpace: ((?:not )?warm: .*)$", self.output, re.MULTILINE)
        return found[1] if found else ""

    def told(self) -> list[str]:
        """Everything that a run tells, but for what no two runs have in common."""
        text = re.sub(r"^outpace: ((not )?warm|collected anew): .*\n", "", self.output, flags=re.MULTILINE)
        text = re.sub(r" in \d+\.\d+s( \([\d:]+\))?", " in", text)
        text = re.sub(r"\[gw\d+\]( \[ *\d+%\])?|\[ *\d+%\]|gw\d+|pytest-\d+/", "", text)
        text = re.sub(r"=+|-+", "-", text)
        return [f"exit code {self.code}", *sorted(line.rstrip() for line in text.splitlines())]


def finished(process: subprocess.Popen[str]) -> Result:
    """The process at its end, which must come."""
    try:
        output, _ = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return Result(process.returncode, output or "")


class Lab:
    def __init__(self, folder: Path, runtime: Path) -> None:
        self.folder = folder
        self.runtime = runtime
        runtime.mkdir(mode=0o700)
        unwanted = ("CI", "OUTPACE_BINARY", "PYTEST_ADDOPTS", "PYTHONDONTWRITEBYTECODE")
        self.env = {
            name: value
            for name, value in os.environ.items()
            if name not in unwanted and not name.startswith(("PYTEST_", "COV_", "OUTPACE_"))
        }
        self.env["XDG_RUNTIME_DIR"] = str(runtime)
        self.env["VIRTUAL_ENV"] = sys.prefix

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def command(self, *args: str, own: Sequence[str] = ("--warm",)) -> list[str]:
        return [OUTPACE, "--python", sys.executable, *own, *_ALWAYS, *args]

    def start(self, *args: str, warm: bool = True, **options: object) -> subprocess.Popen[str]:
        return self.start_program(self.command(*args, own=["--warm"] if warm else []), **options)

    def start_program(self, command: Sequence[str], **options: object) -> subprocess.Popen[str]:
        settings = {"cwd": self.folder, "env": self.env, "stdin": subprocess.DEVNULL, "text": True}
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return subprocess.Popen(command, **{**settings, **streams, **options})  # type: ignore[call-overload,no-any-return]

    def run(self, *args: str, warm: bool = True, **options: object) -> Result:
        return finished(self.start(*args, warm=warm, **options))

    def run_with(self, own: Sequence[str]) -> Result:
        """With these options of the command's own."""
        done = subprocess.run(
            self.command(own=own), cwd=self.folder, env=self.env, text=True, capture_output=True, timeout=PATIENCE
        )
        return Result(done.returncode, done.stdout + done.stderr)

    def server(self, what: str) -> Result:
        done = subprocess.run(
            [OUTPACE, "server", what], cwd=self.folder, env=self.env, text=True, capture_output=True, timeout=PATIENCE
        )
        return Result(done.returncode, done.stdout + done.stderr)

    def settle(self) -> str:
        """Wait until nothing more is prepared; what the server then has."""
        return self.wait_for(lambda status: "is being" not in status)

    def wait_for(self, right: object) -> str:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            status = self.server("status").output
            if right(status):  # type: ignore[operator]
                return status
            time.sleep(0.02)
        raise AssertionError(f"the server stays at: {status}")

    def processes(self) -> list[psutil.Process]:
        """All that live with this lab's environment."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("XDG_RUNTIME_DIR") == str(self.runtime):
                    found.append(process)
            except (psutil.Error, OSError):
                continue
        return found

    def close(self) -> None:
        """End the server; raises where a process stays."""
        self.server("stop")
        until = time.monotonic() + PATIENCE
        while (left := self.processes()) and time.monotonic() < until:
            time.sleep(0.02)
        names = [" ".join(each.cmdline()) for each in left if each.is_running()]
        for each in left:
            each.kill()
        assert not names, f"processes are left: {names}"
