"""What tests say of themselves: serial, and which resources they need; what overrides say of them, limits too.

From the markers, the test's own before its class's and module's, then from the overrides, of which the first that says
something counts. Evaluated once where the tests were collected; what to do about it is the coordinator's. Nothing here
may cost a suite without marks: the markers of classes and modules are looked at once.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from . import ini, pytest_private
from .settings import Settings, load

if TYPE_CHECKING:
    from .filters import Matcher, Subject
    from .pyproject import Override

SERIAL, RESOURCE, OWN_PROCESS, ISOLATE = "serial", "resource", "own_process", "isolate"
DESCRIPTIONS = (
    "serial(reason=None): no other test runs while this one does.",
    "resource(name, amount=1): held while the test runs; of a resource that is not declared in "
    "[tool.outpace.resources] there is one.",
    "own_process: runs in a process of its own, forked from what was collected.",
    "isolate(*kinds): all workers of the run have their own of these: ports, tmp, files, ipc, or all.",
)
_NAMES = (SERIAL, RESOURCE, OWN_PROCESS, ISOLATE)
USAGE = 'write resource("db"), resource("gpu", 2) or resource("memory", "4GB")'

settings_key = pytest.StashKey[Settings]()
marks_key = pytest.StashKey["Marks"]()


def settings_of(config: pytest.Config) -> Settings:
    """The project's settings, read once. Raises ``pytest.UsageError``."""
    if settings_key not in config.stash:
        config.stash[settings_key] = load(config.rootpath)
    return config.stash[settings_key]


def is_serial_first(config: pytest.Config) -> bool:
    return ini.choice(config, "outpace_serial", ("first", "last")) == "first"


class Fact:
    """What is to be minded of one test."""

    def __init__(self) -> None:
        self.is_serial = False
        # A marker or an override has said whether it is.
        self.says_serial = False
        self.has_own_process = False
        self.reason = ""
        self.needs: dict[str, int] = {}
        # Resources that a fixture holds which outlives the test.
        self.lasting: set[str] = set()


class Marks:
    """All that is to be minded of a collection."""

    def __init__(self, settings: Settings, *, is_serial_first: bool) -> None:
        self.settings = settings
        self.is_serial_first = is_serial_first
        self.facts: dict[pytest.Item, Fact] = {}
        self.unmatched: list[str] = []
        # Limits in seconds that overrides give to tests without a marker.
        self.timeouts: dict[pytest.Item, float] = {}
        # What tests say that workers must have of their own.
        self.isolate: set[str] = set()

    def head(self, items: Sequence[pytest.Item]) -> dict[str, Any]:
        """As it travels; empty when there is nothing to tell. ``docs/design/protocol.md`` says what it looks like."""
        if not self.unmatched and not any(fact.is_serial or fact.needs for fact in self.facts.values()):
            return {}
        serial: list[int] = []
        reasons: dict[str, str] = {}
        names: dict[str, int] = {}
        demands: dict[tuple[tuple[int, int, bool], ...], list[int]] = {}
        for index, item in enumerate(items):
            fact = self.facts.get(item)
            if fact is None:
                continue
            if fact.is_serial:
                serial.append(index)
                if fact.reason:
                    reasons[str(index)] = fact.reason
            if fact.needs:
                needs = [
                    (names.setdefault(name, len(names)), amount, name in fact.lasting)
                    for name, amount in fact.needs.items()
                ]
                demands.setdefault(tuple(sorted(needs)), []).append(index)
        resources = (self.settings.resource(name) for name in names)
        return {
            "serial_first": self.is_serial_first,
            "serial": serial,
            "reasons": reasons,
            "resources": [
                {"name": each.name, "capacity": each.capacity, "values": list(each.values)} for each in resources
            ],
            "demands": [
                {
                    "items": holders,
                    "needs": [
                        {"resource": resource, "amount": amount, "lasting": lasting}
                        for resource, amount, lasting in needs
                    ],
                }
                for needs, holders in demands.items()
            ],
            "unmatched": self.unmatched,
        }

    def limits(self, items: Sequence[pytest.Item]) -> dict[int, float]:
        """The limits, by place."""
        timeouts = self.timeouts
        return {index: timeouts[item] for index, item in enumerate(items) if item in timeouts} if timeouts else {}

    def isolated(self, items: Sequence[pytest.Item]) -> frozenset[int]:
        """The indices of tests that run in processes of their own."""
        if not self.facts:
            return frozenset()
        facts = ((index, self.facts.get(item)) for index, item in enumerate(items))
        return frozenset(index for index, fact in facts if fact is not None and fact.has_own_process)

    def environ(self, item: pytest.Item) -> dict[str, str]:
        """What the test finds in its environment when it is the only one that runs."""
        fact = self.facts.get(item)
        found = {}
        for name, amount in fact.needs.items() if fact is not None else ():
            values = self.settings.resource(name).values
            if values:
                found[name] = ",".join(values[:amount])
        return found


