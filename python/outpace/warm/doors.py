"""Processes that wait at the door of a file of the project, while tests are collected: all that comes before is done.

Where that file, a test file or one that tests import, is edited, a run goes on from there: it reads the file anew, and
collects the rest. Nothing is undone or put in the place of anything else, so what such a run has is what it would have
had from the start. The file's first imports are done ahead. That holds as long as the file begins with the lines that
they are in: done twice, they do nothing.

The files that were edited last have a door: they are edited again soonest.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import signal
import socket
import sys
import tokenize
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from outpace import forked_start, pytest_private
from outpace.recording.places import Project
from outpace.worker.repairs_pytest import renew_captures

from . import recorder
from .builder import unshared_exits
from .control import Control

if TYPE_CHECKING:
    from outpace.worker.session import WorkerSession

    from .collector import Collected, Run

# Of test files, and of others. Each costs the memory of what it does not share.
_MOST = 3
# Of each kind, where each one is of a file that was edited later than those before.
_MOST_MADE = 12
# Bytes; the server is told these lines in a message.
_MOST_LINES = 8 * 1024
# The function that looks for a module to execute it.
_IMPORTS = "_find_and_load_unlocked"
_TYPING = ("TYPE_CHECKING", "typing.TYPE_CHECKING")


class _Begun(NamedTuple):
    """A file, the lines of its first imports, and where to tell that they have succeeded."""

    path: str
    begins: str
    tell: int


class _Newest:
    """When those files were edited that have a door, in nanoseconds."""

    def __init__(self) -> None:
        self._edited: list[int] = []
        self._made = 0

    def has_room(self, edited: int) -> bool:
        return self._made < _MOST_MADE and (len(self._edited) < _MOST or edited > min(self._edited))

    def add(self, edited: int) -> None:
        self._made += 1
        self._edited = [*sorted(self._edited)[1 - _MOST :], edited]


class Doors:
    """A plugin and a finder while tests are collected to be kept."""

    def __init__(self, worker: WorkerSession, layer: Collected) -> None:
        self._worker = worker
        self._layer = layer
        self._finder = pytest_private.rewriting_finder()
        self._project = Project([str(worker.config.rootpath)])
        self._collecting: str | None = None
        self._tests, self._others = _Newest(), _Newest()
        # The files whose first imports are being done, one within another's.
        self._begun: list[_Begun] = []
        # In the template of a run.
        self._run: Run | None = None

    def watch(self) -> None:
        finder = self._finder
        if finder is None:
            return
        find = finder.find_spec

        def find_spec(name: str, *args: Any, **options: Any) -> ModuleSpec | None:
            spec: ModuleSpec | None = find(name, *args, **options)
            if spec is not None and spec.origin == self._collecting and spec.loader is finder:
                self._collecting = None
                self._consider(spec, self._tests)
            return spec

        # Nobody's frame is between pytest's and the file's when the file is executed.
        finder.find_spec = find_spec
        sys.meta_path.insert(sys.meta_path.index(finder) + 1, self)
        self._worker.config.pluginmanager.register(self, "outpace-doors")

    def stop(self) -> None:
        if self._worker.config.pluginmanager.unregister(name="outpace-doors") is not None:
            del self._finder.find_spec
            sys.meta_path.remove(self)

    @pytest.hookimpl
    def pytest_collectstart(self, collector: pytest.Collector) -> None:
        self._collecting = str(collector.path) if isinstance(collector, pytest.File) else None

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> None:
        """Only looks: whoever comes next finds it."""
        if sys._getframe(2).f_code.co_name != _IMPORTS:
            return
        following = sys.meta_path[sys.meta_path.index(self) + 1 :]
        found = (finder.find_spec(name, path, target) for finder in following if hasattr(finder, "find_spec"))
        spec = next(filter(None, found), None)
        if spec is not None and type(spec.loader) is SourceFileLoader and self._project.owns(str(spec.origin)):
            self._consider(spec, self._others)

    def _consider(self, spec: ModuleSpec, newest: _Newest) -> None:
        path = str(spec.origin)
        edited = os.stat(path).st_mtime_ns
        config = self._worker.config
        if not newest.has_room(edited) or recorder.has_read(path) or any(path == each.path for each in self._begun):
            return
        if self._worker.forkable.reasons(config) or unshared_exits(config):
            return
        found = first_imports(path)
        if found is None:
            return
        if self._make(spec, *found):
            newest.add(edited)

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
        begun = _Begun(str(spec.origin), begins, tell)
        self._begun.append(begun)
        is_done = _execute(spec, block)
        if self._run is not None:
            # A door among these imports was this run's.
            self._go_on(self._run, is_done)
            return False
        if not is_done or recorder.has_read(begun.path):
            os._exit(0)
        self._begun.remove(begun)
        try:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            pid = forked_start.fork()
        except OSError:
            os._exit(0)
        if pid == 0:
            self._leave_parent()
            self._layer.control.send("door", [theirs.fileno()])
            ours.close()
            theirs.close()
            os.write(tell, b"1")
            os.close(tell)
            return True
        os.close(tell)
        theirs.close()
        self._be_door(Control(ours.detach()), pid, begun)
        return False

    def _be_door(self, control: Control, child: int, begun: _Begun) -> None:
        """Returns in the templates of runs."""
        self.stop()
        for each in self._begun:
            os.close(each.tell)
        files = [*self._begun, begun]
        try:
            record = recorder.settle(self._worker.config, but={each.path for each in files})
        except recorder.NotRecordable:
            os._exit(0)
        control.send("ready", [record], door=[{"path": each.path, "begins": each.begins} for each in files])
        os.close(record)
        self._run = self._layer.wait_at_door(self._worker, control, child)
        for each in files:
            if not is_whole(each.path):
                self._layer.begin_anew(self._run, f"{self._project.shorten(each.path)} cannot be compiled")
        if not self._begun:
            self._layer.go_on(self._worker, self._run)

    def _go_on(self, run: Run, is_done: bool) -> None:
        """The first imports of one more file are done, or have failed. Nothing has been told yet."""
        begun = self._begun.pop()
        if not is_done:
            # They would be tried once more.
            self._layer.begin_anew(run, f"what {self._project.shorten(begun.path)} imports cannot be imported")
        if not self._begun:
            self._layer.go_on(self._worker, run)

    def _leave_parent(self) -> None:
        """It is of use also when the process that it was forked from is not; its connection says when it is not."""
        os.setpgid(0, 0)
        forked_start.die_with_parent(wanted=False)
        renew_captures(self._worker.config, with_content=True)


def _execute(spec: ModuleSpec, block: CodeType) -> bool:
    """Whether all has been imported, and not what imports it."""
    try:
        exec(block, vars(importlib.util.module_from_spec(spec)))
    except BaseException:
        return False
    return spec.name not in sys.modules


def first_imports(path: str, wanted: Callable[[ast.stmt], bool] | None = None) -> tuple[str, CodeType] | None:
    """The lines that a file begins with up to the last of its first imports (that is ``wanted``), and their code; None
    where it cannot be read."""
    text = recorder.unrecorded(_read, path)
    if text is None:
        return None
    try:
        tree = ast.parse(text, path)
    except (SyntaxError, ValueError):
        return None
    block: list[ast.stmt] = []
    for index, statement in enumerate(tree.body):
        if not (wanted or _is_import)(statement) and not (index == 0 and _is_docstring(statement)):
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
    if text is None:
        return False
    try:
        compile(text, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True


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
