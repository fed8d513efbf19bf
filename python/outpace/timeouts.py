"""``--slow-timeout``, ``--test-timeout``, ``--timeout-grace`` and ``@pytest.mark.timeout``: what they say.

pytest-timeout owns the marker and measures for itself where it is active; ``--test-timeout`` then only ends what it
could not. Nothing here watches or ends a test.
"""

from __future__ import annotations

import argparse
import math
from typing import Any, NamedTuple

import pytest

# Names, defaults and help of the options; each has an ini of the same name.
_OPTIONS = (
    ("slow-timeout", "60", "Say what a test is busy with after so many seconds, and again after each; 0 = never (60)."),
    ("test-timeout", "0", "End a test that takes more seconds, and name where it hung; 0 = never (the default)."),
    ("timeout-grace", "5", "Seconds that a test which is ended gets to tear down, before its process is killed (5)."),
)
# How the message of a collection that was ended begins.
COLLECTING = "Timeout: collecting took longer than"
_MARKER = "timeout(seconds): end the test when it takes longer; 0 = never (outpace)."


class Timeouts(NamedTuple):
    """Seconds; 0 = none."""

    slow: float
    test: float
    grace: float

    def in_milliseconds(self) -> dict[str, int]:
        return {name: to_milliseconds(value) for name, value in self._asdict().items()}

    @property
    def longest(self) -> float:
        """What anything but a test may take."""
        return max(self.test, self.slow) if self.test else 0.0


def to_milliseconds(seconds: float) -> int:
    """Never 0 for what is not 0."""
    return max(round(seconds * 1000), int(seconds > 0))


def add_options(parser: pytest.Parser, group: Any) -> None:
    for name, default, text in _OPTIONS:
        dest = f"outpace_{name.replace('-', '_')}"
        group.addoption(f"--{name}", dest=dest, metavar="S", type=_argument, default=None, help=text)
        parser.addini(dest, text, default=default)


def register_marker(config: pytest.Config) -> None:
    if not _owned_by_plugin(config):
        config.addinivalue_line("markers", _MARKER)


def timeouts(config: pytest.Config) -> Timeouts:
    """What holds in this run; raises ``pytest.UsageError``."""
    values = []
    for name, _, _ in _OPTIONS:
        dest = f"outpace_{name.replace('-', '_')}"
        value = config.getoption(dest)
        if value is None:
            text = config.getini(dest)
            try:
                value = _seconds(text)
            except ValueError as error:
                raise pytest.UsageError(f"{dest} = {text} in {config.inipath}: {error}") from None
        values.append(value)
    return Timeouts(*values)


def limits(config: pytest.Config, items: list[pytest.Item]) -> dict[int, float]:
    """The seconds of the tests that have their own, by place; raises ``pytest.UsageError``."""
    if _owned_by_plugin(config):
        return {}
    found: dict[int, float] = {}
    of_parents: dict[Any, pytest.Mark | None] = {}
    for index, item in enumerate(items):
        mark = _closest(item, of_parents)
        seconds = _of_mark(mark, item) if mark is not None else None
        if seconds is not None:
            found[index] = seconds
    return found


def _owned_by_plugin(config: pytest.Config) -> bool:
    return config.pluginmanager.hasplugin("timeout")


def _closest(item: pytest.Item, of_parents: dict[Any, pytest.Mark | None]) -> pytest.Mark | None:
    """``get_closest_marker``, the folders, modules and classes of many tests looked at once."""
    for mark in item.own_markers:
        if mark.name == "timeout":
            return item.get_closest_marker("timeout")
    parent = item.parent
    if parent is None:
        return None
    if parent not in of_parents:
        of_parents[parent] = parent.get_closest_marker("timeout")
    return of_parents[parent]


def _of_mark(mark: pytest.Mark, item: pytest.Item) -> float | None:
    """The marker's seconds, in the forms that pytest-timeout takes."""
    values = [*mark.args[:1], *(mark.kwargs[name] for name in ("timeout", "seconds") if name in mark.kwargs)]
    try:
        if len(values) != 1:
            raise ValueError("one number of seconds is expected")
        return None if values[0] is None else _seconds(values[0])
    except ValueError as error:
        arguments = [*map(repr, mark.args), *(f"{name}={value!r}" for name, value in mark.kwargs.items())]
        raise pytest.UsageError(f"{item.nodeid}: pytest.mark.timeout({', '.join(arguments)}): {error}") from None


def _seconds(value: Any) -> float:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        raise ValueError("not a number of seconds") from None
    if not (math.isfinite(seconds) and seconds >= 0):
        raise ValueError("not a number of seconds, 0 or more")
    return seconds


def _argument(text: str) -> float:
    try:
        return _seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text}: {error}") from None
