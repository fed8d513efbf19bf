"""Records what a run of pytest reports, for ``outpace init`` and ``outpace compare``: ``-p outpace.outcomes``.

It writes one JSON file when the session of the terminal ends, and changes nothing of what is run, except that it can
keep a run to its first tests. Where outpace itself is switched off it stands in for outpace's options, markers and
hooks, so that a project which uses them runs under plain pytest and under xdist as well. No other run imports it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from typing import Any

import pytest

# Where to write.
FILE = "OUTPACE_RECORD"
# Run so many tests at most.
FIRST = "OUTPACE_RECORD_FIRST"
# Set: `-n auto`, unless something else is asked for.
PARALLEL = "OUTPACE_RECORD_PARALLEL"

_OWN = "outpace"
# In what a worker sends when its session ends.
_PID = "outpace_outcomes_pid"


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    if pluginmanager.is_blocked(_OWN):
        from . import plugin

        plugin.pytest_addoption(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    if pluginmanager.is_blocked(_OWN):
        from . import hooks

        pluginmanager.add_hookspecs(hooks)


@pytest.hookimpl(hookwrapper=True)
def pytest_cmdline_main(config: pytest.Config) -> Generator[None, Any, None]:
    option = config.option
    distributed = any(getattr(option, name, None) for name in ("tx", "distload"))
    asked = distributed or getattr(option, "numprocesses", None) is not None
    if PARALLEL in os.environ and not asked and not hasattr(config, "workerinput"):
        option.numprocesses = "auto"
    yield


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    if config.pluginmanager.is_blocked(_OWN):
        from . import marks, timeouts

        for description in marks.DESCRIPTIONS:
            config.addinivalue_line("markers", description)
        timeouts.register_marker(config)
    path = os.environ.get(FILE)
    if path and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(config, path), "outpace-recorder")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    first = int(os.environ.get(FIRST, "0"))
    if first and len(items) > first:
        rest = items[first:]
        del items[first:]
        config.hook.pytest_deselected(items=rest)


def pytest_sessionfinish(session: pytest.Session) -> None:
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_PID] = os.getpid()


class Recorder:
    """What the session of the terminal hears of."""

    def __init__(self, config: pytest.Config, path: str) -> None:
        self.config = config
        self.path = path
        self.reports: list[tuple[str, str, str]] = []
        self.collect: list[tuple[str, str]] = []
        self.workers: dict[str, int] = {}
        self.engine = "pytest"

    def pytest_sessionstart(self) -> None:
        distributing = self.config.pluginmanager.getplugin("dsession")
        if distributing is not None:
            self.engine = type(distributing).__module__.partition(".")[0]

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self.workers[node.gateway.id] = getattr(node, "workeroutput", {}).get(_PID, 0)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        outcome: str = report.outcome
        if outcome == "rerun":
            return
        if getattr(report, "wasxfail", None) is not None:
            outcome = "xfailed" if outcome == "skipped" else "xpassed"
        self.reports.append((report.nodeid, report.when or "", outcome))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if not report.passed:
            self.collect.append((report.nodeid, report.outcome))

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        record = {
            "engine": self.engine,
            "workers": self.workers,
            "reports": self.reports,
            "collect": self.collect,
        }
        temporary = f"{self.path}.part"
        with open(temporary, "w", encoding="utf-8") as stream:
            json.dump(record, stream)
        os.replace(temporary, self.path)
