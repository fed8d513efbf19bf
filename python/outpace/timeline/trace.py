"""The timeline as a trace: Chrome's trace event format, which Perfetto and chrome://tracing open.

One thread for each worker; a test and, in it, its phases are complete events ("X"). Times are whole microseconds since
the run began.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .record import Record, Test

_PID = 1
# Thread 0 is that of the run.
_RUN = 0


def render(record: Record) -> str:
    began = datetime.fromtimestamp(record.begin, timezone.utc).isoformat(timespec="milliseconds")
    content = {
        "traceEvents": list(_events(record)),
        "displayTimeUnit": "ms",
        "otherData": {"began": began, "start method": record.start_method},
    }
    return json.dumps(content, separators=(",", ":")) + "\n"


def _events(record: Record) -> Iterator[dict[str, Any]]:
    zero = record.begin

    def micros(at: float) -> int:
        return max(round((at - zero) * 1e6), 0)

    def span(tid: int, kind: str, name: str, start: float, stop: float, **args: Any) -> dict[str, Any]:
        ts = micros(start)
        event = {"ph": "X", "pid": _PID, "tid": tid, "cat": kind, "name": name, "ts": ts, "dur": micros(stop) - ts}
        return {**event, "args": args} if args else event

    yield _named("process_name", _RUN, "outpace")
    yield _named("thread_name", _RUN, "run")
    if record.collected is not None:
        yield span(_RUN, "run", "start and collection", zero, record.collected)
    for lane in record.lanes:
        tid = lane.number + 1
        yield _named("thread_name", tid, f"gw{lane.number}" + (f" (pid {lane.pid})" if lane.pid else ""))
        if lane.ready is not None:
            yield span(tid, "worker", "worker starts", lane.announced, lane.ready)
    for test in record.tests:
        tid = test.worker + 1
        yield span(tid, "test", test.nodeid, test.start, test.stop, **_told(test))
        for phase in test.phases:
            yield span(tid, "phase", phase.name, phase.start, phase.stop, outcome=phase.outcome, test=test.nodeid)
    for wait in record.waits:
        args = {"resources": list(wait.resources)} if wait.resources else {}
        yield span(wait.worker + 1, "wait", wait.text, wait.start, wait.stop, **args)
    for lent in record.lent:
        yield span(lent.worker + 1, "debugger", "in the debugger", lent.start, lent.stop)
    for moment in record.moments:
        event = {"ph": "i", "s": "t", "pid": _PID, "tid": moment.worker + 1, "cat": "moment", "name": moment.name}
        yield {**event, "ts": micros(moment.at), "args": {"detail": moment.detail}}


def _named(kind: str, tid: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "pid": _PID, "tid": tid, "name": kind, "args": {"name": name}}


def _told(test: Test) -> dict[str, Any]:
    told: dict[str, Any] = {"outcome": test.outcome, "worker": f"gw{test.worker}"}
    if test.attempt > 1:
        told["attempt"] = test.attempt
    if test.reruns:
        told["reruns"] = test.reruns
    if test.serial is not None:
        told["serial"] = test.serial or True
    if test.resources:
        told["resources"] = list(test.resources)
    if test.waited:
        told["waited"] = [{"for": wait.text, "seconds": round(wait.stop - wait.start, 6)} for wait in test.waited]
    if test.where:
        told["where"] = test.where
    if test.cause:
        told["cause"] = test.cause
    return told
