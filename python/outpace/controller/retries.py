"""``--retry``: what failed beside other tests runs again alone, and what then passes fails only in parallel.

The coordinator runs such tests again when all others are over, each in a fresh worker. Until then the failure is held
back: plugins see a report whose outcome is "rerun", as pytest-rerunfailures makes it, and the outcome of the last
attempt as the test's own. A test that could not be run again has the failure it had.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from outpace import ini

if TYPE_CHECKING:
    from .nodes import Node
    from .session import OutpaceSession

CATEGORY = "only in parallel"
PROPERTY = ("outpace", "fails only in parallel")
_MOST_NEIGHBOURS = 20


def add_options(parser: pytest.Parser, group: Any) -> None:
    group.addoption(
        "--retry",
        dest="outpace_retry",
        metavar="N",
        type=int,
        default=None,
        help="Run a test that failed beside others again at the end, alone in a fresh worker, up to N times.",
    )
    group.addoption(
        "--retry-alone", dest="outpace_retry", action="store_const", const=1, help="The same as `--retry 1`."
    )
    parser.addini("outpace_retry", "How often a failed test runs again, alone, at the end.", default="0")
    parser.addini("outpace_only_in_parallel", "Whether what fails only in parallel fails the run.", default="fail")


def times(config: pytest.Config) -> int:
    """How often a failed test runs again; 0 for never."""
    ini.choice(config, "outpace_only_in_parallel", ("fail", "pass"))
    given = config.option.outpace_retry
    if given is None:
        text = str(config.getini("outpace_retry")).strip()
        if not text.isdecimal():
            raise pytest.UsageError(f"outpace_retry = {text!r} in {config.inipath}: not a number of attempts")
        given = int(text)
    if given < 0:
        raise pytest.UsageError(f"--retry={given}: not a number of attempts")
    return int(given)


@dataclass
class _Test:
    """One test that is running, or has failed and is to run again."""

    node: Node
    attempt: int = 0
    held_back: list[pytest.TestReport] = field(default_factory=list)
    first_failure: pytest.TestReport | None = None
    beside: list[str] = field(default_factory=list)
    passed_alone: bool = False


class Retries:
    def __init__(self, session: OutpaceSession, most: int) -> None:
        self.session = session
        self.most = most
        self._tests: dict[int, _Test] = {}
        self._running: dict[Node, int] = {}
        self._nodeids: dict[int, str] = {}

    def started(self, node: Node, item: int, nodeid: str) -> None:
        if not self.most:
            return
        self._nodeids[item] = nodeid
        test = self._tests.get(item)
        if test is None:
            test = self._tests[item] = _Test(node)
            self._note_neighbours(item, test)
        elif test.held_back:
            test.attempt += 1
            test.held_back = []
            self.session.ending.records -= 1
        self._running[node] = item

    def crashed(self, node: Node, item: int, nodeid: str) -> None:
        """The worker died at the test, perhaps before it could say that it began."""
        if self._running.get(node) != item:
            self.started(node, item, nodeid)

    def _note_neighbours(self, item: int, test: _Test) -> None:
        for other in self._running.values():
            neighbour = self._tests.get(other)
            if neighbour is not None and other != item:
                test.beside.append(self._nodeids[other])
                if len(neighbour.beside) < _MOST_NEIGHBOURS:
                    neighbour.beside.append(self._nodeids[item])
        del test.beside[_MOST_NEIGHBOURS:]

    def finished(self, node: Node, item: int) -> None:
        if self.most and self._running.pop(node, None) == item:
            test = self._tests[item]
            if not test.held_back and not test.passed_alone:
                del self._tests[item]

    def node_of(self, node: Node, item: int | None) -> Node:
        """Whose test it is to plugins: all attempts are one test."""
        test = self._tests.get(item) if item is not None else None
        return node if test is None else test.node

    def admit(self, item: int | None, report: Any) -> Any:
        """The report that plugins are to see now, or none."""
        test = self._tests.get(item) if item is not None else None
        if test is None:
            return report
        is_last = test.attempt >= self.most or bool(self.session.shouldstop)
        if test.held_back or (report.failed and not hasattr(report, "wasxfail") and not is_last):
            return self._hold_back(test, report)
        if test.attempt and report.passed and report.when == "call":
            test.passed_alone = True
            report.outpace_only_in_parallel = True
        if test.passed_alone:
            report.user_properties = [*report.user_properties, PROPERTY]
        return report

    def _hold_back(self, test: _Test, report: pytest.TestReport) -> Any:
        is_first = not test.held_back
        test.held_back.append(report)
        if not is_first:
            return None
        test.first_failure = test.first_failure or report
        rerun = copy.copy(report)
        rerun.outcome = "rerun"  # type: ignore[assignment]
        return rerun

    def give_up(self) -> None:
        """The run is over: what was not run again has the outcome that it had."""
        for test in self._tests.values():
            reports, test.held_back = test.held_back, []
            for report in reports:
                self.session.worker_testreport(test.node, report)

    @property
    def only_in_parallel(self) -> list[_Test]:
        return [test for test in self._tests.values() if test.passed_alone]

    def status(self, report: Any) -> Any:
        """For ``pytest_report_teststatus``."""
        if report.outcome == "rerun":
            return "rerun", "R", ("RERUN", {"yellow": True})
        if getattr(report, "outpace_only_in_parallel", False):
            return CATEGORY, "P", ("ONLY IN PARALLEL", {"yellow": True})
        return None

    def summarise(self, terminalreporter: Any) -> None:
        tests = self.only_in_parallel
        if not tests:
            return
        one = len(tests) == 1
        terminalreporter.write_sep(
            "=", f"outpace: {len(tests)} {'test fails' if one else 'tests fail'} only in parallel", yellow=True
        )
        for test in tests:
            failure = test.first_failure
            assert failure is not None
            how = f"failed in {failure.when}" if failure.when in ("setup", "call", "teardown") else "crashed"
            terminalreporter.write_line(f"{failure.nodeid} {how} on {test.node.gateway.id}", bold=True)
            if failure.longreprtext and self.session.config.option.tbstyle != "no":
                terminalreporter.write_line(failure.longreprtext)
            beside = ", ".join(dict.fromkeys(test.beside)) or "nothing"
            terminalreporter.write_line(f"    beside it ran: {beside}")
            terminalreporter.write_line("    alone it passed")

    def fails_run(self) -> bool:
        return bool(self.only_in_parallel) and self.session.config.getini("outpace_only_in_parallel") == "fail"
