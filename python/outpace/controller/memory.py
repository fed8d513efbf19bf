"""``--memory`` and ``--memory-limit``: what the run may use, and what it used.

The coordinator reads and decides; this asks and tells.
"""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from outpace.wire import Kind

if TYPE_CHECKING:
    from .nodes import Node
    from .session import OutpaceSession

_MOST_TESTS = 10


def add_options(parser: pytest.Parser, group: Any) -> None:
    group.addoption(
        "--memory",
        dest="outpace_memory",
        action="store_true",
        default=False,
        help="Say at the end how much memory workers used, and which tests made them grow.",
    )
    group.addoption(
        "--memory-limit",
        dest="outpace_memory_limit",
        metavar="SIZE",
        type=_argument,
        default=None,
        help='What the run may use: "4GB", or "75%%" of the memory there is (default: nine tenths of what is free).',
    )
    parser.addini("outpace_memory_limit", "What memory the run may use: a size, or a percentage.", default="")


def limit(config: pytest.Config) -> int:
    """In bytes; 0 where nothing was said. Raises ``pytest.UsageError``."""
    given: int | None = config.option.outpace_memory_limit
    text = config.getini("outpace_memory_limit")
    if given is not None or not text:
        return given or 0
    try:
        return _parse(text)
    except ValueError as error:
        raise pytest.UsageError(f"outpace_memory_limit in {config.inipath}: {error}") from None


def _argument(text: str) -> int:
    try:
        return _parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _parse(text: str) -> int:
    from outpace import amounts

    number = text.strip()[:-1]
    if not text.strip().endswith("%"):
        return amounts.parse(int(text) if text.isdecimal() else text)
    if not number.isdecimal() or not 1 <= int(number) <= 100:
        raise ValueError(f"{text!r} is not a percentage from 1% to 100%")
    return amounts.memory() * int(number) // 100


class Growth(NamedTuple):
    """What one test did to its worker, in bytes."""

    kept: int
    peak: int
    nodeid: str


class Memory:
    def __init__(self, session: OutpaceSession) -> None:
        config = session.config
        self.session = session
        self.limit = limit(config)
        self.wanted = bool(config.option.outpace_memory)
        self._grown: list[Growth] = []
        self.reported: dict[str, Any] | None = None

    def ask(self) -> None:
        if self.limit or self.wanted:
            self.session.coordinator.send(Kind.MEMORY, limit=self.limit, report=self.wanted)

    # -- what is told

    def grown(self, item: int, kept: int, peak: int) -> None:
        self._grown.append(Growth(kept, peak, self.session._ids[item]))

    def used(self, payload: bytes) -> None:
        self.reported = json.loads(payload)

    def recycled(self, payload: bytes) -> None:
        """A worker gave its memory back: say so, and announce one in its place."""
        told = json.loads(payload)
        session = self.session
        node: Node = session.node(told["worker"])
        tests = [session._ids[item] for item in told["items"]]
        session.report_line(
            f"\noutpace: {node.gateway.id} ended with {_size(told['own'])} of its own, to make room: the run used more "
            f"than {_size(told['limit'])}, and a worker's share is {_size(told['share'])}"
        )
        if tests:
            session.report_line(f"it grew most in {', '.join(tests)}")
        if not session.shuttingdown:
            session.replace(node)

    def summarise(self, terminal: Any) -> None:
        used = self.reported
        if used is None:
            return
        terminal.write_sep("=", "memory")
        for each in used["workers"]:
            own = f", {_size(each['own'])} of it its own" if each["own"] < each["resident"] else ""
            terminal.write_line(f"gw{each['worker']}: {_size(each['resident'])} at its peak{own}")
        if used["together"]:
            terminal.write_line(
                f"all processes together: {_size(used['together'])} at most; had they shared nothing, "
                f"{_size(used['unshared'])}; limit {_size(used['limit'])}"
            )
        top = sorted(self._grown, reverse=True)[:_MOST_TESTS]
        if top:
            terminal.write_line("tests after which their worker had grown most:")
        for growth in top:
            more = f" (+{_size(growth.peak)} while it ran)" if growth.peak > growth.kept else ""
            terminal.write_line(f"  +{_size(growth.kept)} {growth.nodeid}{more}")


def _size(size: int) -> str:
    return f"{size / 1e9:.2f} GB" if size >= 10**9 else f"{size / 1e6:.0f} MB"
