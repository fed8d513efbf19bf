"""Collects the timeline while the run goes on, from what the controller is told anyway, and writes it at the end.

It decides nothing: without it the run is the same.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from outpace import collection
from outpace.controller.replay import Replay
from outpace.wire import Kind

from .record import PHASES, Lane, Lent, Moment, Phase, Record, Test, Wait

if TYPE_CHECKING:
    from collections.abc import Callable

    from outpace.controller.nodes import Node
    from outpace.controller.session import OutpaceSession

_NAME = "outpace-timeline"
# Further off, a report's time of day is one that a test has set.
_BELIEVABLE = 5.0

_time = time.time


class Recorder:
    def __init__(self, session: OutpaceSession, path: Path) -> None:
        self.session = session
        self.path = path
        self._begin = self._at = _time()
        self._collected: float | None = None
        self._start_method = ""
        self._running: dict[int, Test] = {}
        # When the last phase on each worker was over.
        self._stopped: dict[int, float] = {}
        self._tests: list[Test] = []
        self._lanes: dict[int, Lane] = {}
        self._waits: list[Wait] = []
        self._moments: list[Moment] = []
        self._lent: list[Lent] = []
        self._lending: tuple[int, float] | None = None
        self._serial: dict[int, str] = {}
        self._resources: dict[int, tuple[str, ...]] = {}
        self._attempts: Counter[int] = Counter()
        # Where those are that took too long, by worker.
        self._over: dict[int, tuple[int | None, str]] = {}
        self._trouble = ""

    @classmethod
    def register(cls, session: OutpaceSession) -> Recorder:
        recorder = cls(session, _checked(session.config))
        session.config.pluginmanager.register(recorder, _NAME)
        return recorder

    def replay(self, testrunuid: str) -> Replay:
        return _Recorded(self, testrunuid)

    def listen(self, handlers: dict[int, Callable[[Any], None]]) -> None:
        """From now on it is told first."""
        notes: dict[int, Callable[[bytes], None]] = {
            Kind.COLLECTED: self._on_collected,
            Kind.STARTED: self._on_started,
            Kind.READY: self._on_ready,
            Kind.RESULT: self._on_result,
            Kind.DOWN: self._on_down,
            Kind.LOOKED: self._on_looked,
            Kind.RECYCLED: self._on_recycled,
            Kind.LEND: self._on_lend,
            Kind.RETURNED: self._on_returned,
            Kind.AT: self._on_at,
            Kind.WAITED: self._on_waited,
        }
        for kind, note in notes.items():
            handlers[kind] = _both(note, handlers[kind]) if kind in handlers else note

    # -- pytest's hooks

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        self.session.coordinator.send(Kind.TIMELINE, at=int(_time() * 1e6))

    def pytest_configure_node(self, node: Node) -> None:
        self._lanes[node.number] = Lane(node.number, _time())

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        from . import page, trace

        render = trace.render if self.path.suffix == ".json" else page.render
        try:
            self.path.write_text(render(self.record()), encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            self._trouble = error.strerror or str(error)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self._trouble:
            terminalreporter.write_line(f"outpace: no timeline in {self.path}: {self._trouble}", red=True)
        else:
            terminalreporter.write_line(f"outpace: timeline in {self.path}")

    def record(self) -> Record:
        for worker in list(self._running):
            self._break_off(worker, "interrupted")
        for node in self.session.nodemanager.by_number.values():
            self._lanes[node.number].pid = node.pid
        record = Record(
            begin=self._begin,
            end=_time(),
            start_method=self._start_method,
            collected=self._collected,
            lanes=[lane for _, lane in sorted(self._lanes.items())],
            tests=self._tests,
            waits=self._waits,
            moments=self._moments,
            lent=self._lent,
        )
        record.settle()
        return record

    # -- what the controller is told

    def _on_at(self, payload: bytes) -> None:
        self._at = json.loads(payload)["at"] / 1e6

    def _on_collected(self, payload: bytes) -> None:
        if self._collected is not None:
            return
        self._collected = self._at
        marks = collection.decode_marks(payload[4:])
        reasons = marks.get("reasons", {})
        self._serial = {item: reasons.get(str(item), "") for item in marks.get("serial", ())}
        names = [resource["name"] for resource in marks.get("resources", ())]
        for demand in marks.get("demands", ()):
            needs = tuple(names[need["resource"]] for need in demand["needs"])
            self._resources.update(dict.fromkeys(demand["items"], needs))

    def _on_started(self, payload: bytes) -> None:
        self._start_method = json.loads(payload)["method"]

    def _on_ready(self, payload: bytes) -> None:
        number = int.from_bytes(payload[:4], "little")
        self._lanes[number].ready = self._at

    def _on_result(self, payload: bytes) -> None:
        worker, item, finished = (int.from_bytes(payload[place : place + 4], "little") for place in (0, 4, 8))
        if worker not in self._running:
            self._begin_test(worker, item)
        if finished:
            # The reports in this message belong to it.
            self._tests.append(self._running[worker])

    def _begin_test(self, worker: int, item: int) -> Test:
        self._attempts[item] += self.session.config.option.dist != "each"
        test = self._running[worker] = Test(
            worker,
            item,
            self.session._ids[item],
            self._at,
            max(self._attempts[item], 1),
            serial=self._serial.get(item),
            resources=self._resources.get(item, ()),
        )
        return test

    def report(self, worker: int, item: int, report: Any) -> None:
        test = self._running.get(worker)
        if test is None or report.when not in PHASES or hasattr(report, "context"):
            return
        now = _time()
        duration = max(report.duration, 0.0)
        start = getattr(report, "start", 0.0)
        if not self._begin - _BELIEVABLE <= start <= now - duration + _BELIEVABLE:
            start = test.begun
        # A worker does one thing at a time.
        start = max(start, self._stopped.get(worker, 0.0))
        self._stopped[worker] = start + duration
        outcome = report.outcome
        if hasattr(report, "wasxfail"):
            outcome = "xfailed" if report.skipped else "xpassed"
        over = self._over.get(worker)
        if outcome in ("failed", "rerun") and over is not None and over[0] == item:
            test.where = self._over.pop(worker)[1]
            outcome = "timed out" if outcome == "failed" else outcome
        test.phases.append(Phase(report.when, start, start + duration, outcome))

    def finished(self, worker: int) -> None:
        self._running.pop(worker, None)

    def _on_down(self, payload: bytes) -> None:
        down = json.loads(payload)
        worker, item = down["worker"], down["item"]
        self._lanes[worker].gone = self._at
        if item is not None and worker not in self._running:
            self._begin_test(worker, item)
        if worker in self._running:
            how = "crashed" if down["crashed"] else "interrupted"
            if down["hung"]:
                how = "timed out"
                self._running[worker].where = self._over.pop(worker, (None, ""))[1]
            self._running[worker].cause = down["cause"]
            self._break_off(worker, how, down["phase"])
        elif down["crashed"]:
            self._moments.append(Moment(worker, self._at, "worker crashed", down["cause"]))

    def _break_off(self, worker: int, how: str, phase: str = "") -> None:
        """The process ended in the middle of a test."""
        test = self._running.pop(worker)
        start = test.stop
        if phase not in PHASES:
            phase = PHASES[min(len(test.phases), 2)]
        test.phases.append(Phase(phase, start, max(self._at, start), how))
        self._tests.append(test)

    def _on_looked(self, payload: bytes) -> None:
        content = json.loads(payload)
        look = self.session.hangs.look(content)
        worker, why, where = content["worker"], content["why"], look.where
        if why == "limit":
            self._over[worker] = (look.item, where)
        name = {"slow": "slow", "limit": "over its time limit", "stop": "where it was at the stop"}[why]
        self._moments.append(Moment(worker, self._at, name, f"{look.busy()}{', ' if where else ''}{where}"))

    def _on_recycled(self, payload: bytes) -> None:
        told = json.loads(payload)
        text = f"{told['own'] / 1e6:.0f} MB of its own, its share is {told['share'] / 1e6:.0f} MB"
        self._moments.append(Moment(told["worker"], self._at, "worker ended to make room", text))

    def _on_lend(self, payload: bytes) -> None:
        self._lending = (json.loads(payload)["worker"], self._at)

    def _on_returned(self, payload: bytes) -> None:
        if self._lending is not None:
            self._lent.append(Lent(*self._lending, self._at))
            self._lending = None

    def _on_waited(self, payload: bytes) -> None:
        told = json.loads(payload)
        start = self._at - told["micros"] / 1e6
        self._waits.append(Wait(told["worker"], start, self._at, told["why"], tuple(told["resources"])))


class _Recorded(Replay):
    """Tells the recorder of every report as it was made, before retries hold it back."""

    def __init__(self, recorder: Recorder, testrunuid: str) -> None:
        super().__init__(recorder.session, testrunuid)
        self._recorder = recorder

    def result(self, node: Node, item: int, finished: bool, blob: bytes) -> None:
        super().result(node, item, finished, blob)
        if finished:
            self._recorder.finished(node.number)

    def _report(self, node: Node, item: int | None, report: Any, *, may_be_unseen: bool = False) -> None:
        if item is not None and report is not None:
            self._recorder.report(node.number, item, report)
        super()._report(node, item, report, may_be_unseen=may_be_unseen)


def _both(first: Callable[[bytes], None], then: Callable[[bytes], None]) -> Callable[[bytes], None]:
    def handle(payload: bytes) -> None:
        first(payload)
        then(payload)

    return handle


def _checked(config: pytest.Config) -> Path:
    given = config.option.outpace_timeline
    path = Path(config.invocation_params.dir, os.path.expandvars(os.path.expanduser(given)))
    if path.suffix not in (".html", ".json"):
        raise pytest.UsageError(
            f"--timeline={given}: name a file that ends in .html (a page to look at) or .json (a trace for Perfetto)"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        was_there = path.exists()
        with path.open("a"):
            pass
        if not was_there:
            path.unlink()
    except OSError as error:
        raise pytest.UsageError(f"--timeline={given}: {path} cannot be written: {error.strerror}") from None
    return path
