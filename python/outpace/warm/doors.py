"""Processes that wait at the door of a test file: up to it everything is collected, and what it imports is imported.

Where that file is edited, a run goes on from there: it reads the file anew, and collects the rest. Nothing is undone or
put in the place of anything else, so what such a run has is what it would have had from the start. That holds as long
as the file begins as it did: with the lines of its first imports, which have been done. Done twice, they do nothing.

The files that were edited last have a door: they are edited again soonest.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import signal
import socket
import tokenize
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import CodeType
from typing import TYPE_CHECKING, Any

import pytest

from outpace import forked_start, pytest_private
from outpace.worker.repairs_pytest import renew_captures

from . import recorder
from .builder import unshared_exits
from .control import Control

if TYPE_CHECKING:
    from outpace.worker.session import WorkerSession

# Each costs the memory of what it does not share.
MOST = 3
# The server is told these lines in a message.
_MOST_LINES = 16 * 1024
_TYPING = ("TYPE_CHECKING", "typing.TYPE_CHECKING")


class Doors:
    """A plugin while tests are collected to be kept. ``become`` makes a fork the template of a run."""

    def __init__(self, worker: WorkerSession, control: Control, become: Callable[[Control, str], None]) -> None:
        self._worker = worker
        self._control = control
        self._become = become
        self._finder = pytest_private.rewriting_finder()
        self._collecting: str | None = None
        # When the files with a door were edited, in nanoseconds.
        self._edited: list[int] = []

    def watch(self) -> None:
        finder = self._finder
        if finder is None:
            return
        find = finder.find_spec

        def find_spec(name: str, *args: Any, **options: Any) -> ModuleSpec | None:
            spec: ModuleSpec | None = find(name, *args, **options)
            if spec is not None and spec.origin == self._collecting and spec.loader is finder:
                self._collecting = None
                self._consider(spec)
            return spec

        # Nobody's frame is between pytest's and the file's when the file is executed.
        finder.find_spec = find_spec
        self._worker.config.pluginmanager.register(self, "outpace-doors")

    def stop(self) -> None:
        if self._worker.config.pluginmanager.unregister(name="outpace-doors") is not None:
            del self._finder.find_spec

    @pytest.hookimpl
    def pytest_collectstart(self, collector: pytest.Collector) -> None:
        self._collecting = str(collector.path) if isinstance(collector, pytest.File) else None

    def _consider(self, spec: ModuleSpec) -> None:
        path = str(spec.origin)
        edited = os.stat(path).st_mtime_ns
        if len(self._edited) >= MOST and edited <= min(self._edited):
            return
        config = self._worker.config
        if recorder.has_read(path) or self._worker.forkable.reasons(config) or unshared_exits(config):
            return
        found = first_imports(path)
        if found is not None and self._make(spec, *found):
            self._edited = [*sorted(self._edited)[1 - MOST :], edited]

    def _make(self, spec: ModuleSpec, begins: str, block: CodeType) -> bool:
        """This process tries the imports in a fork. If they succeed, that is the door, and a fork of it goes on in the
        place of this process, which ends."""
        heard, tell = os.pipe()
        pid = forked_start.fork()
        if pid:
            os.close(tell)
            if os.read(heard, 1):
                os._exit(0)
            os.close(heard)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return False
        os.close(heard)
        self._leave_parent()
        try:
            exec(block, vars(importlib.util.module_from_spec(spec)))
        except BaseException:
            os._exit(0)
        try:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            pid = forked_start.fork()
        except OSError:
            os._exit(0)
        if pid == 0:
            self._leave_parent()
            self._control.send("door", [theirs.fileno()])
            ours.close()
            theirs.close()
            os.write(tell, b"1")
            os.close(tell)
            return True
        os.close(tell)
        theirs.close()
        self._be_door(Control(ours.detach()), str(spec.origin), begins)
        return True

    def _leave_parent(self) -> None:
        """It is of use also when the process that it was forked from is not; its connection says when it is not."""
        os.setpgid(0, 0)
        forked_start.die_with_parent(wanted=False)
        renew_captures(self._worker.config, with_content=True)

    def _be_door(self, control: Control, path: str, begins: str) -> None:
        """Returns in the templates of runs."""
        self.stop()
        try:
            record = recorder.settle(self._worker.config, but=path)
        except recorder.NotRecordable:
            os._exit(0)
        control.send("ready", [record], door={"path": path, "begins": begins})
        os.close(record)
        self._become(control, path)


def first_imports(path: str) -> tuple[str, CodeType] | None:
    """The lines that a file begins with up to the last of its first imports, and their code; None where it cannot be
    read."""
    text = recorder.unrecorded(_read, path)
    if text is None:
        return None
    try:
        tree = ast.parse(text, path)
    except (SyntaxError, ValueError):
        return None
    block: list[ast.stmt] = []
    for index, statement in enumerate(tree.body):
        if not _is_import(statement) and not (index == 0 and _is_docstring(statement)):
            break
        block.append(statement)
    while block and len(tree.body) > len(block) and tree.body[len(block)].lineno == block[-1].end_lineno:
        block.pop()  # there is more than imports in that line
    last = block[-1].end_lineno or 0 if block else 0
    lines = text.split("\n")
    if len(lines) <= last or "\r" in text.replace("\r\n", ""):
        return None  # without its end, a line may become another one by what is added
    begins = "".join(f"{line}\n" for line in lines[:last])
    if len(begins.encode()) > _MOST_LINES:
        return None
    return begins, compile(ast.Module(block, []), path, "exec", dont_inherit=True)


def is_whole(path: str) -> bool:
    """Whether it can be executed; where not, nothing of it is, its imports included."""
    text = _read(path)
    try:
        compile(text or "", path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return text is not None


def _read(path: str) -> str | None:
    """As it is in the file, and only where that is UTF-8."""
    try:
        with open(path, "rb") as file:
            encoding, _ = tokenize.detect_encoding(file.readline)
            file.seek(0)
            return file.read().decode() if encoding == "utf-8" else None
    except (OSError, SyntaxError, UnicodeDecodeError):
        return None


def _is_import(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.If) and not statement.orelse:
        return ast.unparse(statement.test) in _TYPING and all(map(_is_import, statement.body))
    return isinstance(statement, (ast.Import, ast.ImportFrom))


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
