"""``--timeline``: which worker did what when, as a trace and as a page."""

from __future__ import annotations

import json
import re
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from outpace.timeline import page, record
from project import ENGINE, START_METHOD, Project, Run

pytestmark = pytest.mark.skipif(ENGINE == "xdist", reason="outpace's own")
MODES = ("load", "worksteal", "loadscope", "loadfile", "loadgroup", "each")

MIXED = """
    import os, signal, time, pytest

    @pytest.mark.parametrize("n", range(6))
    def test_fine(n):
        time.sleep(0.02)

    def test_fails():
        assert 0

    def test_skipped():
        pytest.skip("no")

    @pytest.mark.xfail
    def test_expected():
        assert 0

    @pytest.fixture
    def broken():
        yield
        assert 0

    def test_error(broken):
        pass

    def test_dies():
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGKILL)
"""


def traced(project: Project, *args: str, **options: Any) -> tuple[Run, list[dict[str, Any]]]:
    run = project.run("--timeline=t.json", *args, **options)
    return run, json.loads((project.path / "t.json").read_text())["traceEvents"]


def of_kind(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event for event in events if event.get("cat") == kind]


def outcomes(events: list[dict[str, Any]]) -> dict[str, str]:
    return {event["name"].split("::")[1]: event["args"]["outcome"] for event in of_kind(events, "test")}


def stop(event: dict[str, Any]) -> int:
    return int(event["ts"] + event["dur"])


@pytest.mark.parametrize("mode", MODES)
def test_every_test_is_on_the_lane_of_its_worker_with_its_phases_in_it(project: Project, mode: str) -> None:
    project.files(test_a=MIXED, test_b="def test_other(): pass")
    before = time.time()
    run, events = traced(project, "-n2", f"--dist={mode}")
    tests = of_kind(events, "test")
    assert len(tests) == 12 * (2 if mode == "each" else 1), run.out
    assert {event["tid"] for event in tests} <= {event["tid"] for event in events if event["name"] == "thread_name"}
    told = outcomes(events)
    assert {name: told[name] for name in told if "fine" not in name} == {
        "test_fails": "failed",
        "test_skipped": "skipped",
        "test_expected": "xfailed",
        "test_error": "error",
        "test_dies": "crashed",
        "test_other": "passed",
    }
    phases = of_kind(events, "phase")
    for test in tests:
        own = [each for each in phases if each["tid"] == test["tid"] and test["ts"] <= each["ts"] <= stop(test)]
        own = [each for each in own if each["args"]["test"] == test["name"]]
        names = [each["name"] for each in own]
        if "dies" in test["name"]:
            assert names[-1] == "call"
        else:
            assert names == ["setup", "call", "teardown"]
        assert all(stop(each) <= stop(test) for each in own)
    by_lane: dict[int, list[dict[str, Any]]] = {}
    for test in sorted(tests, key=lambda each: each["ts"]):
        by_lane.setdefault(test["tid"], []).append(test)
    for lane in by_lane.values():
        assert all(stop(one) <= other["ts"] + 1000 for one, other in zip(lane, lane[1:])), "a worker runs one at a time"
    died = next(test for test in tests if "dies" in test["name"])
    assert died["dur"] > 0
    assert "SIGKILL" in died["args"]["cause"]
    assert max(map(stop, tests)) < (time.time() - before) * 1e6
    run.match("outpace: timeline in *t.json")


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_both_ways_to_start(project: Project, method: str) -> None:
    if START_METHOD:
        pytest.skip("the start method is given")
    project.files(test_a="import time\ndef test_one(): time.sleep(0.2)\ndef test_two(): time.sleep(0.2)")
    _, events = traced(project, "-n2", f"--start-method={method}")
    assert outcomes(events) == {"test_one": "passed", "test_two": "passed"}
    assert len(of_kind(events, "worker")) == 2
    one, two = of_kind(events, "test")
    assert one["tid"] != two["tid"]
    assert one["ts"] < stop(two)
    assert two["ts"] < stop(one), "they ran side by side, on one clock"


