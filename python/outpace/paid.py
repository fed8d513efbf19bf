"""What a process pays once for many tests: collecting files, their import included, and fixtures that outlive a test.

Clocks are read per file and per set-up of such a fixture, never per test. Nothing here decides anything.
"""

from __future__ import annotations

import inspect
import re
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

# Micro-seconds: what costs less in all is not worth a line.
_WORTH_TELLING = 1000
# The names that pytest gives to fixtures it makes of setup_module and the like.
_MADE = re.compile(r"_?(?:xunit|unittest)_(setup_[a-z]+|setUpClass)_fixture")
_PYTEST = f"{Path(pytest.__file__).parent.parent / '_pytest'}"

_wall, _cpu = time.perf_counter, time.process_time


class Imports:
    """A plugin where files are collected."""

    def __init__(self) -> None:
        self._took: dict[str, list[float]] = {}

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Generator[None, Any, None]:
        if not isinstance(collector, (pytest.File, pytest.Class)):
            yield
            return
        wall, cpu = _wall(), _cpu()
        yield
        wall, cpu = _wall() - wall, _cpu() - cpu
        took = self._took.setdefault(collector.nodeid.partition("::")[0], [0.0, 0.0])
        took[0] += wall
        took[1] += cpu

    def told(self) -> list[dict[str, Any]]:
        """In microseconds, by file."""
        return [{"path": path, "wall": _micros(wall), "cpu": _micros(cpu)} for path, (wall, cpu) in self._took.items()]


class Fixtures:
    """A plugin where tests run. What is set up on demand of a fixture's own code counts for itself."""

    def __init__(self) -> None:
        self._took: dict[Any, list[float]] = {}
        # Seconds of all set-ups that are over.
        self.wall = self.cpu = 0.0

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Generator[None, Any, None]:
        if fixturedef.scope == "function":
            yield
            return
        others = self.wall, self.cpu
        wall, cpu = _wall(), _cpu()
        yield
        # Without those that were set up meanwhile.
        wall = _wall() - wall - (self.wall - others[0])
        cpu = _cpu() - cpu - (self.cpu - others[1])
        took = self._took.setdefault(fixturedef, [0, 0.0, 0.0])
        took[0] += 1
        took[1] += wall
        took[2] += cpu
        self.wall += wall
        self.cpu += cpu

    def told(self, root: Path) -> list[dict[str, Any]]:
        """In microseconds; of each fixture where it is, how often it was set up, and what that took in all."""
        found: dict[tuple[str, str, str], list[float]] = {}
        for definition, took in self._took.items():
            name = definition.argname
            made = _MADE.match(name)
            place = (_place(definition, root), made[1] if made else name, str(definition.scope))
            sums = found.setdefault(place, [0, 0.0, 0.0])
            sums[:] = [one + other for one, other in zip(sums, took)]
        return [
            {"path": path, "name": name, "scope": scope, "times": times, "wall": _micros(wall), "cpu": _micros(cpu)}
            for (path, name, scope), (times, wall, cpu) in found.items()
            if _micros(wall) >= _WORTH_TELLING
        ]


def _place(definition: Any, root: Path) -> str:
    """The project's file in which it is defined, or the module of a plugin."""
    function = inspect.unwrap(definition.func)
    code = getattr(function, "__code__", None)
    path = Path(code.co_filename) if code is not None else root
    inside = definition.baseid.partition("::")[0]
    if str(path).startswith(_PYTEST) and inside:
        return str(inside)
    try:
        return path.relative_to(root).as_posix()
    except ValueError:
        return str(getattr(function, "__module__", inside))


def _micros(seconds: float) -> int:
    return max(int(seconds * 1e6), 0)
