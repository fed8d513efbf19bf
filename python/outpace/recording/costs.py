"""What a run's speed depends on beside its tests: imports, shared fixtures, what keeps tests apart, memory.

Written down for the doctor, which says why the suite is not faster.
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from typing import Any

import pytest

from outpace import marks, paid

from . import touches
from .plan import Plan


class Fixtures(paid.Fixtures):
    """What they touch may be in use beyond the test, too."""

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Generator[None, Any, None]:
        if fixturedef.scope == "function":
            yield
        else:
            with touches.outliving():
                yield from super().pytest_fixture_setup(fixturedef)


class Costs:
    """Where tests are collected and run."""

    def __init__(self, config: pytest.Config, plan: Plan) -> None:
        self._config = config
        self._plan = plan
        self._imports = paid.Imports()
        self._fixtures = Fixtures()
        self._before = (0.0, 0.0)
        for each in (self._imports, self._fixtures):
            config.pluginmanager.register(each, f"outpace-doctor-{type(each).__name__.lower()}")

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        items = session.items
        found = self._config.stash.get(marks.marks_key, None)
        head = found.head(items) if found is not None else {}
        content = {
            "imports": self._imports.told(),
            "serial": [items[index].nodeid for index in head.get("serial", ())],
            "resources": [
                {**each, "holders": _holders(head["demands"], number, items)}
                for number, each in enumerate(head.get("resources", ()))
            ],
        }
        path = self._plan.folder / f"costs-{os.getpid()}.json"
        path.write_text(json.dumps(content), encoding="utf-8")

    def of_fixtures(self) -> dict[str, float]:
        """The seconds that fixtures took since the last call: they are not the test's own."""
        now = self._fixtures.wall, self._fixtures.cpu
        if now == self._before:
            return {}
        wall, cpu = (one - other for one, other in zip(now, self._before))
        self._before = now
        return {"shared": wall, "shared_cpu": cpu}

    def fixtures(self) -> list[dict[str, Any]]:
        return self._fixtures.told(self._config.rootpath)


def _holders(demands: list[dict[str, Any]], number: int, items: list[pytest.Item]) -> list[dict[str, Any]]:
    """The tests that need a resource, and how much of it."""
    return [
        {"id": items[index].nodeid, "amount": need["amount"]}
        for demand in demands
        for need in demand["needs"]
        if need["resource"] == number
        for index in demand["items"]
    ]


def write_memory(config: pytest.Config, plan: Plan) -> None:
    """What the coordinator told of its workers, at the end of the run."""
    memory = getattr(config.pluginmanager.getplugin("dsession"), "memory", None)
    used = getattr(memory, "reported", None)
    if used is not None:
        (plan.folder / "memory.json").write_text(json.dumps(used), encoding="utf-8")