def test_what_workers_waited_for(project: Project) -> None:
    project.files(
        test_a="""
            import time, pytest
            @pytest.mark.resource("db")
            @pytest.mark.parametrize("n", range(3))
            def test_db(n):
                time.sleep(0.2)
            @pytest.mark.serial("alone, please")
            def test_alone():
                time.sleep(0.2)
        """
    )
    _, events = traced(project, "-n2")
    waits = of_kind(events, "wait")
    resource = [wait for wait in waits if wait["name"] == "waits: db in use"]
    assert resource
    assert resource[0]["args"] == {"resources": ["db"]}
    serial = [wait for wait in waits if wait["name"] == "waits: a serial test runs alone"]
    assert max(wait["dur"] for wait in serial) > 150_000
    tests = {event["name"].split("::")[1]: event for event in of_kind(events, "test")}
    assert tests["test_alone"]["args"]["serial"] == "alone, please"
    assert tests["test_db[0]"]["args"]["resources"] == ["db"]
    for wait in waits:
        beside = [test for test in tests.values() if test["tid"] == wait["tid"]]
        assert not any(test["ts"] < stop(wait) - 1000 and wait["ts"] < stop(test) - 1000 for test in beside)


@pytest.mark.skipif(START_METHOD == "spawn", reason="only forks are added")
def test_the_test_that_a_held_worker_waits_with_has_its_reason(project: Project) -> None:
    """Whether the machine is full enough for a hold is not ours to say: what is told must fit together."""
    project.files(
        test_a="""
            import time, pytest
            @pytest.mark.parametrize("n", range(40))
            def test_first_wait_then_compute(n):
                time.sleep(0.1)
                end = time.process_time() + 0.1 * (n > 15)
                while time.process_time() < end:
                    pass
        """
    )
    _, events = traced(project, "-nauto", "--max-workers=8")
    assert len(of_kind(events, "test")) == 40
    held = [wait for wait in of_kind(events, "wait") if wait["name"] == "held back: the CPU is full"]
    assert all(wait["dur"] > 0 for wait in held)


def test_hangs_and_retries(project: Project) -> None:
    project.files(
        test_a="""
            import os, signal, time
            def test_sleeps():
                time.sleep(600)
            def test_ignores_everything():
                signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64))
                time.sleep(600)
            def test_only_in_parallel():
                first = not os.path.exists("ran")
                open("ran", "w").close()
                assert not first
        """
    )
    run, events = traced(project, "-n2", "--test-timeout=1", "--timeout-grace=1", "--retry=1")
    tests = of_kind(events, "test")
    told = [(test["name"].split("::")[1], test["args"]) for test in tests]
    assert sorted((name, args.get("attempt", 1), args["outcome"]) for name, args in told) == [
        ("test_ignores_everything", 1, "timed out"),
        ("test_ignores_everything", 2, "timed out"),
        ("test_only_in_parallel", 1, "failed"),
        ("test_only_in_parallel", 2, "passed"),
        ("test_sleeps", 1, "timed out"),
        ("test_sleeps", 2, "timed out"),
    ], run.out
    slept = next(test for test in tests if "sleeps" in test["name"])
    assert re.search(r"test_a.py:\d+ in test_sleeps", slept["args"]["where"])
    assert {moment["name"] for moment in of_kind(events, "moment")} == {"over its time limit"}


def test_an_interrupted_run_has_its_timeline_up_to_there(project: Project) -> None:
    project.files(
        conftest="""
            import os, signal, threading
            def pytest_runtest_logreport(report):
                if "PYTEST_XDIST_WORKER" not in os.environ and report.when == "teardown":
                    threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
        """,
        test_a="import time\ndef test_fine(): pass\ndef test_long(): time.sleep(600)",
    )
    run, events = traced(project, "-n2")
    assert run.ret == 2, run.out + run.err
    told = outcomes(events)
    assert told["test_fine"] == "passed"
    assert told["test_long"] in ("interrupted", "failed")


