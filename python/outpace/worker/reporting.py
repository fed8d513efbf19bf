"""What a worker tells of its tests.

A plain passing phase is a few numbers; anything else is pytest's own serialisable report. Everything leaves at once,
into the :mod:`~outpace.worker.outbox`, so that nothing is lost when the worker dies.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import pytest

from outpace import plain
from outpace.wire import Kind, frame

if TYPE_CHECKING:
    from collections.abc import Callable

    from .outbox import Direct, Ring

# Entry tags, as `outpace.controller.replay` reads them.
START, PASSED, REPORT, FINISH = range(4)

_RESULT = struct.Struct("<IIId")
_PHASES = ("setup", "call", "teardown")


def plain_fields() -> frozenset[str]:
    """The attributes of a report that nobody has added to."""
    report = pytest.TestReport("", ("", None, ""), {}, "passed", None, "call")
    return frozenset(vars(report))


def only_core_serialises(config: pytest.Config) -> bool:
    """Whether no plugin wants a hand in how reports travel."""
    hooks = (config.hook.pytest_report_to_serializable, config.hook.pytest_report_from_serializable)
    plugins = [implementation.plugin for hook in hooks for implementation in hook.get_hookimpls()]
    return all(getattr(each, "__name__", type(each).__module__).startswith("_pytest.") for each in plugins)


class Reporting:
    """The outgoing side of a worker."""

    def __init__(self, config: pytest.Config, outbox: Direct | Ring) -> None:
        self.config = config
        self.outbox = outbox
        self._item: int | None = None
        self._entries: list[Any] = []
        self._failures = 0
        self._keywords: dict[str, Any] | None = None
        self._location: tuple[str, int | None, str] | None = None
        self._plain = plain_fields()
        self._compact = only_core_serialises(config)

    # -- one test

    def begin(self, item: int) -> None:
        self._item = item
        self._keywords = self._location = None

    def end(self, duration: float) -> None:
        if self._item is not None:
            self._pack(finished=True, duration=duration)
            self._item = None

    def logstart(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        self._location = location
        self._entries.append((START, nodeid, location))
        self._pack()

    def logfinish(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        self._entries.append((FINISH,) if location == self._location else (FINISH, nodeid, location))

    def logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not hasattr(report, "wasxfail"):
            self._failures += 1
        if self._item is None:
            # Logged by a plugin outside of any test.
            self.event("testreport", data=self.serialise(report))
            return
        entry = self._compact_entry(report) if self._compact else None
        self._entries.append(entry or (REPORT, plain.dumps(self.serialise(report))))
        if entry is None:
            self._pack()

    def _compact_entry(self, report: pytest.TestReport) -> tuple[Any, ...] | None:
        fields = vars(report)
        if (
            type(report) is not pytest.TestReport
            or fields["outcome"] != "passed"
            or fields["sections"]
            or fields["user_properties"]
            or fields["longrepr"] is not None
            or fields["when"] not in _PHASES
            or fields.keys() != self._plain
            or fields["location"] != self._location
        ):
            return None
        keywords = fields["keywords"]
        if keywords == self._keywords:
            keywords = None
        else:
            self._keywords = keywords
        return (
            PASSED,
            report.nodeid if keywords is not None else None,
            fields["when"],
            fields["duration"],
            fields.get("start", 0.0),
            fields.get("stop", 0.0),
            keywords,
        )

    def serialise(self, report: pytest.TestReport | pytest.CollectReport) -> dict[str, Any] | None:
        data: dict[str, Any] | None = self.config.hook.pytest_report_to_serializable(config=self.config, report=report)
        return data

    # -- everything else

    def event(self, name: str, **content: Any) -> None:
        self._pack()
        self.outbox.write(frame(Kind.W_EVENT, plain.dumps((name, content))))

    def status(self, text: str) -> None:
        self.outbox.write(frame(Kind.W_STATUS, text.encode("utf-8", "replace")))

    def acting(self, pid: int) -> None:
        """That process runs the tests of this worker; 0 for the worker's own."""
        self.outbox.write(frame(Kind.W_ACTING, struct.pack("<i", pid)))

    def ask(self, position: int, *, running: bool) -> None:
        self.send(Kind.W_ASK, struct.pack("<II", position, running))

    def ask_ahead(self) -> None:
        self.send(Kind.W_AHEAD)

    def send(self, kind: int, *parts: bytes) -> None:
        """A message that the coordinator is to act on now."""
        self._pack()
        self.outbox.write(frame(kind, *parts))
        self.outbox.ring_bell()

    def _pack(self, *, finished: bool = False, duration: float = 0.0) -> None:
        if self._item is not None and (self._entries or finished):
            head = _RESULT.pack(self._item, finished, self._failures, duration)
            data = frame(Kind.W_RESULT, head, plain.dumps(self._entries))
            self._entries = []
            self._failures = 0
            self.outbox.write(data)


def warning_data(warning_message: Any) -> dict[str, Any]:
    """A recorded warning in the form xdist sends it, so that its own reader takes it."""
    message, category = warning_message.message, warning_message.category
    is_warning = isinstance(message, Warning)
    data: dict[str, Any] = {
        "message_str": str(message) if is_warning else message,
        "message_module": type(message).__module__ if is_warning else None,
        "message_class_name": type(message).__name__ if is_warning else None,
        "message_args": message.args if is_warning and plain.is_plain(message.args) else None,
        "category_module": category.__module__ if category else None,
        "category_class_name": category.__name__ if category else None,
    }
    take: Callable[[Any], Any] = lambda value: value if plain.is_plain(value) else repr(value)  # noqa: E731
    for name in warning_message._WARNING_DETAILS:
        if name not in ("message", "category"):
            data[name] = take(getattr(warning_message, name))
    return data
