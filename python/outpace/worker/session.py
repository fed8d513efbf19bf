"""The plugin that makes a pytest session a template or a worker.

It takes the place of xdist's ``WorkerInteractor``: same hooks, same attributes on ``config``. What it hears goes to
:class:`~outpace.worker.reporting.Reporting`; what it is told comes from the coordinator.
"""

from __future__ import annotations

import json
import os
import platform
import struct
import sys
from collections.abc import Callable, Collection, Generator
from typing import TYPE_CHECKING, Any

import pytest

from outpace import collection, garbage, own_process, plain, pytest_private
from outpace.marks import marks_key
from outpace.timeouts import COLLECTING, limits, timeouts
from outpace.wire import Kind

from . import board, stacks
from .failing import Failing
from .loop import Loop
from .outbox import ORDERED_STORES, Direct, Ring
from .reporting import Reporting, warning_data
from .template import Forkable, serve

if TYPE_CHECKING:
    from outpace.paid import Fixtures, Imports
    from outpace.warm.collector import Collected
    from outpace.wire import Channel

    from .board import Board
    from .debugging import Debugging


def worker_info() -> dict[str, Any]:
    """What xdist calls ``workerinfo``."""
    return {
        "version": sys.version,
        "version_info": tuple(sys.version_info),
        "sysplatform": sys.platform,
        "platform": platform.platform(),
        "executable": sys.executable,
        "cwd": os.getcwd(),
        "pid": os.getpid(),
    }


# Seconds; the coordinator reads some files of each worker.
_LAST_LOOK = 1.0


