"""A debugger in a worker: it gets the terminal when pytest is about to enter one, and gives it back afterwards.

pytest does everything else itself: it suspends capture, which puts back what stood at descriptors 0 and 1 before. In a
worker that is ``/dev/null``; here the terminal is put in its place for as long as the debugger has it. It is returned
when the debugger goes on ("continue"), and at the latest when a phase of the test is reported. Imported when the first
debugger is entered.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import sys
import threading
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

from outpace import pytest_private
from outpace.wire import Kind

if TYPE_CHECKING:
    from .session import WorkerSession

# They would stop a process that nobody could bring to the foreground again.
_STOPS = (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
_INTERNAL = ("_pytest.", "pluggy.", "outpace.", "pdb", "bdb")


class Refused(Exception):
    """There is no terminal for this debugger; the message says why."""


class NoDebugger(pytest.fail.Exception):  # type: ignore[name-defined,misc]
    """The failure of a test that wanted one."""


NoDebugger.__name__ = "Failed"


class Debugging:
    def __init__(self, worker: WorkerSession) -> None:
        self.worker = worker
        self.config = worker.config
        self._has_terminal = False
        # Standard descriptors, where they were replaced by the terminal, and copies of what was there.
        self._replaced: list[tuple[int, int, int]] = []
        self._handlers: dict[int, Any] = {}
        self._terminal = -1
        # The test in whose debugger Ctrl-C was typed last.
        self._interrupted: int | None = None
        self._gave_up = False
        self._invoke: Any = None
        self.config.pluginmanager.register(self, "outpace-debugging")

    def invoke_on_errors(self) -> None:
        """``--pdb``: stand before the plugin of pytest's that enters the debugger."""
        manager = self.config.pluginmanager
        invoke = manager.getplugin("pdbinvoke")
        if invoke is not None and self._invoke is None:
            manager.unregister(invoke)
            self._invoke = invoke
            manager.register(_Invoke(self, invoke), "pdbinvoke")

    # -- the way in

    def enter(self, method: str) -> None:
        """Raises the failure of the test where there is no terminal."""
        __tracebackhide__ = True
        try:
            self.acquire()
        except Refused as error:
            text = self._advice(method, str(error))
        else:
            return
        raise NoDebugger(text, pytrace=False)

    def acquire(self) -> None:
        """Wait for the terminal; raises ``Refused``."""
        if self._has_terminal:
            return
        if os.getpid() != self.worker.pid:
            raise Refused("this is a process that the test has started")
        if threading.current_thread() is not threading.main_thread():
            raise Refused("this is not the main thread")
        if self._gave_up:
            raise Refused("the run is being stopped")
        # pytest-timeout measures with it: time spent waiting is not the test's.
        left, interval = signal.setitimer(signal.ITIMER_REAL, 0)
        try:
            self._attach(self._ask())
        finally:
            if left:
                signal.setitimer(signal.ITIMER_REAL, left, interval)

    def _ask(self) -> str:
        channel, reporting = self.worker.channel, self.worker.reporting
        others = []
        reporting.send(Kind.W_WANT_TERMINAL)
        try:
            frame = channel.receive_with_descriptors()
            while frame.kind != Kind.TERMINAL:
                others.append(frame)
                frame = channel.receive_with_descriptors()
        except BaseException:
            self._gave_up = True
            reporting.send(Kind.W_LEAVE_TERMINAL)
            raise
        finally:
            channel.put_back(others)
        answer = json.loads(frame.payload)
        if answer["path"] is None:
            raise Refused(answer["why"])
        return str(answer["path"])

    def _attach(self, path: str) -> None:
        _flush()
        try:
            terminal = os.open(path, os.O_RDWR | os.O_NOCTTY)
        except OSError as error:
            self.worker.reporting.send(Kind.W_LEAVE_TERMINAL)
            raise Refused(f"the terminal cannot be opened: {error}") from error
        self._has_terminal = True
        self._handlers = {number: signal.signal(number, signal.SIG_IGN) for number in _STOPS}
        # The debugger leaves a handler of its own behind, too.
        self._handlers[signal.SIGINT] = signal.signal(signal.SIGINT, self._on_interrupt)
        for fd in (0, 1):
            for place in pytest_private.descriptors_of(self.config, fd)[0]:
                self._replaced.append((fd, place, os.dup(place)))
                os.dup2(terminal, place, inheritable=place == fd)
        pytest_private.match_markup(self.config, terminal)
        self._terminal = terminal

    def _on_interrupt(self, number: int, frame: Any) -> None:
        """Ctrl-C is the debugger's. Once the terminal is somebody else's, it is the run that is interrupted."""
        try:
            is_ours = os.tcgetpgrp(self._terminal) == os.getpgrp()
        except OSError:  # it controls no process, so nobody can have typed Ctrl-C
            is_ours = False
        if not is_ours:
            raise pytest.exit.Exception("the run was interrupted")
        self._interrupted = self._running()
        handler = self._handlers[signal.SIGINT]
        if callable(handler):
            handler(number, frame)

    # -- the way out

    def release(self) -> None:
        """Give the terminal back, if this process has it."""
        if self._detach():
            self.worker.reporting.send(Kind.W_LEAVE_TERMINAL)

    def _detach(self) -> bool:
        """Whether this process had the terminal."""
        if not self._has_terminal or os.getpid() != self.worker.pid:
            return False
        self._has_terminal = False
        _flush()
        replaced, self._replaced = self._replaced, []
        for fd, place, copy in replaced:
            places, _ = pytest_private.descriptors_of(self.config, fd)
            if place in places:
                os.dup2(copy, place, inheritable=place == fd)
            if fd in places:  # capture is suspended, or has been stopped, and has put the terminal there
                os.dup2(copy, fd)
            os.close(copy)
        os.close(self._terminal)
        for number, handler in self._handlers.items():
            if handler is not None:
                signal.signal(number, handler)
        return True

    @pytest.hookimpl
    def pytest_enter_pdb(self, pdb: Any) -> None:
        """What was continued may stop again, at another breakpoint, without a word to pytest."""
        setup = getattr(pdb, "setup", None)
        if setup is None:
            return

        def acquire_and_setup(*args: Any, **kwargs: Any) -> Any:
            self.acquire()
            return setup(*args, **kwargs)

        with contextlib.suppress(AttributeError):
            pdb.setup = acquire_and_setup

    @pytest.hookimpl(trylast=True)
    def pytest_leave_pdb(self) -> None:
        if not pytest_private.is_debugger_nested():
            self.release()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self) -> None:
        self.release()

    @pytest.hookimpl(tryfirst=True)
    def pytest_collectreport(self) -> None:
        self.release()

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_keyboard_interrupt(self) -> Generator[None, Any, None]:
        """Who quits the debugger ends the run: that must be known before the next one gets the terminal."""
        had_terminal = self._detach()
        yield
        if had_terminal:
            self.worker.reporting.send(Kind.W_LEAVE_TERMINAL)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        self.release()

    # -- in words

    def _running(self) -> int | None:
        return self.worker.loop.running if self.worker.is_worker else None

    def was_interrupted(self) -> bool:
        """Whether somebody has typed Ctrl-C in a debugger in this test."""
        return self._interrupted is not None and self._interrupted == self._running()

    def _advice(self, method: str, why: str) -> str:
        path, line = _caller()
        running, session = self._running(), self.worker.session
        name = os.path.relpath(path, self.config.rootpath) if path else ""
        target = session.items[running].nodeid if running is not None and session is not None else name
        options = "-n 0 --trace" if method == "runcall" else "-n 0"
        lines = [
            f"outpace: no debugger{f' at {name}:{line}' if name and method == 'set_trace' else ''}: {why}.",
            f'Run it by itself in a terminal:  pytest {options} "{target}"',
        ]
        if importlib.util.find_spec("debugpy") is not None:
            wait = "python -m debugpy --listen 5678 --wait-for-client"
            lines.append(f'or attach an editor to:  {wait} -m pytest -n 0 "{target}"')
        return "\n".join(lines)


