"""What workers report, told to the controller's plugins through pytest's own hooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from outpace import plain
from outpace.worker.reporting import FINISH, PASSED, REPORT, START

from .unseen import Unseen

if TYPE_CHECKING:
    from .nodes import Node
    from .session import OutpaceSession


class Replay:
    """Turns the entries of a worker into reports; keeps what later entries of the same test leave out."""

    def __init__(self, session: OutpaceSession, testrunuid: str) -> None:
        self.session = session
        self.hook = session.config.hook
        self.config = session.config
        self.testrunuid = testrunuid
        self._unseen = Unseen(session.config)
        self._known: dict[tuple[Node, int], tuple[str, tuple[str, int | None, str], dict[str, Any]]] = {}

    def result(self, node: Node, item: int, finished: bool, blob: bytes) -> None:
        test = (node, item)
        unseen = self._unseen
        unseen.look()
        for entry in plain.loads(blob):
            tag = entry[0]
            if tag == PASSED:
                self._report(node, item, self._passed(test, entry), may_be_unseen=True)
            elif tag == REPORT:
                self._report(node, item, self._full(plain.loads(entry[1])))
            elif tag == START:
                _, nodeid, location = entry
                self._known[test] = (nodeid, location, {})
                self.session.retries.started(node, item, nodeid)
                if not unseen.takes_start():
                    self.hook.pytest_runtest_logstart(nodeid=nodeid, location=location)
            elif tag == FINISH:
                nodeid, location = entry[1:] if len(entry) > 1 else self._known[test][:2]
                self.hook.pytest_runtest_logfinish(nodeid=nodeid, location=location)
        if finished:
            self.session.hangs.forget(node, item)
            self.session.retries.finished(node, item)
            self._known.pop(test, None)

    def _passed(self, test: tuple[Node, int], entry: tuple[Any, ...]) -> pytest.TestReport:
        _, nodeid, when, duration, start, stop, keywords = entry
        known_id, location, known_keywords = self._known[test]
        if keywords is None:
            keywords, nodeid = known_keywords, known_id
        else:
            self._known[test] = (nodeid, location, keywords)
        report = pytest.TestReport(
            nodeid, location, dict(keywords), "passed", None, when, (), duration, start, stop, ()
        )
        report.__dict__["$report_type"] = "TestReport"
        return report

    def _full(self, data: dict[str, Any]) -> Any:
        return self.hook.pytest_report_from_serializable(config=self.config, data=data)

    def _report(self, node: Node, item: int | None, report: Any, *, may_be_unseen: bool = False) -> None:
        if report is None:
            return
        if item is not None:
            report.item_index = item
            self.session.hangs.add_stacks(node, item, report)
        report.worker_id = node.gateway.id
        report.testrun_uid = self.testrunuid
        retries = self.session.retries
        admitted = retries.admit(item, report)
        if admitted is None:
            return
        owner = retries.node_of(node, item)
        if may_be_unseen and admitted is report and self._unseen.takes(report):
            report.node = owner
        else:
            self.session.worker_testreport(owner, admitted)

    def loose_report(self, node: Node, data: dict[str, Any]) -> None:
        """A report that a plugin made outside of any test."""
        self._report(node, None, self._full(data))

    def collect_report(self, node: Node, data: dict[str, Any]) -> None:
        report = self._full(data)
        if report is not None:
            self.session.hangs.add_stacks_to_collection(node, report)
            self.session.worker_collectreport(node, report)
