"""Unit tests of the pure half of the parity tool: reading the list, comparing, classifying, reporting."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

if sys.version_info < (3, 11):  # noqa: UP036 - the project's other tests run on older ones
    pytest.skip("the parity tool needs Python 3.11", allow_module_level=True)

import parity
from paritylib import catalogue, compare, judge, junit, records, report, rules, runner
from paritylib.classify import NEVER_EXCUSED_BY_XDIST, classify
from paritylib.model import Difference, Mode, ParityError, Rule, Run, Suite, Verdicts

OUTCOMES = records.load_outcomes()
HERE = Path(__file__).parent


def a_report(nodeid: str, when: str = "call", outcome: str = "passed", **fields: Any) -> dict[str, Any]:
    return {
        "nodeid": nodeid, "when": when, "outcome": outcome, "wasxfail": None, "longrepr": "", "sections": [],
        "user_properties": [], "location": ["t.py", 1, "t"], "keywords": ["t"], "type": "TestReport", "worker": None,
        **fields,
    }  # fmt: skip


def a_warning(message: str) -> dict[str, Any]:
    return {"category": "UserWarning", "message": message, "file": "t.py", "line": 3, "when": "runtest", "nodeid": "t"}


def a_record(*reports: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"reports": list(reports), "collect": [], "warnings": [], "exitstatus": 0, **fields}


def kinds(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    return [d.kind for d in compare.compare(compare.Evidence(first, None), compare.Evidence(second, None), OUTCOMES)]


BASE = a_record(a_report("t.py::a"), a_report("t.py::b", sections=[["Captured stdout call", "hello"]]))


def changed(**fields: Any) -> dict[str, Any]:
    record = copy.deepcopy(BASE)
    record["reports"][0].update(fields)
    return record


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (BASE, []),
        (a_record(*BASE["reports"][:1]), ["test missing"]),
        (a_record(*BASE["reports"], a_report("t.py::c")), ["test added"]),
        (changed(outcome="failed"), ["phases"]),
        (a_record(*BASE["reports"], a_report("t.py::a", "teardown")), ["phases"]),
        (changed(longrepr=["t.py", 4, "Skipped: why"]), ["longrepr"]),
        (changed(sections=[["Captured log call", "x"]]), ["sections"]),
        (changed(wasxfail="reason"), ["wasxfail"]),
        (changed(keywords=["other"]), ["keywords"]),
        (a_record(*BASE["reports"], warnings=[a_warning("w")]), ["warning added"]),
        (a_record(*BASE["reports"], exitstatus=1), ["exit status"]),
        (a_record(*BASE["reports"], collect=[{"nodeid": "x", "longrepr": "boom"}]), ["collect reports"]),
        (changed(duration=3.0, worker="gw1"), []),
    ],
)  # fmt: skip
def test_every_kind_of_disagreement_is_found_and_named(second: dict[str, Any], expected: list[str]) -> None:
    assert kinds(BASE, second) == expected


def test_a_warning_of_the_serial_run_seen_again_is_not_a_new_warning() -> None:
    once, twice = (a_record(*BASE["reports"], warnings=[a_warning("w")] * n) for n in (1, 2))
    assert kinds(once, twice) == ["warning repeated"]
    assert kinds(twice, once) == ["warning missing"]


def test_the_key_of_an_outcome_holds_what_the_second_run_saw() -> None:
    failed, skipped = (
        compare.compare(compare.Evidence(BASE, None), compare.Evidence(changed(outcome=outcome), None), OUTCOMES)[0].key
        for outcome in ("failed", "skipped")
    )
    assert failed != skipped


def test_the_key_of_a_text_does_not_hold_the_text() -> None:
    one, two = (
        compare.compare(compare.Evidence(BASE, None), compare.Evidence(changed(longrepr=text), None), OUTCOMES)[0].key
        for text in ("x", "y")
    )
    assert one == two


def test_node_ids_with_every_awkward_character_are_parsed() -> None:
    nodeid = "t.py::f[a b] [call] longrepr: [('x', 'y')] != z]"
    first = a_record(a_report(nodeid))
    for second, kind in (
        (a_record(a_report(nodeid, longrepr="boom")), "longrepr"),
        (a_record(a_report(nodeid, outcome="failed")), "phases"),
        (a_record(), "test missing"),
    ):
        found = compare.compare(compare.Evidence(first, None), compare.Evidence(second, None), OUTCOMES)
        assert [d.kind for d in found] == [kind]
        assert found[0].key.startswith(nodeid)


def test_a_line_of_an_unknown_form_is_kept() -> None:
    assert records._parse("something new", set()) == Difference("other", "something new", "something new")


# ---------------------------------------------------------------- rules


def cleaned(text: str, *more: Rule) -> str:
    return rules.cleaner("/cache/run/click/serial", (*more, *rules.COMMON))(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("at /cache/run/click/t/test_a0/f", "at <basetemp>/test_a0/f"),
        ("at /cache/run/click/t/popen-gw3/test_a0/f", "at <basetemp>/test_a0/f"),
        ("/cache/run/click/serial/cache", "<run>/cache"),
        ("'/tmp/tmpab12_x9z/file'", "'<tempfile>/file'"),
        ("http://127.0.0.1:40123/x", "http://<port>/x"),
        ("2026-01-02 03:04:05,678 INFO x", "<time> INFO x"),
        ("2026-01-02 03:04:05 x", "2026-01-02 03:04:05 x"),
        ("/tmp/other/file", "/tmp/other/file"),
        ("10.0.0.1:80 and 12:30:45", "10.0.0.1:80 and 12:30:45"),
        ("popen-gw3 elsewhere", "popen-gw3 elsewhere"),
    ],
)
def test_the_common_rules_match_what_they_name_and_no_more(text: str, expected: str) -> None:
    assert cleaned(text) == expected


def test_a_rule_of_a_suite_applies() -> None:
    assert cleaned("pid 123", Rule(r"pid \d+", "pid #", "why")) == "pid #"


def test_cleaning_leaves_node_ids_alone() -> None:
    value = {"nodeid": "t[/tmp/tmpabcdefgh]", "longrepr": ["/tmp/tmpabcdefgh", 3]}
    expected = {"nodeid": "t[/tmp/tmpabcdefgh]", "longrepr": ["<tempfile>", 3]}
    assert rules.clean_strings(value, cleaned) == expected


# ---------------------------------------------------------------- junit


def xml(*cases: str, attributes: str = 'name="pytest" tests="2"') -> junit.Junit:
    text = f"<testsuites><testsuite {attributes}>{''.join(cases)}</testsuite></testsuites>"
    return junit.parse(text, str)


A = '<testcase classname="t" name="a" time="0.1"/>'
B = '<testcase classname="t" name="b" time="0.2"><system-out>hi</system-out></testcase>'


def test_times_host_and_order_do_not_count_in_junit() -> None:
    other = xml(B.replace("0.2", "9"), A, attributes='name="pytest" tests="2" hostname="h" timestamp="now" time="3"')
    assert junit.compare(xml(A, B), other) == []


@pytest.mark.parametrize(
    ("cases", "key"),
    [
        ([A], "junit t::b elements []"),
        ([A, B, B], "junit t::b elements [['testcase', 'system-out']]"),
        ([A, B.replace("hi", "ho")], "junit t::b text"),
        ([A, B.replace('name="b"', 'name="b" line="3"')], "junit t::b text"),
        ([A, B.replace("system-out", "system-err")], "junit t::b elements [['testcase', 'system-err']]"),
        ([A.replace("/>", "><skipped message='m'/></testcase>"), B], "junit t::a elements [['testcase', 'skipped']]"),
    ],
)
def test_junit_differences(cases: list[str], key: str) -> None:
    assert [d.key for d in junit.compare(xml(A, B), xml(*cases))] == [key]


def test_what_is_outside_the_junit_cases_counts() -> None:
    assert junit.compare(xml(A), xml(A, attributes='name="pytest" tests="3"'))
    with_property = xml("<properties><property name='p' value='v'/></properties>", A)
    assert junit.compare(with_property, xml(A))
    two = [f"<property name='{name}' value='v'/>" for name in "pq"]
    ab, ba = (xml(f"<properties>{''.join(order)}</properties>", A) for order in (two, two[::-1]))
    assert junit.compare(ab, ba) == []


@pytest.mark.parametrize(
    ("nodeid", "name"),
    [
        ("tests/test_a.py::f", "tests.test_a::f"),
        ("tests/test_a.py::Test::f[a::b/c.py-[]", "tests.test_a.Test::f[a::b/c.py-[]"),
        ("a.py::b.py::f", "a.b.py::f"),
    ],
)
def test_case_names(nodeid: str, name: str) -> None:
    assert junit.case_name(nodeid) == name


def test_what_the_reports_told_is_not_told_again_but_other_cases_are() -> None:
    failed = A.replace("/>", "><failure message='m'/></testcase>")
    totals = xml(failed, B.replace("hi", "ho"), attributes='name="pytest" tests="2" failures="1"')
    first = xml(A, B)
    found = junit.compare(first, totals, other_outcome={"t::a"})
    assert [d.key for d in found] == ["junit t::b text"]
    assert junit.compare(first, totals, other_outcome={"t::a"}, other_text={"t::b"}) == []
    keys = [d.key.split(" (")[0] for d in junit.compare(first, totals, other_text={"t::a", "t::b"})]
    assert keys[0] == "junit t::a elements [['testcase', 'failure']]"
    assert keys[1].startswith("junit outside the test cases")


def test_output_which_the_reports_differ_in_is_not_told_again() -> None:
    without = '<testcase classname="t" name="b" time="0.2"/>'
    assert junit.compare(xml(A, B), xml(A, without), other_text={"t::b"}) == []
    assert junit.compare(xml(A, B), xml(A, without))


def test_one_fault_is_one_difference() -> None:
    first = compare.Evidence(a_record(a_report("t.py::a")), xml(A))
    failed = xml(A.replace("/>", "><failure message='m'/></testcase>"), attributes='name="pytest" failures="1"')
    second = compare.Evidence(a_record(a_report("t.py::a", outcome="failed")), failed)
    assert [d.kind for d in compare.compare(first, second, OUTCOMES)] == ["phases"]


def test_a_junit_file_only_one_run_wrote_is_a_difference() -> None:
    found = compare.compare(compare.Evidence(BASE, xml(A)), compare.Evidence(BASE, None), OUTCOMES)
    assert [d.key for d in found] == ["junit file False"]


# ---------------------------------------------------------------- killed runs, processes, classification


def test_a_run_killed_at_the_limit_differs_from_one_that_ended() -> None:
    ended = compare.Evidence(BASE, None)
    assert [d.kind for d in compare.compare(ended, compare.KILLED, OUTCOMES)] == ["time limit"]
    assert compare.compare(ended, ended, OUTCOMES) == []


def test_processes_left_behind_are_a_difference_unless_the_serial_run_leaves_them_too() -> None:
    clean, dirty = compare.Evidence(BASE, None), compare.Evidence(BASE, None, leftovers=("sleep 9",))
    assert [d.kind for d in compare.compare(clean, dirty, OUTCOMES)] == ["processes"]
    assert compare.compare(dirty, dirty, OUTCOMES) == []


def diff(key: str, kind: str = "phases") -> Difference:
    return Difference(kind, key, "")


def test_only_evidence_excuses() -> None:
    found = [diff("a"), diff("b"), diff("c"), diff("d")]
    verdicts = classify(found, [[], [diff("a"), diff("d")]], [[diff("b")], [diff("d"), diff("other")]])
    assert verdicts == Verdicts(ours=[diff("c")], xdist=[diff("b")], flaky=[diff("a"), diff("d")])
    assert classify(found, [], []).ours == found


@pytest.mark.parametrize("kind", sorted(NEVER_EXCUSED_BY_XDIST))
def test_known_faults_of_xdist_excuse_nothing_but_serial_repeats_do(kind: str) -> None:
    found = [diff("w", kind)]
    assert classify(found, [[]], [found]).ours == found
    assert classify(found, [found], []).flaky == found


# ---------------------------------------------------------------- the list


ENTRY: dict[str, Any] = {"name": "x", "version": "1", "source": "installed"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"deslect": []}, "unknown key deslect"),
        ({"version": ""}, "missing version"),
        ({"source": "git"}, "source must be"),
        ({"source": "sdist"}, "needs its sha256"),
        ({"source": "sdist", "sha256": "12"}, "needs its sha256"),
        ({"deselect": [{"id": "t"}]}, "reason"),
        ({"deselect": [{"id": "t", "reason": ""}]}, "reason"),
        ({"normalise": [{"pattern": "t", "replacement": ""}]}, "reason"),
    ],
)
def test_a_bad_entry_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ParityError, match=message):
        catalogue.parse_suite({**ENTRY, **change})


def test_the_list_of_this_folder_is_good() -> None:
    listed = catalogue.load(HERE)
    assert len(listed.suites) >= 17
    fast = listed.select([], fast=True)
    assert 3 <= len(fast) <= 4
    assert listed.select(["flask"], fast=True)[0].name == "flask"
    with pytest.raises(ParityError, match="unknown suite nope"):
        listed.select(["nope"], fast=False)
    for suite in listed.suites:
        assert listed.constraints[catalogue.normalised_name(suite.name)] == suite.version
    for requirement in listed.common:
        assert catalogue.parse_pins(requirement).items() <= listed.constraints.items()


def test_pins() -> None:
    assert catalogue.parse_pins("A_b==1.0  # why\n\n# only a comment\n") == {"a-b": "1.0"}
    with pytest.raises(ParityError, match="not an exact pin"):
        catalogue.parse_pins("a>=1")


# ---------------------------------------------------------------- which engine ran


def a_run(folder: Path, mode: Mode, output: str, record: dict[str, Any] | None) -> Run:
    (folder / "output.txt").write_text(output)
    if record is not None:
        (folder / "outcomes.json").write_text(json.dumps(record))
    return Run(mode, 1.0, 0, folder)


FORK = Mode("outpace", 2, "fork")
HEADER = "outpace 0.1.0: start method fork (asked for), 2 workers\n"
BY_WORKERS = a_record(a_report("t", worker="gw0"))


@pytest.mark.parametrize(
    ("mode", "output", "record", "message"),
    [
        (FORK, HEADER, None, "no record"),
        (FORK, HEADER, a_record(), "no test ran"),
        (FORK, "2 workers [3 items]\n", BY_WORKERS, "header line is missing"),
        (FORK, HEADER.replace("fork", "spawn"), BY_WORKERS, "start method fork asked for"),
        (Mode("outpace", 2, "auto"), HEADER.replace("fork", "auto"), BY_WORKERS, "must not be forked"),
        (FORK, HEADER, a_record(a_report("t")), "name the workers"),
        (Mode("xdist", 2), HEADER, BY_WORKERS, "although it was switched off"),
        (Mode("xdist", 2), "", a_record(a_report("t")), "name the workers"),
        (Mode("serial"), "", BY_WORKERS, "name the workers"),
    ],
)
def test_a_run_of_the_wrong_engine_is_refused(
    tmp_path: Path, mode: Mode, output: str, record: dict[str, Any] | None, message: str
) -> None:
    with pytest.raises(ParityError, match=message):
        runner.verify_engine(a_run(tmp_path, mode, output, record))


@pytest.mark.parametrize(
    ("mode", "output", "record"),
    [(FORK, HEADER, BY_WORKERS), (Mode("xdist", 2), "", BY_WORKERS), (Mode("serial"), "", a_record(a_report("t")))],
)
def test_a_run_of_the_right_engine_is_accepted(tmp_path: Path, mode: Mode, output: str, record: dict[str, Any]) -> None:
    runner.verify_engine(a_run(tmp_path, mode, output, record))


def test_processes_of_a_run_that_outlive_it_are_named_and_ended() -> None:
    marker = "test-leftovers"
    environment = {**os.environ, runner._MARKER: marker}
    with subprocess.Popen(["sleep", "600"], env=environment) as process:
        assert runner.end_leftovers("another", 0.0) == []
        found: list[str] = []
        while not found and process.poll() is None:  # until the child has replaced this program's image
            found = runner.end_leftovers(marker, 0.0)
        process.wait(10)
    assert found == ["sleep 600"]


def test_engine_arguments() -> None:
    assert runner.engine_arguments(Mode("serial")) == ["-p", "no:outpace"]
    assert runner.engine_arguments(Mode("xdist", 4)) == ["-p", "no:outpace", "-n", "4"]
    assert runner.engine_arguments(FORK) == ["-n", "2", "--start-method", "fork"]
    assert runner.engine_arguments(Mode("outpace", "auto", "spawn")) == ["-n", "auto", "--start-method", "spawn"]


# ---------------------------------------------------------------- report


def a_result(**verdicts: list[Difference]) -> report.SuiteResult:
    suite = Suite("x", "1", "installed", "", (), (), (), (), False, 1.0)
    modes = [report.ModeResult(mode, 1.0, Verdicts(**verdicts), mode) for mode in (FORK, Mode("outpace", 4, "fork"))]
    return report.SuiteResult(suite, tests=5, serial_seconds=2.0, modes=modes)


def test_exit_codes() -> None:
    broken = a_result()
    broken.error = "no record"
    assert report.exit_code([a_result(), a_result(xdist=[diff("a")], flaky=[diff("b")])]) == 0
    assert report.exit_code([a_result(), a_result(ours=[diff("a")])]) == 1
    assert report.exit_code([broken, a_result(ours=[diff("a")])]) == 1
    assert report.exit_code([broken, a_result()]) == 2
    assert report.exit_code([]) == 2


def test_the_table_counts_a_difference_of_two_modes_once() -> None:
    text = report.markdown(
        [a_result(ours=[diff("a"), diff("b")], flaky=[diff("c")])], [FORK, Mode("outpace", 4, "fork")]
    )
    assert "| x | 1 | 5 | 2.0 | 1.0 | 1.0 | 2 | 0 | 1 |" in text
    assert "### x: ours (2)" in text
    assert "outpace-n2-fork, outpace-n4-fork" in text


def test_a_suite_that_must_not_be_forked_is_left_to_outpace() -> None:
    suite = Suite("x", "1", "installed", "", (), (), (), (), False, 1.0, unsafe_to_fork="a database per worker")
    spawn = Mode("outpace", 2, "spawn")
    left = judge.allowed(FORK, suite)
    assert (left.start_method, judge.allowed(spawn, suite)) == ("auto", spawn)
    assert judge.allowed(FORK, a_result().suite) == FORK
    result = report.SuiteResult(suite, 5, 0, 2.0, [report.ModeResult(left, 1.0, Verdicts(), FORK)])
    assert "| x | 1 | 5 | 2.0 | 1.0 (auto) | 0 | 0 | 0 |" in report.markdown([result], [FORK])


def test_the_json_holds_every_difference() -> None:
    document = report.as_json([a_result(ours=[diff("a")], xdist=[diff("b")])])
    found = json.loads(json.dumps(document))["suites"][0]["modes"][1]["differences"]
    assert [d["key"] for d in found["ours"]] == ["a"]
    assert [d["key"] for d in found["xdist"]] == ["b"]


@pytest.mark.parametrize(
    ("argv", "labels"),
    [
        (["--wheel", __file__], ["outpace-n2-fork", "outpace-n4-fork", "outpace-n2-spawn", "outpace-n4-spawn"]),
        (["--engine", "xdist", "--workers", "3"], ["xdist-n3"]),
        (["--engine", "xdist", "--workers", "2,auto"], ["xdist-n2", "xdist-nauto"]),
    ],
)
def test_modes_of_a_command_line(argv: list[str], labels: list[str]) -> None:
    assert [mode.label for mode in parity.modes(parity.parse_arguments(argv))] == labels


@pytest.mark.parametrize(
    "argv", [[], ["--wheel", "missing.whl"], ["--workers", "0"], ["--workers", "2,x"], ["--start-method", "thread"]]
)
def test_bad_command_lines(argv: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parity.parse_arguments(argv)
    assert caught.value.code == 2
