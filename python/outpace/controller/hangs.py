"""What is slow, what hung, and where: told live, in the reports of what was ended, and when the run is interrupted.

The coordinator decides and acts; this is only told. A test that was interrupted reports itself, and its stacks are
added to that report; one whose process had to be killed gets its report here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from outpace import pytest_private
from outpace.timeouts import COLLECTING

if TYPE_CHECKING:
    import pytest

    from .nodes import Node
    from .session import OutpaceSession
    from .stacktext import Stacks

SECTION = "outpace: stacks at the timeout"


@dataclass
class Look:
    """One look at one process."""

    who: str
    pid: int
    item: int | None
    nodeid: str | None
    phase: str
    doing: str
    since: float
    phase_since: float
    limit: float
    stacks: Stacks
    native: list[str]
    root: str

    @property
    def where(self) -> str:
        return self.stacks.where(self.root)

    def busy(self) -> str:
        """"gw1 test_x.py::test_y has been in call for 60 s"."""
        if self.nodeid is not None:
            phase = "between two phases" if self.phase == "idle" else f"in {self.phase}"
            whole = f" ({_seconds(self.since)} in all)" if self.since - self.phase_since >= 1 else ""
            return f"{self.who} {self.nodeid} has been {phase} for {_seconds(self.phase_since)}{whole}"
        return f"{self.who} has been {self.doing} for {_seconds(self.since)}"

    def lines(self) -> list[str]:
        lines = list(self.stacks.lines(self.root))
        if self.stacks.tasks:
            lines.insert(0, self.where)
        if self.native:
            lines += [f"Process {self.pid} ({self.who}):", *(f"  {line}" for line in self.native)]
        return lines

    def text(self) -> str:
        return "\n".join(self.lines())


class Hangs:
    def __init__(self, session: OutpaceSession) -> None:
        self.session = session
        # The last look at what was over its limit, by worker number.
        self._over: dict[int, Look] = {}
        # Whose report is yet to come.
        self._unreported: dict[tuple[int, int | None], Look] = {}
        self.at_the_stop: list[Look] = []

    def looked(self, payload: bytes) -> None:
        content = json.loads(payload)
        look = self.look(content)
        if content["why"] == "slow":
            self._say(look)
        elif content["why"] == "stop":
            self.at_the_stop.append(look)
            self.session.ending.stopped_from_outside()
        else:
            self._over[content["worker"]] = look
            self._unreported[content["worker"], look.item] = look

    def look(self, content: dict[str, Any]) -> Look:
        from .stacktext import Stacks  # regular expressions that most runs have no use for

        session = self.session
        item, phase, doing = content["item"], content["phase"], content["doing"]
        who = f"gw{content['worker']}"
        if item is None:
            doing = _doing(phase, doing)
            if not session._ids:
                who = "the process that collects the tests"
        ids = session._ids
        return Look(
            who=who,
            pid=content["pid"],
            item=item,
            nodeid=ids[item] if item is not None and item < len(ids) else None,
            phase=phase,
            doing=doing,
            since=content["since"] / 1000,
            phase_since=content["phase_since"] / 1000,
            limit=content["limit"] / 1000,
            stacks=Stacks.parse(content["stacks"]),
            native=content["native"],
            root=str(session.config.rootpath),
        )

    def _say(self, look: Look) -> None:
        terminal = self.session.terminal
        if terminal is None or self.session.config.option.verbose < -1:
            return
        terminal.ensure_newline()
        where = look.where
        terminal.write_line(f"outpace: {look.busy()}{', ' if where else ''}{where}", yellow=True)
        terminal.flush()  # a CI job may be ended before anything else is written

    # -- what was ended

    def add_stacks(self, node: Node, item: int, report: Any) -> None:
        """To the first report that says of this test that it failed."""
        if self._unreported and report.failed:
            look = self._unreported.pop((node.number, item), None)
            if look is not None:
                pytest_private.add_section(report, SECTION, look.text())

    def add_stacks_to_collection(self, node: Node, report: pytest.CollectReport) -> None:
        """To the error of a file whose import was ended."""
        if self._unreported and report.failed and COLLECTING in report.longreprtext:
            look = self._unreported.pop((node.number, None), None)
            if look is not None:
                pytest_private.add_section(report, SECTION, look.text())

    def forget(self, node: Node, item: int) -> None:
        """The test is over."""
        if self._unreported:
            self._unreported.pop((node.number, item), None)

    def over(self, number: int) -> Look | None:
        return self._over.get(number)

    def crash_text(self, node: Node, nodeid: str) -> str:
        """The report of a test whose process was killed."""
        self._unreported = {key: look for key, look in self._unreported.items() if key[0] != node.number}
        look = self._over.get(node.number)
        if look is None:
            return f"Timeout: {nodeid} took too long, and its worker {node.gateway.id!r} was ended"
        phase = f" ({look.phase})" if look.phase != "idle" else ""
        where = f"\n{look.where}" if look.where else ""
        head = (
            f"Timeout: the test took longer than {look.limit:g} s{phase}{where}\n"
            f"It did not end when it was interrupted, and its worker {node.gateway.id!r} was killed."
        )
        return f"{head}\n--- {SECTION} ---\n{look.text()}"

    def unfinished_text(self, node: Node) -> str:
        """A worker that hung where no test is to blame."""
        look = self._over.get(node.number)
        if look is None:
            return f"worker {node.gateway.id!r} hung after its last test and was ended"
        where = f", {look.where}" if look.where else ""
        text = f"worker {node.gateway.id!r} hung while {look.doing} for {_seconds(look.since)} and was ended{where}"
        return "\n".join([text, *(f"    {line}" for line in look.lines())])

    # -- the end of an interrupted run

    def summarise_stop(self, terminal: Any) -> None:
        for look in self.at_the_stop:
            busy = look.nodeid or look.doing
            terminal.write_sep("-", f"outpace: {look.who} was at {busy}")
            terminal.write_line(f"{look.busy()}{', ' if look.where else ''}{look.where}")
            for line in look.lines():
                terminal.write_line(line)


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


def _doing(phase: str, status: str) -> str:
    if phase == "finish":
        return status or "finishing its session"
    if status:
        return status
    return "starting" if phase == "start" else "between two tests"