class WorkerSession:
    """The worker role of this process."""

    def __init__(self, config: pytest.Config, channel: Channel, shared: Board, lane: int, forkable: Forkable) -> None:
        self.config = config
        self.channel = channel
        self.board = shared
        self.lane = shared.lane(lane)
        self.forkable = forkable
        self.reporting = Reporting(config, Direct(channel))
        self.session: pytest.Session | None = None
        pytest_private.keep_log_file(config)
        pytest_private.collect_no_more_than_there_is()
        self.is_worker = False
        self.may_be_held = False
        # Where this worker's output is shown live: :class:`outpace.worker.live.Live`.
        self.live: Any = None
        # Where tests have processes of their own: :class:`outpace.worker.own_process.Keeper`.
        self.keeper: Any = None
        self.measures = False
        # What this process pays once for many tests, where it measures.
        self.imports: Imports | None = None
        self.fixtures: Fixtures | None = None
        # Where this session is kept for warm runs.
        self.layer: Collected | None = None
        self.timeouts = timeouts(config)
        self.enter: Callable[[int], None] = self.lane.enter
        self.limits: dict[int, float] = {}
        self.failing = Failing(self.lane, self._time_is_up)
        # "loadgroup" before the options became those of a worker
        self.wants_groups = bool(config.option.loadgroup)
        # What the worker is to have of its own, and what sees to it (`outpace.worker.sandbox_watch`).
        self.isolate: dict[str, Any] | None = None
        self.sandboxes: list[Any] = []
        self.marks_isolate = False
        # To begin again in a sandbox (`outpace.worker.anew`): certainly a worker, what it was started with, whether it
        # does, and then the tests that were told before.
        self.is_early = False
        self.start: tuple[bytes, int] | None = None
        self.begins_anew = False
        self.told: list[str] | None = None
        if config.option.outpace_memory:
            from .memory import Growth

            config.pluginmanager.register(Growth(self), "outpace-growth")
        # Of the worker itself: what a test starts may inherit all else.
        self.pid = os.getpid()
        self.debugging: Debugging | None = None
        pytest_private.before_debugger(config, self._before_debugger)

    def begins(self, given: dict[str, Any], start: tuple[bytes, int] | None) -> None:
        self.isolate, self.is_early, self.start = given["isolate"], given["isolate_early"], start
        self.told = given.get("told")

    def collects(self, measures: bool) -> None:
        self.measures = measures
        if measures:
            from outpace.paid import Imports

            self.imports = Imports()
            self.config.pluginmanager.register(self.imports, "outpace-imports")

    # -- the way to the first test

    @pytest.hookimpl
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        self.session = session
        if self.config.getoption("usepdb", False):
            self._debugging().invoke_on_errors()

    def _debugging(self) -> Debugging:
        from .debugging import Debugging

        self.debugging = self.debugging or Debugging(self)
        return self.debugging

    def _before_debugger(self, method: str) -> None:
        __tracebackhide__ = True
        self._debugging().enter(method)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collectstart(self, collector: pytest.Collector) -> None:
        if isinstance(collector, pytest.File):
            self.lane.begin()
            self.reporting.status(f"collecting {collector.nodeid}")

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_collection(self) -> Generator[None, Any, None]:
        if self.layer is not None:
            self.layer.watch(self)
        outcome = yield
        garbage.look_as_before()
        error = outcome.excinfo
        if error is not None and issubclass(error[0], pytest.UsageError):
            self.reporting.event("usage_error", messages=[str(arg) for arg in error[1].args])

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.limits = limits(self.config, session.items)
        asked = self.config.stash[marks_key].isolate
        if self.config.option.outpace_isolate == "none":
            asked = set()
        self.marks_isolate = bool(asked)
        if asked or self.isolate is not None:
            from . import isolating

            isolating.settle(self, asked)

    def enter_lane(self, number: int) -> None:
        """As a fork: the lane, and what is written to and read from it, are the fork's own from here on."""
        self.lane = self.failing.lane = self.board.lane(number)
        self.lane.start_over()
        self.pid = os.getpid()
        stacks.install(self.lane)

    def is_in(self, sandboxes: list[Any]) -> None:
        for sandbox in sandboxes:
            from . import isolating

            isolating.watch(self, sandbox)

    def _time_is_up(self) -> str:
        running = self.loop.running if self.is_worker else None
        if running is None:
            return f"{COLLECTING} {self.timeouts.longest:g} s"
        seconds = self.limits.get(running, self.timeouts.test)
        return f"Timeout: the test took longer than {seconds:g} s ({self.lane.phase_name()})"

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        reasons = self.forkable.reasons(self.config)
        if self.told is None:
            self._tell_paid(imports=self.imports.told() if self.imports is not None else [])
        isolated = self._tell_collection(session, reasons)
        if self.isolate is not None and self.told is None:
            from . import anew

            self.begins_anew = anew.is_needed(self, reasons)
            if self.begins_anew:
                return True
        if self.layer is not None:
            self.layer.hold(self)
            if self.layer.has_narrowed:
                self.limits = limits(self.config, session.items)
                isolated = self._tell_collection(session, [])
        if serve(self, session):
            self.is_worker = True
            if self.live is not None:
                self.live.enter(self.config.workerinput["workerid"], self.config)  # type: ignore[attr-defined]
            self.lane.tell_registered()
            self.reporting = Reporting(self.config, self._outbox())
            self.enter = self._phases()
            self.reporting.send(Kind.W_READY, struct.pack("<i", os.getpid()), plain.dumps(worker_info()))
            self.loop = Loop(session, self.channel, self.lane, self.reporting, may_be_held=self.may_be_held)
            if isolated:
                from .own_process import Keeper

                self.keeper = Keeper(self, isolated)
                self.keeper.run()
            else:
                self.loop.run()
        self.lane.enter(board.FINISH)
        return True

    def _tell_collection(self, session: pytest.Session, reasons: list[str]) -> Collection[int]:
        """The tests that run in processes of their own."""
        ids = [item.nodeid for item in session.items]
        groups = [_group(item) for item in session.items] if self.wants_groups else []
        found = self.config.stash.get(marks_key, None)
        marks = found.head(session.items) if found is not None else {}
        if found is not None and found.timeouts:
            self.limits = {**found.limits(session.items), **self.limits}
        isolated = self._isolated(session)
        if self.told is None:
            isolate = self.isolate if self.marks_isolate else None
            told = collection.encode(ids, groups, reasons, self.limits, marks, isolate=isolate)
            self.reporting.send(Kind.W_COLLECTED, told)
        else:
            from . import anew

            anew.compare(session, self.told)
        return isolated

    def _isolated(self, session: pytest.Session) -> Collection[int]:
        """The tests that run in processes of their own. Raises ``pytest.UsageError`` where there can be none."""
        everything = range(len(session.items)) if own_process.for_each(self.config) else ()
        marks = self.config.stash.get(marks_key, None)
        isolated = everything or (marks.isolated(session.items) if marks is not None else ())
        return own_process.checked(self, isolated) if isolated else ()

    def _phases(self) -> Callable[[int], None]:
        """What is called when a phase of a test begins."""
        if not self.measures:
            return self.lane.enter
        from outpace.paid import Fixtures

        from .costs import Costs

        self.fixtures = Fixtures()
        self.config.pluginmanager.register(self.fixtures, "outpace-fixtures")
        self.reporting.costs = Costs(self.lane)
        return self.reporting.costs.enter

    def _tell_paid(self, **paid: list[dict[str, Any]]) -> None:
        if any(paid.values()):
            self.reporting.send(Kind.W_PAID, json.dumps(paid).encode())

    def _outbox(self) -> Direct | Ring:
        return Ring(self.board, self.lane.number, self.channel) if ORDERED_STORES else Direct(self.channel)

    # -- tests

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        self.enter(board.SETUP)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self) -> None:
        self.enter(board.CALL)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self) -> None:
        self.enter(board.TEARDOWN)

    @pytest.hookimpl
    def pytest_runtest_logstart(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        self.reporting.logstart(nodeid, location)

    @pytest.hookimpl
    def pytest_runtest_logfinish(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        self.reporting.logfinish(nodeid, location)

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.reporting.logreport(report)

    # -- whatever else there is to tell

    @pytest.hookimpl
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if not report.passed and self.told is None:
            self.reporting.event("collectreport", data=self.reporting.serialise(report))

    @pytest.hookimpl
    def pytest_warning_recorded(
        self, warning_message: Any, when: str, nodeid: str, location: tuple[str, int, str] | None
    ) -> None:
        if self.told is None or when == "runtest":
            data = warning_data(warning_message)
            self.reporting.event("warning", data=data, when=when, nodeid=nodeid, location=location)

    @pytest.hookimpl
    def pytest_internalerror(self, excrepr: object) -> None:
        self.reporting.event("internal_error", text=str(excrepr))

    @pytest.hookimpl
    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        value = excinfo.value
        if isinstance(value, pytest.exit.Exception):
            self.reporting.event("exit", reason=value.msg, returncode=value.returncode)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> Generator[None, Any, None]:
        if self.begins_anew:
            yield
            return
        output: dict[str, Any] = self.config.workeroutput  # type: ignore[attr-defined]
        output["exitstatus"] = int(exitstatus)
        output["shouldfail"] = session.shouldfail
        output["shouldstop"] = session.shouldstop
        yield
        if self.keeper is not None and self.keeper.is_fork:
            self.keeper.hand_over(int(exitstatus))
        else:
            self._tell_paid(fixtures=self.fixtures.told(self.config.rootpath) if self.fixtures is not None else [])
            self.reporting.send(Kind.W_BYE, plain.dumps(output))
            if self.config.option.outpace_memory:
                # Until the coordinator has had its last look at this process.
                self.channel.is_readable(within=_LAST_LOOK)


def _group(item: pytest.Item) -> str | None:
    names = {
        str(mark.args[0] if mark.args else mark.kwargs.get("name", "default"))
        for mark in item.iter_markers("xdist_group")
    }
    return "_".join(sorted(names)) or None
