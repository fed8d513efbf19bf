"""pytest-timeout: both methods end a hanging test, name it, and cost no other test its result."""

from __future__ import annotations

import re

from .lab import SERIAL, Lab, Mode

HANGS = {
    "test_signal.py::test_hangs": "call",
    "test_signal.py::test_hangs_on_a_lock": "call",
    "test_signal.py::test_catches_everything_else": "call",
    "test_signal.py::test_hangs_in_setup": "setup",
    "test_signal.py::test_hangs_in_teardown": "teardown",
}
ENDS_ITS_PROCESS = {"test_thread.py::test_hangs", "test_thread.py::test_hangs_beside_a_thread"}
THREAD_FILE = ("test_thread.py",)


def test_signal_method(lab: Lab, mode: Mode) -> None:
    for run in (lab.run("timeout", SERIAL), lab.run("timeout", mode)):
        failed = {r["nodeid"]: r for r in run.record["reports"] if r["outcome"] == "failed"}
        assert {nodeid: report["when"] for nodeid, report in failed.items()} == HANGS, run.output
        for nodeid, report in failed.items():
            assert "Timeout (>0.4s) from pytest-timeout" in report["longrepr"], nodeid
            assert report["duration"] < 5, nodeid


def test_thread_method(lab: Lab, mode: Mode) -> None:
    expected = lab.run("timeout", SERIAL, "-m", "not hangs", args=THREAD_FILE).calls()
    assert len(expected) == 7
    parallel = lab.run("timeout", mode, args=THREAD_FILE)
    assert parallel.returncode == 1, parallel.output
    reports = parallel.record["reports"]
    others = {nodeid: outcome for nodeid, outcome in parallel.calls().items() if nodeid not in ENDS_ITS_PROCESS}
    assert others == expected
    for nodeid in ENDS_ITS_PROCESS:
        failed = [r for r in reports if r["nodeid"] == nodeid and r["outcome"] == "failed"]
        assert len(failed) == 1, parallel.output
        assert re.search(rf"worker '?gw\d+'? crashed while running '?{re.escape(nodeid)}", failed[0]["longrepr"])
        assert not [r for r in reports if r["nodeid"] == nodeid and r["when"] == "call" and r["outcome"] == "passed"]
    assert parallel.closing_counts() == "2 failed, 7 passed"
