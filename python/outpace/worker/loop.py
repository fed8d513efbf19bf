"""The loop of a worker: ask for a test, run it through the whole protocol, say what came of it.

pytest must know the next test when it tears the current one down, because fixtures that both use stay alive. Here the
next test is chosen only then: ``nextitem`` is a stand-in that asks the coordinator when somebody looks at it, and the
teardown hook gets the real item in its place.
"""

from __future__ import annotations

import json
import struct
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from outpace import marks, pytest_private
from outpace.wire import Kind

from . import board

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    import pytest

    from outpace.wire import Channel, Frame

    from .board import Lane
    from .reporting import Reporting

# A grant of fewer tests is not short ones.
WORTH_ASKING_AHEAD = 8

# What a loop knows of what it was granted and told.
_STATE = ("left", "_position", "_over", "_ask_ahead_at", "_asked_ahead", "_held", "_leases", "_lease")

_perf_counter = time.perf_counter


class NextItem:
    """Stands for the test that follows; asks for it when looked at. False when there is none."""

    __slots__ = ("_item", "_loop")

    def __init__(self, loop: Loop) -> None:
        self._loop: Loop | None = loop
        self._item: pytest.Item | None = None

    def resolve(self) -> pytest.Item | None:
        loop, self._loop = self._loop, None
        if loop is not None:
            self._item = loop.choose_next()
        return self._item

    def __bool__(self) -> bool:
        return self.resolve() is not None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.resolve(), name)

    def __eq__(self, other: object) -> bool:
        return self.resolve() == other

    def __hash__(self) -> int:
        return hash(self.resolve())

    def __repr__(self) -> str:
        """Asks nobody: whoever shows a traceback does not look at the next test."""
        return "<the next test, not chosen yet>" if self._loop is not None else repr(self._item)


class Loop:
    def __init__(
        self, session: pytest.Session, channel: Channel, lane: Lane, reporting: Reporting, *, may_be_held: bool
    ) -> None:
        self.session = session
        self.channel = channel
        self.lane = lane
        self.reporting = reporting
        self.running: int | None = None
        self._granted: deque[tuple[int, int]] = deque()
        self._position = 0
        self._next: int | None = None
        self._over = False
        # With so many tests left the next grant is asked for; None = not before there are none.
        self._ask_ahead_at: int | None = None
        self._asked_ahead = False
        # A worker of an elastic run: told to start no test while the CPU is full, or until a core is free.
        self._may_be_held = may_be_held
        self._held = False
        # What tests find in their environment, by position; and the one claimed last.
        self._leases: dict[int, dict[str, str]] = {}
        self._lease: dict[str, str] = {}
        # Tests that another process runs, and the one that ended this loop: :mod:`outpace.worker.own_process`.
        self.left_to_keeper: Collection[int] = ()
        self.left: int | None = None
        self._titles: Callable[[str], None] | None = None

    def run(self, first: int | None = None) -> None:
        session = self.session
        titles = self.titles()
        pytest_private.resolve_nextitem_at_teardown(session.config, _real)
        index = self.ask_idle() if first is None else first
        while index is not None and index not in self.left_to_keeper and not self.is_over_while_held():
            titles(f"[pytest-xdist running] {session.items[index].nodeid}")
            self._run_one(index, NextItem(self))
            titles("[pytest-xdist idle]")
            if session.shouldfail or session.shouldstop:
                break
            index = self._next if self._next is not None else self.ask_idle()
        self.left = index

    def run_alone(self, index: int) -> None:
        """One test, after which everything is torn down."""
        self.titles()(f"[pytest-xdist running] {self.session.items[index].nodeid}")
        self._run_one(index, None)
        self.left = None

    def state(self) -> dict[str, Any]:
        """What another process needs to go on where this one ended."""
        state = {name: getattr(self, name) for name in _STATE}
        return {**state, "_granted": list(self._granted), "unread": self.channel.unread()}

    def restore(self, state: dict[str, Any]) -> None:
        for name in _STATE:
            setattr(self, name, state[name])
        self._granted = deque(state["_granted"])
        self.channel.restore(state["unread"])

    def titles(self) -> Callable[[str], None]:
        """``setproctitle``, where it is installed; process titles are a courtesy."""
        if self._titles is None:
            try:
                from setproctitle import setproctitle
            except ImportError:
                setproctitle = _no_title
            self._titles = setproctitle
        return self._titles

    def is_over_while_held(self) -> bool:
        """Waits as long as no test is to start; True when none is to start any more."""
        if not self._may_be_held:
            return False
        while not self._over and (self._held or self.channel.is_readable()):
            if self._held:
                # Its last test is over: that may be what it waits for.
                self.reporting.outbox.ring_bell()
            self._take(self.channel.receive())
        return self._over

    def _run_one(self, index: int, nextitem: NextItem | None) -> None:
        item = self.session.items[index]
        self._next = None
        lease, self._lease = self._lease, {}
        self.running = index
        self.lane.begin()
        self.lane.item(index)
        self.reporting.begin(index)
        start = _perf_counter()
        with marks.lent(lease):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=nextitem)
        self.reporting.end(_perf_counter() - start)
        self.lane.enter(board.IDLE)
        self.lane.item(None)
        self.running = None

    def choose_next(self) -> pytest.Item | None:
        """The test after the running one; None when none is known, so that everything is torn down."""
        if self._over or self.session.shouldfail or self.session.shouldstop:
            return None
        self._next = self._claim()
        if self._next is None:
            self.reporting.ask(self._position, running=True)
            self._receive()
            self._next = self._claim()
        return None if self._next is None or self._next in self.left_to_keeper else self.session.items[self._next]

    def ask_idle(self) -> int | None:
        """Waits for a test; None at the end of the session."""
        while True:
            index = self._claim()
            if index is not None or self._over:
                return index
            self.reporting.ask(self._position, running=False)
            self._receive()

    def _claim(self) -> int | None:
        """The next granted test, unless it has been revoked."""
        if not self._granted and self._asked_ahead:
            self._receive()
        if not self._granted:
            return None
        position, index = self._granted.popleft()
        if not self.lane.claim(position):
            self._granted.clear()
            return self._claim() if self._asked_ahead else None
        self._position = position + 1
        self._lease = self._leases.pop(position, {}) if self._leases else {}
        if len(self._granted) == self._ask_ahead_at:
            self._ask_ahead_at = None
            self._asked_ahead = True
            self.reporting.ask_ahead()
        return index

    def _receive(self) -> None:
        """The answer to what was asked."""
        while not self._take(self.channel.receive()):
            pass

    def _take(self, frame: Frame) -> bool:
        """Whether the frame is an answer."""
        if frame.kind in (Kind.HOLD, Kind.GO):
            self._held = frame.kind == Kind.HOLD
            return False
        if frame.kind == Kind.TERMINAL:  # nobody waits for it any more
            return False
        if frame.kind == Kind.LEASE:
            lease = json.loads(frame.payload)
            self._leases[lease["position"]] = lease["environ"]
            return False
        self._asked_ahead = False
        if frame.kind == Kind.GRANT:
            position, *items = struct.unpack(f"<{len(frame.payload) // 4}I", frame.payload)
            self._granted.extend(enumerate(items, position))
            self._ask_ahead_at = len(items) // 2 if len(items) >= WORTH_ASKING_AHEAD else None
        elif frame.kind == Kind.SHUTDOWN:
            self._over = True
        return True


def _real(nextitem: object) -> object:
    return nextitem.resolve() if isinstance(nextitem, NextItem) else nextitem


def _no_title(title: str) -> None:
    """Nothing shows it."""