def test_a_clock_that_tests_set_does_not_move_them(project: Project) -> None:
    project.files(
        test_a="""
            import time, pytest, _pytest.runner, _pytest.timing
            @pytest.fixture(scope="session", autouse=True)
            def frozen():
                with pytest.MonkeyPatch.context() as patch:
                    for module in (_pytest.timing, _pytest.runner.timing):
                        patch.setattr(module, "time", lambda: 1000.0)
                    yield
            @pytest.mark.parametrize("n", range(3))
            def test_it(n):
                time.sleep(0.2)
        """
    )
    _, events = traced(project, "-n1")
    one, two, three = sorted(of_kind(events, "test"), key=lambda event: event["name"])
    assert 0 < one["ts"] < stop(one) <= two["ts"] < stop(two) <= three["ts"]
    assert three["dur"] > 150_000


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "br", "line"):
            self.open.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        if tag != "line":
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_page_is_whole_and_needs_nothing_else(project: Project) -> None:
    project.files(
        test_a=MIXED,
        test_b="""
            import pytest
            @pytest.mark.parametrize("text", ["<script>alert(1)</script>", "\\x01", "ä&"])
            def test_named(text):
                assert "script" not in text
        """,
    )
    run = project.run("-n2", "--timeline=deep/er/t.html", "-q")
    page = _Page()
    source = (project.path / "deep/er/t.html").read_text()
    page.feed(source)
    assert not page.open
    assert not page.links
    assert "<script" not in source
    text = " ".join(page.text)
    assert "test_b.py::test_named[<script>alert(1)</script>]" in text
    assert "test_a.py::test_dies" in text
    run.match("outpace: timeline in *t.html")


def test_tests_too_short_to_be_seen_are_drawn_as_one() -> None:
    def one(number: int, start: float, seconds: float, outcome: str = "passed") -> record.Test:
        phases = [record.Phase("call", start, start + seconds, outcome)]
        return record.Test(0, number, f"test_a.py::test_{number}", start, phases=phases)

    short = [one(number, 1 + number * 0.001, 0.0009) for number in range(5000)]
    tests = [*short, one(5000, 7.0, 0.0009, "failed"), one(5001, 8.0, 90.0)]
    lane = record.Lane(0, announced=0.0, ready=1.0)
    source = page.render(record.Record(0.0, 100.0, "fork", 0.5, [lane], tests, [], [], []))
    assert "5000 short tests, 4.5 s" in source
    assert source.count("<rect") == 4, "the start, the short ones, the failure, the long one"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("t.txt", "*--timeline=t.txt: name a file that ends in .html*or .json*"),
        ("blocked/t.json", "*--timeline=blocked/t.json: */blocked/t.json cannot be written: *"),
        ("folder.html", "*--timeline=folder.html: */folder.html cannot be written: Is a directory"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_before_any_test(project: Project, given: str, message: str) -> None:
    project.files(test_a="def test_one(): open('ran', 'w').close()")
    project.write("blocked", "a file")
    (project.path / "folder.html").mkdir()
    run = project.run("-n2", f"--timeline={given}")
    assert run.ret == 4, run.out + run.err
    pytest.LineMatcher(run.err.splitlines()).fnmatch_lines([message])
    assert not (project.path / "ran").exists()


def test_the_check_leaves_nothing(project: Project, tmp_path: Path) -> None:
    project.files(test_a="def test_one(: pass")
    project.run("-n2", "--timeline=t.json", "--no-such-option")
    assert not (project.path / "t.json").exists()


def test_a_serial_run_says_that_there_is_none(project: Project) -> None:
    project.files(test_a="def test_one(): pass")
    run = project.run("-n0", "--timeline=t.json")
    assert run.ret == 0
    run.match("outpace: no timeline is written: that is for outpace's workers")
    assert not (project.path / "t.json").exists()


def test_without_the_option_nothing_of_it_is_imported(project: Project) -> None:
    project.files(
        conftest="""
            import sys
            def pytest_unconfigure():
                loaded = [name for name in sys.modules if name.startswith("outpace.timeline")]
                assert not loaded, loaded
        """,
        test_a="def test_one(): pass",
    )
    assert project.run("-n2").ret == 0
