"""What is known of a run when it is over. Times are seconds since 1970, of one clock.

Nothing here looks at the run or writes anything.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

PHASES = ("setup", "call", "teardown")
BAD = ("failed", "error", "timed out", "crashed")

# A wait that is shorter is the time between two messages.
_WORTH_TELLING = 0.001


class Phase(NamedTuple):
    name: str
    start: float
    stop: float
    outcome: str


class Wait(NamedTuple):
    """A worker started no test."""

    worker: int
    start: float
    stop: float
    # "serial", "resource", "held", "debugger", "scheduler" or "tests"
    why: str
    resources: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return {
            "serial": "waits: a serial test runs alone",
            "resource": f"waits: {', '.join(self.resources)} in use",
            "held": "held back: the CPU is full",
            "debugger": "waits: somebody is in a debugger",
            "scheduler": "waits for the project's scheduler",
            "tests": "nothing left: others have the last tests",
        }.get(self.why, self.why)


class Moment(NamedTuple):
    """Something that happened to a worker, or where it was found."""

    worker: int
    at: float
    name: str
    detail: str = ""


class Lent(NamedTuple):
    """A worker was in the debugger."""

    worker: int
    start: float
    stop: float


@dataclass
class Test:
    worker: int
    item: int
    nodeid: str
    begun: float
    # Counts runs of the same test, from 1.
    attempt: int = 1
    phases: list[Phase] = field(default_factory=list)
    # Why it is serial, perhaps "", and what it needs.
    serial: str | None = None
    resources: tuple[str, ...] = ()
    # Where it was when it took too long; how its worker died.
    where: str = ""
    cause: str = ""
    waited: list[Wait] = field(default_factory=list)

    @property
    def start(self) -> float:
        return self.phases[0].start if self.phases else self.begun

    @property
    def stop(self) -> float:
        return self.phases[-1].stop if self.phases else self.begun

    @property
    def reruns(self) -> int:
        return sum(phase.outcome == "rerun" for phase in self.phases)

    @property
    def outcome(self) -> str:
        """That of the last round: plugins may run the phases again."""
        last: list[Phase] = []
        for phase in self.phases:
            last = [phase] if phase.name == "setup" else [*last, phase]
        for phase in last:
            if phase.outcome == "failed":
                return "failed" if phase.name == "call" else "error"
            if phase.outcome != "passed":
                return phase.outcome
        return "passed"


@dataclass
class Lane:
    """The life of one worker."""

    number: int
    announced: float
    pid: int | None = None
    ready: float | None = None
    gone: float | None = None


@dataclass
class Record:
    begin: float
    end: float
    start_method: str
    # When the first collection was complete.
    collected: float | None
    lanes: list[Lane]
    tests: list[Test]
    waits: list[Wait]
    moments: list[Moment]
    lent: list[Lent]

    def settle(self) -> None:
        """Order everything, cut waits where the worker was at a test after all, and say which tests they delayed."""
        self.tests.sort(key=lambda test: (test.worker, test.start))
        self.moments.sort(key=lambda moment: moment.at)
        by_worker: dict[int, list[Test]] = {}
        for test in self.tests:
            by_worker.setdefault(test.worker, []).append(test)
        all_stops: dict[int, list[float]] = {}
        pieces: list[Wait] = []
        for wait in sorted(self.waits, key=lambda wait: (wait.worker, wait.start)):
            tests = by_worker.get(wait.worker, [])
            if wait.worker not in all_stops:
                all_stops[wait.worker] = [test.stop for test in tests]
            pieces += _cut(wait, tests, bisect_right(all_stops[wait.worker], wait.start))
        self.waits = _without_overlaps(pieces)


# Between the end of a wait and the start of the test that it was for.
_SOON = 0.25


def _cut(wait: Wait, tests: list[Test], place: int) -> Iterator[Wait]:
    """The pieces of the wait between the worker's tests, of which those before ``place`` are over when it begins."""
    start = wait.start
    while start < wait.stop:
        following = tests[place] if place < len(tests) else None
        stop = min(wait.stop, following.start) if following else wait.stop
        if stop - start > _WORTH_TELLING:
            piece = wait._replace(start=start, stop=stop)
            yield piece
            if following and following.start - stop < _SOON:
                following.waited.append(piece)
        if following is None or following.start >= wait.stop:
            return
        start, place = following.stop, place + 1


def _without_overlaps(waits: list[Wait]) -> list[Wait]:
    kept: list[Wait] = []
    for wait in waits:
        last = kept[-1] if kept and kept[-1].worker == wait.worker else None
        start = max(wait.start, last.stop) if last else wait.start
        if wait.stop - start > _WORTH_TELLING:
            kept.append(wait._replace(start=start))
    return kept
