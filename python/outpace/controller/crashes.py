"""Workers that died: whose test it was, what is reported of it, and who takes the worker's place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from outpace.wire import Kind

from .scheduling import Coordinated

if TYPE_CHECKING:
    from .nodes import Node
    from .session import OutpaceSession


class Crashes:
    """The policy is xdist's, but for workers that were ended because they took too long."""

    def __init__(self, session: OutpaceSession) -> None:
        self.session = session
        # How each test that is being judged took its worker with it.
        self._texts: dict[str, str] = {}
        self._again: set[str] = set()
        # Their places in the collection.
        self._items: dict[str, int] = {}
        self._hung: set[str] = set()

    def down(self, node: Node, nodeid: str | None, down: dict[str, Any]) -> None:
        """A worker is gone without a goodbye; ``nodeid`` is the test that it was at."""
        session = self.session
        node._down = True
        session._active_nodes.add(node)
        if nodeid is not None and not down["hung"]:
            phase = "" if down["phase"] == "idle" else f"{down['phase']}: "
            self._texts[nodeid] = f"{phase}{down['cause']}"
        if nodeid is not None:
            self._items[nodeid] = down["item"]
            session.retries.crashed(node, down["item"], nodeid)
        if isinstance(session.sched, Coordinated) and node in session.sched.nodes:
            session.sched.crashed_with(node, nodeid)
        session.ending.crashed(node, down)
        error = "Timeout" if down["hung"] else "Not properly terminated"
        if down["cause"]:
            error = f"{error} ({down['cause']})"
        if down["hung"] and nodeid is not None:
            self._hung.add(nodeid)
            self._replace_hung(node, error)
        elif down["hung"] and down["phase"] == "finish":
            # There was nothing left for it to do, nor for one in its place.
            session.config.hook.pytest_testnodedown(node=node, error=error)
            session._active_nodes.discard(node)
            session.forget(node)
        else:
            session.worker_errordown(node, error)
        again = nodeid is not None and nodeid in self._again
        self._again.discard(nodeid or "")
        self._items.pop(nodeid or "", None)
        session.ending.records += int(nodeid is not None and not again)
        session.coordinator.send(Kind.VERDICT, worker=node.number, requeue=again)

    def _replace_hung(self, node: Node, error: str) -> None:
        """As ``worker_errordown``; a test that takes too long does not count towards ``--max-worker-restart``."""
        session = self.session
        session.config.hook.pytest_testnodedown(node=node, error=error)
        assert session.sched is not None
        test = session.sched.remove_node(node) if node in session.sched.nodes else None
        if test:
            self.report(test, node)
        if not session.shouldstop:
            session.report_line(f"\nreplacing hung worker {node.gateway.id}")
            session.shuttingdown = False
            session.replace(node)
        session._active_nodes.discard(node)

    def judge(self, nodeid: str) -> bool:
        """A plugin wants the test run again: whether it is one that is being judged."""
        if nodeid not in self._texts:
            return False
        self._again.add(nodeid)
        return True

    def report(self, nodeid: str, worker: Any) -> None:
        """The report of a test that has none of its own."""
        session = self.session
        path = nodeid.split("::", maxsplit=1)[0]
        text = f"worker {worker.gateway.id!r} crashed while running {nodeid!r}"
        if nodeid in self._hung:
            self._hung.discard(nodeid)
            text = session.hangs.crash_text(worker, nodeid)
        how = self._texts.setdefault(nodeid, "")
        report = pytest.TestReport(
            nodeid=nodeid,
            location=(path, None, path),
            keywords={},
            outcome="failed",
            longrepr=f"{text}\n{how}" if how else text,
            when="???",  # type: ignore[arg-type]
        )
        retries, item = session.retries, self._items.get(nodeid)
        report.node = retries.node_of(worker, item)  # type: ignore[attr-defined]
        session.config.hook.pytest_handlecrashitem(crashitem=nodeid, report=report, sched=session.sched)
        self._texts.pop(nodeid, None)
        admitted = report if nodeid in self._again else retries.admit(item, report)
        if item is not None:
            retries.finished(worker, item)
        if admitted is not None:
            session.config.hook.pytest_runtest_logreport(report=admitted)
