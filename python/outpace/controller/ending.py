"""How a run ends: completely, by an interrupt, by an error, or with tests left over.

Everything here turns an end into what pytest's users expect of it: an exception that the session loop understands, an
exit code, a line in the summary.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from xdist.dsession import Interrupted

from outpace.wire import Closed, Kind, WireError

from . import elastic

if TYPE_CHECKING:
    from .nodes import Node
    from .session import OutpaceSession

INTERNAL_ERROR = int(pytest.ExitCode.INTERNAL_ERROR)
# For any other exit code pytest writes no summary.
SUMMARISED = frozenset(int(code) for code in pytest.ExitCode if code is not pytest.ExitCode.INTERNAL_ERROR)


class Ending:
    def __init__(self, session: OutpaceSession) -> None:
        self.session = session
        self.records = 0
        self.summary: dict[str, Any] | None = None
        self._error: BaseException | None = None
        self._start_errors: list[str] = []
        self._unfinished: list[str] = []
        self._asked_to_stop = False
        # Tests whose end has been reported although the coordinator counts them as interrupted.
        self._reported: set[str] = set()
        self._internal_error = False

    @property
    def is_refused(self) -> bool:
        """A worker has said that the run cannot be what it is to be."""
        return isinstance(self._error, pytest.UsageError)

    # -- while the run goes on

    def event(self, node: Node, name: str, content: dict[str, Any]) -> None:
        """What a worker says of its own end."""
        if name == "usage_error":
            self._error = self._error or pytest.UsageError(*content["messages"])
            self.session.stop()
        elif name == "exit":
            self._error = self._error or pytest.exit.Exception(content["reason"], content["returncode"])
            self.session.stop()
        elif name == "start_error":
            self._start_errors.append(content["text"])

    @property
    def is_early(self) -> bool:
        """Somebody has ended the run."""
        return self._error is not None or self._internal_error or self._asked_to_stop

    def crashed(self, node: Node, down: dict[str, Any]) -> None:
        """After its last test no test is to blame, but what plugins write at the end of a session is missing."""
        if down["hung"] and down["item"] is None:
            self._unfinished.append(self.session.hangs.unfinished_text(node))
        elif down["phase"] == "finish":
            self._unfinished.append(f"worker {node.gateway.id!r} crashed while its session ended: {down['cause']}")

    def hung(self, node: Node) -> None:
        """It had said goodbye, and did not go."""
        self._unfinished.append(self.session.hangs.unfinished_text(node))

    def internal_error(self) -> None:
        self._internal_error = True
        self.session.stop()

    def worker_finished(self, node: Node, nodeid: str | None) -> None:
        """A worker's session came to its end; ``nodeid`` is a test it did not complete."""
        session = self.session
        session._active_nodes.add(node)
        output = node.workeroutput
        if self._error is not None or self._internal_error or session.finished:
            session.config.hook.pytest_testnodedown(node=node, error=None)
            session._active_nodes.discard(node)
            return session.forget(node)
        if output["exitstatus"] == int(pytest.ExitCode.INTERRUPTED) and not (
            output["shouldfail"] or output["shouldstop"]
        ):
            return self._worker_interrupted(node, nodeid)
        if not session.is_coordinated and nodeid is None:
            # A scheduler of the project's own may still list tests for a worker that stopped by itself.
            session.config.hook.pytest_testnodedown(node=node, error=None)
            session.shouldstop = session.shouldstop or output["shouldfail"] or output["shouldstop"]
            session._active_nodes.discard(node)
            return session.forget(node)
        session.worker_workerfinished(node)
        session._active_nodes.discard(node)

    def _worker_interrupted(self, node: Node, nodeid: str | None) -> None:
        session = self.session
        session.config.hook.pytest_testnodedown(node=node, error=None)
        if not self._asked_to_stop:
            session.shouldstop = f"{node} received keyboard-interrupt"
            session.config.hook.pytest_testnodedown(node=node, error="keyboard-interrupt")
        session._active_nodes.discard(node)
        session.forget(node)
        if nodeid is not None and not self._asked_to_stop:
            self.records += 1
            self._reported.add(nodeid)
            session.handle_crashitem(nodeid, node)

    # -- the end

    def interrupted(self) -> None:
        """Ctrl-C: running tests are torn down and reported; a second one ends everything at once."""
        session = self.session
        self._asked_to_stop = True
        try:
            session.stop(interrupt=True)
            while not session.finished:
                session.shouldstop = session.shouldstop or "interrupted"
                session.shuttingdown = True
                session.loop_once()
        except KeyboardInterrupt:
            session.stop(kill=True)
            self._drain(1.0)

    def stopped_from_outside(self) -> None:
        """Running tests are being interrupted; if not by this process, somebody has ended the coordinator."""
        if not self._asked_to_stop:
            self._asked_to_stop = True
            self.session.shouldstop = self.session.shouldstop or "the coordinator was told to end the run"

    def _drain(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        with contextlib.suppress(Closed, WireError, KeyboardInterrupt, pytest.exit.Exception):
            while not self.session.finished and time.monotonic() < until:
                self.session.loop_once()

    def finished(self, summary: dict[str, Any]) -> None:
        self.summary = summary

    def fatal(self, message: str) -> NoReturn:
        session = self.session
        session.finished = True
        if self._error is not None:
            raise self._error
        if session._max_worker_restart == 0 and session.terminal:
            session.terminal.write_sep("=", "xdist: worker gw0 crashed and worker restarting disabled")
        detail = "\n" + self._start_errors[0].rstrip() if self._start_errors else ""
        hung = session.hangs.over(min(session.nodemanager.by_number))
        if hung is not None:
            detail += "\n" + hung.text()
        raise pytest.exit.Exception(f"outpace: {message}{detail}", INTERNAL_ERROR)

    def coordinator_died(self, error: Exception) -> NoReturn:
        """Nothing can go on without it; the kernel has ended its processes, their groups are ended here."""
        session = self.session
        session.finished = True
        nodes = session.nodemanager.by_number.values()
        for node in nodes:
            if node.pid:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(node.pid, signal.SIGKILL)
        if isinstance(error, WireError):
            session.coordinator.process.kill()
        code = session.coordinator.process.wait()
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        left = max(len(session._ids) - self.records, 0)
        raise pytest.exit.Exception(
            f"outpace's coordinator process ended ({how}); {left} of {len(session._ids)} tests have no result",
            INTERNAL_ERROR,
        ) from error

    def settle(self) -> None:
        """After the loop: raise what the session must end with."""
        session = self.session
        if self._error is not None:
            raise self._error
        if session.shouldstop:
            raise Interrupted(str(session.shouldstop))

    def close(self) -> None:
        with contextlib.suppress(Closed):
            if not self.session.finished:
                self.session.stop(kill=True)
            self.session.coordinator.send(Kind.DONE)
        self.session.coordinator.close()

    def apply_exitstatus(self, session: pytest.Session) -> None:
        """Never end well when something is missing."""
        good = (int(pytest.ExitCode.OK), int(pytest.ExitCode.NO_TESTS_COLLECTED))
        missing = self._not_run() or self.session._summary_report
        if self._internal_error or (int(session.exitstatus) in good and missing):
            session.exitstatus = INTERNAL_ERROR
        elif (self._unfinished or self.session.retries.fails_run()) and int(session.exitstatus) in good:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if int(session.exitstatus) not in SUMMARISED and self.session.terminal and self.summary:
            self.session.terminal.write_line("")
            self.summarise(self.session.terminal)

    def _not_run(self) -> list[int]:
        return list(self.summary["not_run"]) if self.summary else []

    def summarise(self, terminalreporter: Any) -> None:
        if self.session.config.option.verbose >= 0:
            line = elastic.summary_line(self.session.pool, self.session.nodemanager.begins_with)
            if line is not None:
                terminalreporter.write_line(line)
        # As pytest's own failures, what else went wrong is told however quiet it is.
        self.session.retries.summarise(terminalreporter)
        self.session.memory.summarise(terminalreporter)
        for text in self._start_errors[:1]:
            terminalreporter.write_sep("=", "outpace: a worker could not start", red=True)
            terminalreporter.write_line(text)
        for text in self._unfinished:
            terminalreporter.write_line(f"outpace: {text}", red=True)
        ids = self.session._ids
        interrupted = [ids[index] for index in self.summary["interrupted"]] if self.summary else []
        interrupted = [nodeid for nodeid in interrupted if nodeid not in self._reported]
        not_run = self._not_run()
        if interrupted:
            terminalreporter.write_sep("-", f"outpace: {len(interrupted)} interrupted while running")
            for nodeid in interrupted:
                terminalreporter.write_line(nodeid)
        self.session.hangs.summarise_stop(terminalreporter)
        if self._asked_to_stop:
            terminalreporter.write_line(f"outpace: {self.records} of {len(ids)} tests had run")
        if not_run:
            terminalreporter.write_line(f"outpace: {len(not_run)} of {len(ids)} tests were not run")
            for index in not_run if self.session.config.option.verbose > 0 else ():
                terminalreporter.write_line(ids[index])
