"""The lines on the terminal (contract 1.8); outpace's own header line comes on top of them."""

from __future__ import annotations

import re

import pytest
from project import ENGINE, Project

TWELVE = """
    import pytest
    @pytest.mark.parametrize("i", range(12))
    def test_f(i): assert i != 3
"""


@pytest.fixture
def twelve(project: Project) -> Project:
    return project.files(test_x=TWELVE)


def test_default(twelve: Project) -> None:
    run = twelve.run("-n2")
    start = run.lines.index("created: 2/2 workers")
    assert run.lines[start + 1] == "2 workers [12 items]"
    assert run.lines[start + 2] == ""
    assert re.fullmatch(r"[.F]{12} +\[100%\]", run.lines[start + 3])
    assert run.lines[start + 3].count("F") == 1
    assert run.err == ""


def test_singular(project: Project) -> None:
    project.files(test_x="def test_x(): pass").run("-n1").match("created: 1/1 worker", "1 worker [[]1 item[]]")


def test_verbose(twelve: Project) -> None:
    run = twelve.run("-n2", "-v")
    start = run.lines.index("scheduling tests via LoadScheduling")
    assert run.lines[start + 1] == ""
    progress = [
        line
        for line in run.lines
        if re.match(r"\[gw[01]\] \[ *\d+%\] (PASSED|FAILED) test_x\.py::test_f\[\d+\] ?$", line)
    ]
    assert len(progress) == 12
    assert [int(re.findall(r"(\d+)%", line)[0]) for line in progress] == [i * 100 // 12 for i in range(1, 13)]
    started = [line for line in run.lines if re.fullmatch(r"test_x\.py::test_f\[\d+\] ", line)]
    assert len(started) == 12


@pytest.mark.parametrize(
    ("dist", "name"),
    [("worksteal", "WorkStealingScheduling"), ("loadscope", "LoadScopeScheduling"), ("loadfile", "LoadFileScheduling"),
     ("loadgroup", "LoadGroupScheduling"), ("each", "EachScheduling")],
)  # fmt: skip
def test_scheduler_is_named(project: Project, dist: str, name: str) -> None:
    project.files(test_x="def test_x(): pass").run("-n1", "-v", f"--dist={dist}").match(f"scheduling tests via {name}")


def test_quiet(twelve: Project) -> None:
    run = twelve.run("-n2", "-q")
    assert not run.has("created: *")
    assert not run.has("2 workers *")
    assert any(re.fullmatch(r"[.F]{12} +\[100%\]", line) for line in run.lines)


def test_no_percentage_with_s(twelve: Project) -> None:
    run = twelve.run("-n2", "-s")
    assert any(re.fullmatch(r"[.F]{12}", line) for line in run.lines)


def test_failure_names_the_worker_and_the_rest_is_the_serial_text(twelve: Project) -> None:
    serial, run = twelve.plain(), twelve.run("-n2")
    blocks = [
        lines[_index(lines, "FAILURES") : _index(lines, "short test summary")] for lines in (serial.lines, run.lines)
    ]
    worker = [line for line in blocks[1] if re.match(r"\[gw[01]\] \w+ -- Python \d+\.\d+\.\d+ \S+$", line)]
    assert len(worker) == 1
    assert [line for line in blocks[1] if line not in worker] == blocks[0]
    assert (
        serial.lines[_index(serial.lines, "short test summary") : -1] == run.lines[_index(run.lines, "short test") : -1]
    )


def _index(lines: list[str], text: str) -> int:
    return next(number for number, line in enumerate(lines) if text in line)


def test_no_terminal_plugin_is_silent(project: Project) -> None:
    run = project.files(test_x="def test_x(): pass").run("-n2", "-p", "no:terminal")
    assert (run.ret, run.out, run.err) == (0, "", "")


@pytest.mark.skipif(ENGINE == "xdist", reason="plain xdist has no such line")
def test_header_line(project: Project) -> None:
    run = project.files(test_x="def test_x(): pass").run("-n2")
    own = [line for line in run.lines if line.startswith("outpace ")]
    assert len(own) == 1
    assert re.match(r"outpace \d+\.\d+", own[0])
    assert "2 workers" in own[0]
    assert re.search("fork|spawn|start method", own[0])


def test_header_is_absent_without_distribution(project: Project) -> None:
    """Nor does ``-q`` show it."""
    project.files(test_x="def test_x(): pass")
    for args in ((), ("-n0",), ("-n2", "-q")):
        assert not any(line.startswith("outpace ") for line in project.run(*args).lines)


def test_serial_run_is_untouched(twelve: Project) -> None:
    """Installed, and not asked to distribute: pytest's own output to the letter."""
    lines = [
        [re.sub(r"in [\d.]+s", "in #s", line) for line in twelve_run.lines]
        for twelve_run in (twelve.plain(), twelve.run())
    ]
    plugins = [[line for line in one if not line.startswith("plugins: ")] for one in lines]
    assert [re.sub("=+", "=", line) for line in plugins[0]] == [re.sub("=+", "=", line) for line in plugins[1]]


@pytest.mark.parametrize("args", [("--no-header",), ("--no-summary",), ("-rA",), ("--tb=line",), ("--tb=no",)])
def test_reporting_options_print_what_a_serial_run_prints(twelve: Project, args: tuple[str, ...]) -> None:
    serial, run = twelve.plain(*args), twelve.run("-n2", *args)
    assert _summary(serial.lines) == _summary(run.lines)


def _summary(lines: list[str]) -> list[str]:
    """The lines after the progress, without times; ``-rA`` lists passes in the order they came, so sorted."""
    start = next(number for number, line in enumerate(lines) if line.endswith("[100%]"))
    cleaned = (re.sub(r"in [\d.]+s|^\[gw\d\].*$|=", "", line).strip() for line in lines[start + 1 :])
    return sorted(line for line in cleaned if line)
