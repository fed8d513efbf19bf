"""The same in a real terminal: tmux, keys, a screen."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
LIMIT_S = 30


class Screen:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._server = ["tmux", "-L", f"outpace-{uuid.uuid4().hex}", "-f", "/dev/null"]
        shell = "env -i PATH=$PATH TERM=screen PS1='sh> ' sh"
        self._tmux("new-session", "-d", "-s", "s", "-x", "120", "-y", "50", shell)

    def _tmux(self, *args: str) -> str:
        return subprocess.run(
            [*self._server, *args], cwd=self.folder, check=True, capture_output=True, text=True, timeout=LIMIT_S
        ).stdout

    def keys(self, *keys: str) -> None:
        self._tmux("send-keys", "-t", "s", *keys)

    def line(self, text: str) -> None:
        self._tmux("send-keys", "-t", "s", "-l", text)
        self.keys("Enter")

    def pytest(self, *args: str) -> None:
        self.line(f"clear; stty -g > before; {sys.executable} -m pytest -p no:cacheprovider {' '.join(args)}")

    @property
    def text(self) -> str:
        return self._tmux("capture-pane", "-p", "-J", "-S", "-200", "-t", "s").rstrip()

    def see(self, text: str, times: int = 1) -> str:
        until = time.monotonic() + LIMIT_S
        while (screen := self.text).count(text) < times:
            assert time.monotonic() < until, f"never seen: {text}\n{screen}"
            time.sleep(0.05)
        return screen

    def ends(self) -> str:
        """The shell has the terminal again, and it is as it was."""
        self.line("stty -g > after; cmp before after && echo 'as it' was")
        return self.see("as it was")

    def close(self) -> None:
        subprocess.run([*self._server, "kill-server"], check=False, capture_output=True, timeout=LIMIT_S)


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Screen]:
    screen = Screen(tmp_path)
    yield screen
    screen.close()


def test_breakpoint(screen: Screen) -> None:
    source = "def test_a():\n    x = 40\n    breakpoint()\n    assert x == 40\ndef test_b(): pass\n"
    (screen.folder / "test_a.py").write_text(source)
    screen.pytest("-n2")
    screen.see("(Pdb)")
    screen.line("p x + 2")
    screen.see("42")
    screen.keys("Up")
    screen.see("(Pdb) p x + 2", 2)  # the line editor has a history
    screen.keys("Enter")
    screen.see("42", 2)
    screen._tmux("resize-window", "-t", "s", "-x", "77", "-y", "50")
    screen.line("import os; print('wide:', os.get_terminal_size().columns)")
    screen.see("wide: 77")
    screen.keys("C-c")
    screen.see("--KeyboardInterrupt--")
    screen.line("c")
    screen.see("2 passed")
    screen.ends()


def test_pdb(screen: Screen) -> None:
    (screen.folder / "test_a.py").write_text("def test_a():\n    y = 2\n    assert y == 3\ndef test_b(): pass\n")
    screen.pytest("-n2", "--pdb")
    screen.see("entering PDB")
    screen.see("(Pdb)")
    screen.line("p y * 21")
    screen.see("42")
    screen.line("c")
    screen.see("1 failed, 1 passed")
    screen.ends()


def test_trace_and_quit(screen: Screen) -> None:
    (screen.folder / "test_a.py").write_text("def test_a():\n    y = 2\n    assert y == 2\n")
    screen.pytest("-n2", "--trace")
    screen.see("-> y = 2")
    screen.line("n")
    screen.see("-> assert y == 2")
    screen.line("q")
    screen.see("no tests ran")
    text = screen.ends()
    assert text.count("Exit: Quitting debugger") == 1, "the worker's own summary is not shown"