def evaluate(config: pytest.Config, items: Sequence[pytest.Item]) -> Marks:
    """Raises ``pytest.UsageError`` where a test asks for what cannot be."""
    settings = settings_of(config)
    marks = Marks(settings, is_serial_first=is_serial_first(config))
    unmatched = dict.fromkeys(range(len(settings.overrides)))
    seen: dict[Any, tuple[pytest.Mark, ...]] = {}
    for item in items:
        fact = None
        for mark in _marks_of(item, seen):
            if mark.name == ISOLATE:
                marks.isolate.update(_kinds(mark, item))
                continue
            fact = fact or Fact()
            _apply_mark(fact, mark, item)
        if settings.overrides:
            subject = subject_of(item)
            applying = [each for each in enumerate(settings.overrides) if each[1].filter.matches(subject)]
            for number, override in applying:
                unmatched.pop(number, None)
                fact = fact or Fact()
                _apply_override(fact, override, item, subject)
                if override.timeout is not None and not item.get_closest_marker("timeout"):
                    marks.timeouts.setdefault(item, override.timeout)
        if fact is not None and (fact.is_serial or fact.needs or fact.has_own_process):
            _check(fact, item, settings)
            marks.facts[item] = fact
    if not _is_narrowed(config):
        missed = (settings.overrides[number] for number in unmatched)
        marks.unmatched = [f"{override.place}: {override.filter.text}" for override in missed]
    return marks


def _marks_of(node: Any, seen: dict[Any, tuple[pytest.Mark, ...]]) -> tuple[pytest.Mark, ...]:
    """The node's own marks of ours, then those of what it is in."""
    own = tuple(mark for mark in node.own_markers if mark.name in _NAMES)
    parent = node.parent
    if parent is None:
        return own
    if parent not in seen:
        seen[parent] = _marks_of(parent, seen)
    return own + seen[parent]


def _kinds(mark: pytest.Mark, item: pytest.Item) -> tuple[str, ...]:
    from . import isolation

    try:
        return isolation.of_mark(mark)
    except ValueError as error:
        raise pytest.UsageError(f"{_place(item)}: @pytest.mark.isolate: {error}") from None


def _apply_mark(fact: Fact, mark: pytest.Mark, item: pytest.Item) -> None:
    if mark.name == SERIAL:
        fact.is_serial = fact.says_serial = True
        fact.reason = fact.reason or str(mark.args[0] if mark.args else mark.kwargs.get("reason", ""))
        return
    if mark.name == OWN_PROCESS:
        fact.has_own_process = True
        return
    from . import amounts

    given = dict(zip(("name", "amount"), mark.args), **mark.kwargs)
    name, amount = given.pop("name", None), given.pop("amount", 1)
    if not isinstance(name, str) or not name or given or len(mark.args) > 2:
        raise pytest.UsageError(f"{_place(item)}: @pytest.mark.resource does not say of what: {USAGE}")
    try:
        fact.needs.setdefault(name, amounts.parse(amount))
    except ValueError as error:
        raise pytest.UsageError(f"{_place(item)}: @pytest.mark.resource({name!r}): {error}") from None


def _apply_override(fact: Fact, override: Override, item: pytest.Item, subject: Subject) -> None:
    if override.serial is not None and not fact.says_serial:
        fact.says_serial = True
        fact.is_serial = bool(override.serial)
        fact.reason = override.serial if isinstance(override.serial, str) else ""
    fact.has_own_process |= override.own_process
    outlives = bool(override.resources) and _some_outlive(item, subject, override.filter.fixtures)
    for name, amount in override.resources.items():
        fact.needs.setdefault(name, amount)
        if outlives:
            fact.lasting.add(name)


def _some_outlive(item: pytest.Item, subject: Subject, wanted: Sequence[Matcher]) -> bool:
    """Whether one of the fixtures that the filter asks for may live longer than the test."""
    names = (name for name in subject.fixtures if any(matches(name) for matches in wanted))
    return any(pytest_private.fixture_scope(item, name) != "function" for name in names)


def subject_of(item: pytest.Item) -> Subject:
    from .filters import Subject

    fixtures: Sequence[str] = getattr(item, "fixturenames", ())
    return Subject(item.nodeid, fixtures, [mark.name for mark in item.iter_markers()])


def _check(fact: Fact, item: pytest.Item, settings: Settings) -> None:
    from . import amounts

    for name, amount in fact.needs.items():
        resource = settings.resource(name)
        if amount > resource.capacity:
            raise pytest.UsageError(
                f"{_place(item)}: the test needs {amounts.show(amount)} of resource `{name}`, of which there is "
                f"{amounts.show(resource.capacity)}: set `{name}` under [tool.outpace.resources] in {settings.path}"
            )


def _place(item: pytest.Item) -> str:
    file, line, _ = item.location
    return f"{item.nodeid} ({file}:{line + 1})" if line is not None else item.nodeid


def _is_narrowed(config: pytest.Config) -> bool:
    """Whether this run has only some of the project's tests, so that an override may well match none."""
    option = config.option
    if any(getattr(option, name, None) for name in ("keyword", "markexpr", "lf", "deselect", "ignore", "ignore_glob")):
        return True
    if config.pluginmanager.hasplugin("outpace.watching"):
        return True
    return any("::" in arg or os.path.isfile(arg) for arg in config.args)


@contextlib.contextmanager
def lent(environ: Mapping[str, str]) -> Iterator[None]:
    """These values are in the environment for a while."""
    before = {name: os.environ.get(name) for name in environ}
    os.environ.update(environ)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


class Alone:
    """Without workers: a test finds the first values of its resources, as it would find some in a worker."""

    def __init__(self, marks: Marks) -> None:
        self.marks = marks

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, None]:
        with lent(self.marks.environ(item)):
            yield

    @pytest.hookimpl
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        warn(terminalreporter, self.marks.unmatched)


def warn(terminalreporter: Any, unmatched: Sequence[str]) -> None:
    """A line for each override that is for no test: most likely a slip."""
    for each in unmatched:
        terminalreporter.write_line(f"outpace: this override matches no test: {each}", yellow=True)
