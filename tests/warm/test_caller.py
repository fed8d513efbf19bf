"""A warm run is its caller's: terminal, environment, folder, mask, limits, arguments, streams, signals."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pexpect
import psutil
import pytest
from lab import Lab
from test_server import warm_up

_SEES = """
import json, os, resource, sys, pathlib
def sees():
    mask = os.umask(0)
    os.umask(mask)
    return [os.environ.get("SHLVL"), os.getcwd(), mask, resource.getrlimit(resource.RLIMIT_CORE), sys.argv]
"""
_TEST = """
import json, pathlib
from sees import sees
def test_it():
    pathlib.Path("../seen").write_text(json.dumps(sees()))
"""
_HEADER = """
import os, sys
from sees import sees
def pytest_report_header():
    size = os.get_terminal_size(1) if os.isatty(1) else None
    return [f"sees {sees()} {size} {[os.isatty(n) for n in (0, 1, 2)]}"]
"""


def test_what_is_not_part_of_the_layers_is_the_callers(lab: Lab) -> None:
    lab.write("sees.py", _SEES)
    lab.write("conftest.py", _HEADER)
    lab.write("test_it.py", _TEST)

    def run(level: str, **options: Any) -> tuple[str, list[Any], list[str]]:
        lab.env["SHLVL"] = level
        runs = [lab.run("-rA", warm=warm, **options) for warm in (True, False)]
        assert runs[0].told() == runs[1].told()
        return runs[0].note, json.loads((lab.folder.parent / "seen").read_text()), runs[0].output.splitlines()

    note, seen, _ = run("5")
    assert "none yet" in note and seen[0] == "5"
    lab.settle()
    note, seen, _ = run("6")
    assert note == "warm: collected" and seen[0] == "6"

    def strict() -> None:
        os.umask(0o77)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    note, seen, _ = run("7", preexec_fn=strict)
    assert seen[2] == 0o77 and seen[3] == [0, 0]
    assert "umask" in note


def test_the_terminal_is_the_callers(lab: Lab) -> None:
    lab.write("sees.py", _SEES)
    lab.write("conftest.py", _HEADER)
    lab.env["TERM"] = "xterm"
    command = lab.command()

    def run(columns: int) -> str:
        child = pexpect.spawn(
            command[0], command[1:], cwd=str(lab.folder), env=lab.env, dimensions=(30, columns), timeout=60
        )
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 0
        return str(child.before.decode())

    run(80)
    lab.settle()
    for columns in (80, 133):
        output = run(columns)
        assert "warm: collected" in output
        assert f"columns={columns}, lines=30" in output and ", True, True]" in output  # standard input is capture's
        assert "\x1b[32m" in output  # colours
        plain = re.sub(r"\x1b\[\d*m|\r", "", output)
        assert max(len(line) for line in plain.splitlines() if line.startswith("=")) == columns


def _slow(lab: Lab, seconds: float = 30) -> None:
    lab.write(
        "test_it.py",
        "import os, pathlib, time\n"
        "def test_it():\n"
        "    if os.path.exists('../slow'):\n"
        "        pathlib.Path('../on').write_text(str(os.getpid()))\n"
        f"        time.sleep({seconds})\n",
    )
    warm_up(lab)
    lab.write("../slow", "")


def worker_of(folder: Path) -> psutil.Process:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if (folder.parent / "on").exists() and (text := (folder.parent / "on").read_text()):
            return psutil.Process(int(text))
        time.sleep(0.01)
    raise AssertionError("the test does not begin")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 2), (signal.SIGTERM, 2)])
def test_signals_reach_the_run(lab: Lab, number: int, code: int) -> None:
    _slow(lab)
    process = lab.start()
    worker = worker_of(lab.folder)
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == code and "KeyboardInterrupt" in output, output
    worker.wait(timeout=60)
    (lab.folder.parent / "slow").unlink()
    assert lab.run().note == "warm: collected"


def test_a_launcher_that_is_killed_takes_the_run_along(lab: Lab) -> None:
    _slow(lab)
    process = lab.start(stdout=subprocess.DEVNULL)
    worker = worker_of(lab.folder)
    process.kill()
    process.wait(timeout=60)
    worker.wait(timeout=60)


def test_stopping_and_going_on(lab: Lab) -> None:
    _slow(lab, 2)
    process = lab.start()
    worker_of(lab.folder)
    process.send_signal(signal.SIGTSTP)
    until = time.monotonic() + 60
    stopped: list[psutil.Process] = []
    while len(stopped) < 2 and time.monotonic() < until:  # the launcher, and the controller of the run
        time.sleep(0.01)
        stopped = [each for each in lab.processes() if each.status() == psutil.STATUS_STOPPED]
    assert len(stopped) == 2 and process.pid in [each.pid for each in stopped]
    process.send_signal(signal.SIGCONT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and "1 passed" in output


def test_a_breakpoint_has_the_callers_terminal(lab: Lab) -> None:
    stops = "    if os.path.exists('../stop'): breakpoint()\n"
    lab.write("test_it.py", f"import os\ndef test_it():\n    value = 41\n{stops}")
    warm_up(lab)
    lab.write("../stop", "")
    lab.env["TERM"] = "dumb"
    command = lab.command()
    child = pexpect.spawn(command[0], command[1:], cwd=str(lab.folder), env=lab.env, timeout=60, echo=False)
    child.expect(r"\(Pdb\)")
    child.sendline("value + 1")
    child.expect("42")
    child.expect(r"\(Pdb\)")
    child.sendline("c")
    child.expect("1 passed")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_the_run_ends_as_a_process_does(lab: Lab) -> None:
    """Its threads end, functions for the end are called, and what is in buffers is written."""
    lab.write(
        "conftest.py",
        "import atexit, threading, time\n"
        "KEPT = open('kept', 'a')\n"
        "def late():\n"
        "    time.sleep(0.3)\n"
        "    print('late', file=KEPT)\n"
        "def pytest_sessionstart(session):\n"
        "    if not hasattr(session.config, 'workerinput'):\n"
        "        threading.Thread(target=late).start()\n"
        "        atexit.register(print, 'last', file=KEPT)\n",
    )
    for count in (1, 2, 3):
        run = lab.run()
        assert run.code == 0 and "not warm" not in run.note, run.output
        assert (lab.folder / "kept").read_text() == "late\nlast\n" * count
        lab.settle()
