"""The side of ``outpace watch`` that is in its runs: ``-p outpace.watching``.

The controller reads which tests are to run, hands that to the workers, and writes down at the end what happened. Where
tests are collected, those that are not to run are left out after all other plugins have had their say, and the imports
and files that the project's modules use are noted. No other run imports this.
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from typing import Any

import pytest

from outpace.launch import is_configuring_worker

from . import selection, uses

# The folder with the plan; what a run tells is written there.
FOLDER = "OUTPACE_WATCH"
PLAN, TOLD = "plan.json", "told.json"
# In what workers are given, and in what they send back.
INPUT = "outpace_watch"

_plan_key = pytest.StashKey["dict[str, Any]"]()


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, Any, None]:
    from outpace import plugin

    if is_configuring_worker() or not plugin.will_distribute(early_config.known_args_namespace):
        uses.note(str(early_config.rootpath))
    yield


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    config = session.config
    folder = os.environ.pop(FOLDER, None)
    if folder is None or hasattr(config, "workerinput"):
        return
    with open(os.path.join(folder, PLAN), encoding="utf-8") as file:
        plan = config.stash[_plan_key] = json.load(file)
    config.pluginmanager.register(Teller(config, folder, plan), "outpace-watch")


@pytest.hookimpl
def pytest_collection(session: pytest.Session) -> None:
    plan = _plan(session.config)
    if plan is not None and not plan["rest"]:
        wanted = selection.Wanted(str(session.config.rootpath), plan)
        session.config.pluginmanager.register(wanted, "outpace-watch-wanted")


def _plan(config: pytest.Config) -> dict[str, Any] | None:
    worker = config.pluginmanager.getplugin("outpace-worker")
    if worker is not None and worker.layer is not None:
        return None  # it is kept: each run that is forked from it has tests of its own
    plan: dict[str, Any] | None = getattr(config, "workerinput", {}).get(INPUT)
    return config.stash.get(_plan_key, None) or plan


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    plan = _plan(config)
    uses.collected(config, items, whole=plan is None or plan["rest"])
    if plan is not None:
        items[:], others = selection.split(items, plan)
        if others:
            config.hook.pytest_deselected(items=others)


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, Any, None]:
    if isinstance(collector, pytest.File):
        uses.running = collector.nodeid.split("::", 1)[0]
    yield
    if isinstance(collector, pytest.File):
        uses.running = None


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, None]:
    uses.running = selection.file_of(item)
    yield


@pytest.hookimpl
def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    plan = getattr(config, "workerinput", {}).get(INPUT)
    if plan is not None:
        is_first = config.workerinput["workerid"] == "gw0"  # type: ignore[attr-defined]
        config.workeroutput[INPUT] = uses.told(plan["token"], whole=is_first)  # type: ignore[attr-defined]


class Teller:
    """What the session of the terminal hears of."""

    def __init__(self, config: pytest.Config, folder: str, plan: dict[str, Any]) -> None:
        self.config = config
        self.folder = folder
        self.plan = plan
        self.code = 3
        self.selected: list[str] | None = None
        self.failed: set[str] = set()
        self.finished: dict[str, None] = {}
        self.broken: list[str] = []
        self.learned: dict[str, Any] | None = None
        self.more: set[tuple[str, str]] = set()
        self.wrote: set[str] = set()

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput[INPUT] = self.plan

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        self.selected = list(ids)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self._add(getattr(node, "workeroutput", {}).get(INPUT))

    @pytest.hookimpl
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.broken.append(report.nodeid)

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.add(report.nodeid)
        elif report.when == "call" and report.outcome != "rerun":  # type: ignore[comparison-overlap]
            self.failed.discard(report.nodeid)  # of an attempt before
        if report.when == "teardown" or report.when not in ("setup", "call"):
            self.finished[report.nodeid] = None

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        self.code = int(exitstatus)
        if self.selected is None and not self.config.pluginmanager.hasplugin("dsession") and not self.broken:
            self.selected = [item.nodeid for item in session.items]
        self._add(uses.told(self.plan["token"], whole=True) if uses.is_noting() else None)

    def _add(self, told: dict[str, Any] | None) -> None:
        if told is not None:
            self.learned = self.learned or told["learned"]
            self.more.update(told["more"])
            self.wrote.update(told["wrote"])

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        finished = [(nodeid, nodeid in self.failed) for nodeid in {**self.finished, **dict.fromkeys(self.failed)}]
        told = {
            "root": str(self.config.rootpath),
            "code": self.code,
            "selected": self.selected,
            "finished": finished,
            "broken": self.broken,
            "learned": self.learned,
            "more": sorted(self.more),
            "wrote": sorted(self.wrote),
        }
        path = os.path.join(self.folder, TOLD)
        with open(f"{path}.part", "w", encoding="utf-8", errors="backslashreplace") as file:
            json.dump(told, file)
        os.replace(f"{path}.part", path)