class _Invoke:
    """In place of pytest's ``pdbinvoke``: the terminal first, then what that does."""

    def __init__(self, debugging: Debugging, invoke: Any) -> None:
        self._debugging = debugging
        self._pdb = invoke

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[Any]) -> None:
        """With --pdb an interrupt is a failure like any other; here it is the run's, unless it was the debugger's."""
        excinfo = call.excinfo
        if (
            excinfo is not None
            and isinstance(excinfo.value, KeyboardInterrupt)
            and not self._debugging.was_interrupted()
        ):
            raise excinfo.value

    @pytest.hookimpl
    def pytest_exception_interact(self, node: Any, call: Any, report: Any) -> None:
        if isinstance(call.excinfo.value, NoDebugger):
            return
        nodeid, when, why = report.nodeid, getattr(report, "when", None), ""
        debugging = self._debugging
        try:
            debugging.acquire()
        except Refused as error:
            why = str(error)
        debugging.worker.reporting.event("debugger", nodeid=nodeid, when=when, why=why)
        if not why:
            self._pdb.pytest_exception_interact(node=node, call=call, report=report)
            debugging.release()

    @pytest.hookimpl
    def pytest_internalerror(self, excinfo: Any) -> None:
        with contextlib.suppress(Refused):
            self._debugging.acquire()
            self._pdb.pytest_internalerror(excinfo=excinfo)


def _flush() -> None:
    for stream in (sys.__stdout__, sys.stdout):
        with contextlib.suppress(AttributeError, OSError, ValueError):
            stream.flush()  # type: ignore[union-attr]


def _caller() -> tuple[str, int]:
    """Where the user's code wanted a debugger."""
    frame = sys._getframe(1)
    while frame is not None:
        if not f"{frame.f_globals.get('__name__', '')}.".startswith(_INTERNAL):
            return frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back  # type: ignore[assignment]
    return "", 0
