"""``--retry``: what failed beside others runs again alone, and is named when it passes then."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from project import ENGINE, Project

pytestmark = pytest.mark.skipif(ENGINE == "xdist", reason="outpace's own")

BROKEN = "def test_broken():\n    open('broken', 'a').write('x')\n    assert False\n"
FINE = "import pytest\n@pytest.mark.parametrize('n', range(6))\ndef test_fine(n): pass\n"
# The first fails while both have had their first attempt only.
NEVER_TOGETHER = """
    import os, pathlib, pytest, time
    @pytest.mark.parametrize("number", range(2))
    def test_meet(number, worker_id):
        with open("attempts", "a") as file:
            file.write(f"{number} {worker_id}\\n")
        if len(pathlib.Path("attempts").read_text().splitlines()) <= 2:
            time.sleep(0.3)
            assert number == 1
"""


def attempts(project: Project) -> list[str]:
    return (project.path / "attempts").read_text().splitlines()


def test_passes_alone(project: Project) -> None:
    project.files(test_a=NEVER_TOGETHER, test_b=FINE)
    run = project.run("-n2", "--retry-alone", "--junitxml=junit.xml")
    assert run.ret == 1, run.out
    assert run.counts["passed"] == 7
    run.match(
        "*outpace: 1 test fails only in parallel*",
        "test_a.py::test_meet?0? failed in call on gw*",
        "*assert 0 == 1*",
        "*beside it ran: *test_?.py::test_*",
        "*alone it passed*",
        "*7 passed, 1 rerun, 1 only in parallel*",
    )
    lines = attempts(project)
    assert len(lines) == 3 and lines[2].startswith("0 ")
    assert lines[2].split()[1] not in {line.split()[1] for line in lines[:2]}, "a fresh worker"
    cases = ET.parse(project.path / "junit.xml").findall(".//testcase")
    assert len(cases) == 8
    (marked,) = [case for case in cases if case.findall("./properties/property[@name='outpace']")]
    assert marked.get("name") == "test_meet[0]" and not marked.findall("./failure")


@pytest.mark.parametrize("quiet", ["-q", "-qq"])
def test_what_fails_the_run_is_told_however_quiet_it_is(project: Project, quiet: str) -> None:
    project.files(test_a=NEVER_TOGETHER, test_b=FINE)
    run = project.run("-n2", "--retry-alone", quiet)
    assert run.ret == 1, run.out
    run.match("*outpace: 1 test fails only in parallel*", "*assert 0 == 1*", "*beside it ran: *")


def test_need_not_fail_the_run(project: Project) -> None:
    project.files(test_a=NEVER_TOGETHER, test_b=FINE).ini("outpace_retry = 1\noutpace_only_in_parallel = pass")
    run = project.run("-n2")
    assert run.ret == 0, run.out
    run.match("*outpace: 1 test fails only in parallel*")


def test_fails_alone_too(project: Project) -> None:
    project.files(test_a=BROKEN, test_b=FINE)
    run = project.run("-n2", "--retry=2", record=True)
    assert run.ret == 1
    assert run.counts["failed"] == 1 and run.counts["passed"] == 6
    run.match("*1 failed, 6 passed, 2 rerun*")
    run.no_match("*only in parallel*")
    assert (project.path / "broken").read_text() == "xxx"
    assert run.out.count("assert False") >= 1


def test_nothing_runs_beside_a_retry(project: Project) -> None:
    project.files(
        test_a="""
        import pathlib, time
        import pytest
        @pytest.mark.parametrize("number", range(6))
        def test_crowd(number):
            begin = time.monotonic()
            time.sleep(0.1)
            with open("spans", "a") as file:
                file.write(f"{begin} {time.monotonic()}\\n")
            assert False
        """
    )
    run = project.run("-n3", "--retry-alone")
    assert run.counts["failed"] == 6
    spans = [tuple(map(float, line.split())) for line in (project.path / "spans").read_text().splitlines()]
    assert len(spans) == 12
    again = spans[6:]
    assert all(begin >= max(end for _, end in spans[: 6 + place]) for place, (begin, _) in enumerate(again))


def test_a_stop_reports_what_was_held_back(project: Project) -> None:
    project.files(
        test_a="""
        import pytest
        def test_a(): assert False, "held back"
        def test_b(): pytest.exit("enough", 7)
        """
    )
    run = project.run("-n1", "--retry-alone")
    assert run.ret == 7
    run.match("*1 failed*")


def test_maxfail_counts_last_attempts(project: Project) -> None:
    project.files(test_a=NEVER_TOGETHER, test_b=FINE)
    run = project.run("-n2", "-x", "--retry-alone")
    assert run.counts["passed"] == 7, run.out


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_both_start_methods(project: Project, method: str) -> None:
    project.files(test_a=NEVER_TOGETHER)
    run = project.run("-n2", "--retry-alone", f"--start-method={method}")
    run.match("*1 passed, 1 rerun, 1 only in parallel*")


def test_without_the_option_nothing_runs_again(project: Project) -> None:
    project.files(test_a=BROKEN)
    run = project.run("-n2")
    assert run.ret == 1 and (project.path / "broken").read_text() == "x"


@pytest.mark.parametrize(
    ("args", "ini", "message"),
    [
        (("--retry=-1",), "", "--retry=-1: not a number of attempts"),
        (("--retry=x",), "", "invalid int value: 'x'"),
        ((), "outpace_retry = often", "outpace_retry = 'often'*not a number of attempts"),
        ((), "outpace_only_in_parallel = perhaps", "*choose from fail, pass"),
    ],
)
def test_bad_values(project: Project, args: tuple[str, ...], ini: str, message: str) -> None:
    project.files(test_a=BROKEN).ini(ini)
    run = project.run("-n2", *args)
    assert run.ret == 4, run.out + run.err
    pytest.LineMatcher((run.out + run.err).splitlines()).fnmatch_lines([f"*{message}*"])


CRASHES_BESIDE = """
    import os, pathlib, pytest, signal
    @pytest.mark.parametrize("number", range(2))
    def test_meet(number, worker_id):
        with open("attempts", "a") as file:
            file.write(f"{number} {worker_id}\\n")
        if len(pathlib.Path("attempts").read_text().splitlines()) <= 2 and number == 0:
            os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_crash_is_a_failure_like_any_other(project: Project) -> None:
    project.files(test_a=CRASHES_BESIDE, test_b=FINE)
    run = project.run("-n2", "--retry-alone", "--junitxml=junit.xml", record=True)
    assert run.ret == 1, run.out
    run.match(
        "*outpace: 1 test fails only in parallel*",
        "test_a.py::test_meet?0? crashed on gw*",
        "*worker 'gw?' crashed while running 'test_a.py::test_meet?0?'*",
        "call: signal 9 (SIGKILL)",
        "*alone it passed*",
        "*7 passed, 1 rerun, 1 only in parallel*",
    )
    lines = attempts(project)
    assert len(lines) == 3 and lines[2].startswith("0 ")
    assert lines[2].split()[1] not in {line.split()[1] for line in lines[:2]}, "a fresh worker"
    cases = ET.parse(project.path / "junit.xml").findall(".//testcase")
    assert len(cases) == 8
    assert not any(case.findall("./failure") or case.findall("./error") for case in cases)


def test_a_crash_alone_too(project: Project) -> None:
    source = "import os\ndef test_broken():\n    open('broken', 'a').write('x')\n    os._exit(3)\n"
    project.files(test_a=source, test_b=FINE)
    run = project.run("-n2", "--retry=2")
    assert run.ret == 1
    run.match("*worker 'gw*' crashed while running 'test_a.py::test_broken'*", "*1 failed, 6 passed, 2 rerun*")
    run.no_match("*only in parallel*")
    run.no_match("*were not run*")
    assert (project.path / "broken").read_text() == "xxx"


def test_a_test_that_is_killed_for_its_time(project: Project) -> None:
    source = """
        import pathlib, signal, time
        def test_slow():
            with open("slow", "a") as file: file.write("x")
            if pathlib.Path("slow").read_text() == "x":
                signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
                time.sleep(600)
    """
    project.files(test_a=source, test_b=FINE)
    run = project.run("-n2", "--retry-alone", "--test-timeout=1", "--timeout-grace=0.2")
    assert run.ret == 1, run.out
    run.match("*outpace: 1 test fails only in parallel*", "test_a.py::test_slow crashed on gw*", "Timeout: *")
    run.match("*6 passed, 1 rerun, 1 only in parallel*")
