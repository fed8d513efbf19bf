"""The plugin of the doctor's runs: ``-p outpace.recording.plugin`` with a plan in ``OUTPACE_DOCTOR_PLAN``.

In the process that reports it writes the outcomes; where tests run it arranges the items as the plan says and records
what each test touches. It decides nothing: what the records mean is for the doctor.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Generator, Iterable
from json.encoder import encode_basestring_ascii as _quoted
from typing import TYPE_CHECKING, Any

import pytest

from outpace import marks, pytest_private
from outpace.settings import Settings

from .lanes import Lanes
from .plan import Journal, Plan

if TYPE_CHECKING:
    from .costs import Costs
    from .recorder import Recorder


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    plan = Plan.read()
    if plan.bare:
        config.stash[marks.settings_key] = Settings(config.rootpath)
    if plan.narrow:
        _narrow(config, plan)
    costs = None
    if plan.record:
        from .costs import Costs

        costs = Costs(config, plan)
        config.pluginmanager.register(costs, "outpace-doctor-costs")
    config.pluginmanager.register(Arrangement(config, plan, costs), "outpace-doctor-arrangement")
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Outcomes(config, plan), "outpace-doctor-outcomes")


def _narrow(config: pytest.Config, plan: Plan) -> None:
    """Collect only the files in which the wanted tests are."""
    root = str(config.rootpath)
    files = dict.fromkeys(os.path.join(root, nodeid.partition("::")[0]) for nodeid in plan.wanted)
    if all(os.path.isfile(path) for path in files):
        config.args[:] = list(files)


def _each_its_own(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """pytest takes a test that follows itself for one that goes on."""
    seen: set[pytest.Item] = set()
    found = []
    for item in items:
        found.append(pytest_private.copy_item(item) if item in seen else item)
        seen.add(item)
    return found


class Arrangement:
    """Where tests are collected and run."""

    def __init__(self, config: pytest.Config, plan: Plan, costs: Costs | None) -> None:
        self.config = config
        self.plan = plan
        self.costs = costs
        self.lengths: list[int] = []
        self._recorder: Recorder | None = None

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        collected = [item.nodeid for item in items]
        if self.plan.lanes is not None:
            by_id: dict[str, pytest.Item] = {}
            for item in items:
                by_id.setdefault(item.nodeid, item)
            lanes = [[by_id[nodeid] for nodeid in lane if nodeid in by_id] for lane in self.plan.lanes]
            items[:] = _each_its_own(item for lane in lanes for item in lane)
            self.lengths = [len(lane) for lane in lanes]
        self.lengths = self.lengths or [len(items)]
        path = self.plan.folder / f"collected-{os.getpid()}.json"
        path.write_text(json.dumps({"ids": collected, "lengths": self.lengths}), encoding="utf-8")

    @pytest.hookimpl(tryfirst=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        lanes = self.plan.lanes
        return None if lanes is None else Lanes(lanes)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, None]:
        if self._recorder is None:
            from .recorder import Recorder

            self._recorder = Recorder(self.config, self.plan, self.lengths, self.costs)
        self._recorder.begin(item)
        try:
            yield
        finally:
            self._recorder.end(item)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        if self._recorder is not None:
            self._recorder.close()


class Outcomes:
    """Where tests are reported."""

    def __init__(self, config: pytest.Config, plan: Plan) -> None:
        self.config = config
        self.plan = plan
        self.journal = Journal(plan.folder, "outcomes")
        self._waiting: dict[str, str] = {}
        about = {
            "root": str(config.rootpath),
            "cwd": str(config.invocation_params.dir),
            "inifile": str(config.inipath or ""),
            "shuffles": "pytest_randomly" in sys.modules or "random_order" in sys.modules,
        }
        (plan.folder / "run.json").write_text(json.dumps(about), encoding="utf-8")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        worker = getattr(getattr(getattr(report, "node", None), "gateway", None), "id", "")
        outcome = "passed" if hasattr(report, "wasxfail") else report.outcome
        line = (
            f'{{"id": {_quoted(report.nodeid)}, "when": "{report.when}", "outcome": "{outcome}", '
            f'"worker": "{worker}", "seconds": {report.duration!r}'
        )
        if report.failed:
            line += f", {json.dumps(_failure(report))[1:-1]}"
        # How the call ended can wait for the teardown; that a test has begun cannot: it may be the last that is heard.
        if report.when == "call" and report.passed:
            self._flush(worker)
            self._waiting[worker] = line + "}\n"
        else:
            self.journal.write_line(self._waiting.pop(worker, "") + line + "}")

    def _flush(self, worker: str) -> None:
        line = self._waiting.pop(worker, "")
        if line:
            self.journal.write_line(line[:-1])

    @pytest.hookimpl(tryfirst=True)
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.journal.write(id=report.nodeid, when="collect", outcome="failed", seconds=0.0, **_failure(report))

    @pytest.hookimpl
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        for worker in list(self._waiting):
            self._flush(worker)
        self.journal.write(id="", when="exit", outcome=str(int(exitstatus)), seconds=time.monotonic())

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self) -> None:
        if self.plan.memory:
            from .costs import write_memory

            write_memory(self.config, self.plan)


def _failure(report: Any) -> dict[str, Any]:
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None:
        return {"message": crash.message[:2000], "path": str(crash.path), "line": crash.lineno}
    text = str(report.longrepr).strip()
    return {"message": (text.splitlines() or [""])[-1][:2000]}
