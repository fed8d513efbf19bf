"""``outpace watch`` in a terminal of its own: what it says, what somebody presses and saves."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pexpect
import psutil
from lab import OUTPACE, PATIENCE, Lab
from pexpect import fdpexpect

_NOISE = re.compile(r"\x1b\[[\d;?]*[A-Za-z]|\r")
WAITING = r"waiting for changes[^\n]*\n"


class Watching:
    """With a terminal, or without one."""

    def __init__(self, lab: Lab, *args: str, own: tuple[str, ...] = (), terminal: bool = True) -> None:
        self.lab = lab
        lab.env["TERM"] = "dumb"
        command = [OUTPACE, "--python", sys.executable, *own, "watch", *args]
        if terminal:
            self.process = pexpect.spawn(
                command[0], command[1:], cwd=str(lab.folder), env=lab.env, timeout=PATIENCE, echo=True, encoding="utf-8"
            )
            self.pid = self.process.pid
        else:
            self.plain = subprocess.Popen(
                command, cwd=lab.folder, env=lab.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
            )
            assert self.plain.stdout is not None

            self.process = fdpexpect.fdspawn(self.plain.stdout, timeout=PATIENCE, encoding="utf-8")
            self.pid = self.plain.pid

    def until(self, pattern: str) -> str:
        """What is said until then, that included."""
        self.process.expect(pattern)
        return _NOISE.sub("", self.process.before + self.process.after)

    def rest(self) -> str:
        """What is said until it waits for a change or a key."""
        return self.until(WAITING)

    def save(self, name: str, text: str) -> None:
        """As editors do it: the file is another one at once."""
        path = self.lab.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.new")
        beside.write_text(text)
        os.replace(beside, path)

    def press(self, keys: str) -> str:
        self.process.send(keys)
        return self.rest()

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def quit(self, key: str | None = "q") -> int:
        """The exit code; nothing of the run is there then."""
        if key is not None:
            self.process.send(key)
        self.process.expect(pexpect.EOF)
        self.said = _NOISE.sub("", self.process.before)
        if hasattr(self, "plain"):
            code = self.plain.wait(PATIENCE)
        else:
            self.process.close()
            code = self.process.exitstatus
        return int(code)

    def assert_only_the_server_is_left(self) -> None:
        """A server keeps what it has; of runs there is nothing."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            left = [each for each in self.lab.processes() if not _is_kept(each)]
            if not left:
                return
            time.sleep(0.02)
        raise AssertionError([each.cmdline() for each in left])


def _is_kept(process: psutil.Process) -> bool:
    """The server, and its layers."""
    try:
        command = process.cmdline()
        if "__serve" in command:
            return True
        if "__coordinate" in command or "watch" in command:
            return False
        # Layers have the server's log, runs their caller's streams.
        return any(Path(each.path).name == "log" for each in process.open_files())
    except (psutil.Error, OSError):
        return True


def counts(said: str) -> str:
    """The last line of the last run."""
    found = re.findall(r"=+ ((?:\d+ \w+(?:, )?)+|no tests ran) in [\d.]+s", said)
    return found[-1] if found else ""


def ran(folder: Path) -> list[str]:
    """The tests that have run since this was asked last, in order."""
    log = folder.parent / "ran"
    try:
        names = log.read_text().split()
    except FileNotFoundError:
        return []
    log.unlink()
    return names


TELLS = """
import os, pathlib, pytest

@pytest.fixture(autouse=True)
def _tells(request):
    fd = os.open(pathlib.Path(__file__).parent.parent / "ran", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, f"{request.node.nodeid}\\n".encode())
    os.close(fd)
"""
