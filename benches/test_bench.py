"""Tests of the bench itself: its figures from made-up runs, its measurements against known loads, its suites."""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import bench
import pytest
import steady
from benchlib import summary
from benchlib.measure import Sample, environment, passed_tests, run
from benchlib.plot import svg
from benchlib.processes import descendants, parse_stat
from benchlib.runners import RUNNERS
from benchlib.sampler import ProgramUse
from benchlib.session import Experiment, Outcome
from benchlib.summary import Spread
from benchlib.tables import as_json, complaints, report, section
from benchlib.targets import CORE, LONGEST, PLANS, judge, verdict_table
from suites import SUITES, Options, generate

GOOD = Sample(wall=2.0, cpu=4.0, first_test=0.5, exit_code=0, passed=10, left_behind=0)


def outcome(suite: str = "tiny", **walls: list[float]) -> Outcome:
    """Timed runs that differ in their wall time only; CPU is twice that."""
    names = {name.replace("_", "-"): values for name, values in walls.items()}
    experiment = Experiment(suite, 2, [RUNNERS[name] for name in names], lambda folder: None)
    timed = {name: [replace(GOOD, wall=wall, cpu=2 * wall) for wall in values] for name, values in names.items()}
    return Outcome(experiment, timed=timed, passed=10)


class TestFigures:
    def test_a_spread_is_median_least_and_most(self) -> None:
        assert summary.spread([3, 1, 2, 10]) == Spread(2.5, 1, 10, 4)
        assert summary.spread([]) is None

    def test_ratios_are_taken_within_each_round(self) -> None:
        made = outcome(serial=[1, 10, 2], outpace=[2, 5, 2])
        # The ratio of the medians would be 1.0, as well; that of the means 0.69.
        assert summary.ratios(made.timed["outpace"], made.timed["serial"], summary.wall) == Spread(1, 0.5, 2, 3)

    def test_differences_are_taken_within_each_round(self) -> None:
        made = outcome(serial=[1, 10, 2], outpace=[2, 5, 2.5])
        assert summary.differences(made.timed["outpace"], made.timed["serial"], summary.wall) == Spread(0.5, -5, 1, 3)

    @pytest.mark.parametrize(
        "bad", [replace(GOOD, exit_code=1), replace(GOOD, timed_out=True), replace(GOOD, proved=False)]
    )
    def test_a_round_with_a_bad_run_is_left_out(self, bad: Sample) -> None:
        samples = [replace(GOOD, wall=1.0), replace(bad, wall=0.001), replace(GOOD, wall=3.0)]
        assert summary.figures(samples, summary.wall) == Spread(2, 1, 3, 2)
        assert summary.ratios([GOOD] * 3, samples, summary.wall) == Spread((2 + 2 / 3) / 2, 2 / 3, 2, 2)

    def test_a_figure_that_a_run_lacks_is_left_out(self) -> None:
        samples = [replace(GOOD, first_test=None), GOOD]
        assert summary.figures(samples, summary.first_test) == Spread(0.5, 0.5, 0.5, 1)
        assert summary.figures(samples, summary.peak_pss) is None


class TestTables:
    def test_a_section(self) -> None:
        text = section(outcome(serial=[4, 4, 5], outpace=[2, 1, 3]), "serial")
        assert "### tiny, -n 2, cold" in text
        cells = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| outpace")]
        assert cells == [
            ["outpace", "2.00", "1.00 – 3.00", "0.50 (0.25 – 0.60)", "4.00", "0.50 (0.25 – 0.60)", "0.50", "3 of 3"]
        ]

    def test_every_row_has_as_many_cells_as_the_header(self) -> None:
        made = outcome(serial=[1], outpace=[1])
        made.sampled = {"serial": [replace(GOOD, peak_pss=50_000_000)]}
        rows = [line for line in section(made, "serial").splitlines() if line.startswith("|")]
        assert len(rows) == 4
        assert len({row.count("|") for row in rows}) == 1
        assert "peak PSS, MB" in rows[0]

    @pytest.mark.parametrize(
        ("change", "text"),
        [
            ({"exit_code": 1}, "outpace failed in 1 of 2 runs"),
            ({"timed_out": True, "exit_code": -9}, "outpace timed out in 1 of 2 runs"),
            ({"passed": 9}, "outpace did not pass 10 tests in 1 of 2 runs"),
            ({"proved": False}, "outpace was not what ran the tests in 1 of 2 runs"),
            ({"left_behind": 2}, "outpace left processes behind in 1 of 2 runs"),
            ({"lost_cpu": 1.0}, "outpace used CPU time that was not counted in 1 of 2 runs"),
        ],
    )
    def test_a_run_that_went_wrong_is_named(self, change: dict[str, object], text: str) -> None:
        made = outcome(outpace=[1, 1])
        assert complaints(made) == []
        made.timed["outpace"][1] = replace(GOOD, **change)  # type: ignore[arg-type]
        assert complaints(made) == [text]
        assert f"- {text}" in section(made, "serial")

    def test_the_report_and_the_json_hold_every_experiment(self) -> None:
        made = [outcome("tiny", serial=[1]), outcome("cpu", serial=[1])]
        text = report({"processor": "one"}, made, "serial", 1)
        assert [line for line in text.splitlines() if line.startswith("#")] == [
            "### tiny, -n 2, cold",
            "### cpu, -n 2, cold",
        ]
        data = as_json({"processor": "one"}, made, "serial")
        assert [experiment["suite"] for experiment in data["experiments"]] == ["tiny", "cpu"]
        assert data["experiments"][0]["timed"]["serial"][0]["wall"] == 1


class TestTargets:
    @staticmethod
    def outcomes() -> dict[str, Outcome]:
        """Every target met, each just so."""
        tiny = outcome("tiny", serial=[1.0], xdist_load=[1.4], xdist_worksteal=[1.3], outpace=[0.845])
        tiny.timed["outpace"] = [replace(GOOD, wall=0.845, cpu=2.6)]
        use = ProgramUse(cpu=0.02, peak_pss=20_000_000)
        tiny.sampled = {"outpace": [replace(GOOD, wall=1.0, peak_pss=1, programs={"outpace": use})]}
        onefile = outcome("onefile", serial=[0.5], outpace=[0.65])
        imports = outcome("imports", serial=[3.0], xdist_load=[9.0], xdist_worksteal=[9.0], outpace=[3.0])
        imports.timed["outpace"] = [replace(GOOD, first_test=0.8)]
        sizes = {"serial": 100, "xdist-load": 100, "xdist-worksteal": 110, "outpace": 35}
        imports.sampled = {name: [replace(GOOD, peak_pss=size)] for name, size in sizes.items()}
        return {"tiny": tiny, "onefile": onefile, "imports": imports}

    def words(self, outcomes: dict[str, Outcome]) -> list[str]:
        return [verdict.word for verdict in judge("core", outcomes)]

    def test_a_figure_at_its_limit_meets_the_target(self) -> None:
        assert self.words(self.outcomes()) == ["met"] * len(CORE) == ["met"] * 8

    @pytest.mark.parametrize(
        ("suite", "change", "missed"),
        [
            ("tiny", {"wall": 0.845, "cpu": 2.7}, {0}),
            ("tiny", {"wall": 0.9, "cpu": 2.6}, {1, 2}),
            ("onefile", {"wall": 0.66}, {3}),
            ("imports", {"first_test": 0.81}, {5}),
        ],
    )
    def test_a_figure_above_its_limit_misses_the_target(
        self, suite: str, change: dict[str, float], missed: set[int]
    ) -> None:
        outcomes = self.outcomes()
        outcomes[suite].timed["outpace"] = [replace(GOOD, **change)]  # type: ignore[arg-type]
        assert {index for index, word in enumerate(self.words(outcomes)) if word == "missed"} == missed

    @pytest.mark.parametrize(("cpu", "pss", "missed"), [(0.031, 1, {6}), (0.01, 20_100_000, {7})])
    def test_the_coordinator(self, cpu: float, pss: int, missed: set[int]) -> None:
        outcomes = self.outcomes()
        use = ProgramUse(cpu=cpu, peak_pss=pss)
        outcomes["tiny"].sampled["outpace"] = [replace(GOOD, wall=1.0, programs={"outpace": use})]
        assert {index for index, word in enumerate(self.words(outcomes)) if word == "missed"} == missed

    def test_memory_is_compared_with_the_xdist_mode_that_uses_less(self) -> None:
        outcomes = self.outcomes()
        outcomes["imports"].sampled["outpace"] = [replace(GOOD, peak_pss=36)]
        assert self.words(outcomes)[4] == "missed"

    def test_without_runs_nothing_is_met(self) -> None:
        assert set(self.words({})) == {"not measured"}

    @pytest.mark.parametrize("bad", [replace(GOOD, passed=9), replace(GOOD, exit_code=1), replace(GOOD, proved=False)])
    def test_a_wrong_run_meets_nothing(self, bad: Sample) -> None:
        outcomes = self.outcomes()
        for made in outcomes.values():
            made.timed["outpace"].append(bad)
        assert set(self.words(outcomes)) == {"not measured"}

    def test_the_table_gives_each_target_a_row(self) -> None:
        text = verdict_table(judge("core", self.outcomes()))
        assert text.count("| met |") == 8
        assert "| ≤ 0.15 s | 0.150 s (0.150 – 0.150) | met |" in text

    @pytest.mark.parametrize("plan", PLANS)
    def test_each_target_is_about_what_its_plan_runs(self, plan: str) -> None:
        outcomes = {}
        for suite, workers, sampled, names in PLANS[plan][1]:
            experiment = Experiment(suite, workers, [RUNNERS[name] for name in names], lambda folder: None)
            made = outcomes[suite] = Outcome(experiment, {name: [GOOD] for name in names}, passed=10)
            use = {"outpace": ProgramUse(cpu=0.01, peak_pss=1)}
            if sampled:
                made.sampled = {name: [replace(GOOD, peak_pss=100, programs=use)] for name in names}
        assert "not measured" not in {verdict.word for verdict in judge(plan, outcomes)}

    def test_the_least_there_can_be(self) -> None:
        # Starts after 0.5 s, computes 3.5 s on two cores; or has a test that is longer.
        serial = replace(GOOD, wall=9.0, cpu=4.0, first_test=0.5)
        for suite, least in (("skewed", 2.25), ("waiting", 0.5 + max(1.75, LONGEST["waiting"]))):
            made = outcome(suite, serial=[9.0], outpace_warm=[least * 1.25], outpace_auto_warm=[least * 1.25])
            made.timed["serial"] = [serial]
            found = {verdict.target.text: verdict for verdict in judge("speed", {suite: made})}
            verdict = found[f"{suite}: wall to the least there can be, warm"]
            assert verdict.value == Spread(1.25, 1.25, 1.25, 1)
            assert verdict.word == "met"


class TestPlot:
    def test_each_runner_has_a_bar_as_long_as_its_ratio(self) -> None:
        text = svg([outcome("tiny", serial=[4, 4, 4], outpace=[2, 1, 3]), outcome("cpu", serial=[1])], "serial")
        root = ElementTree.fromstring(text)
        rows = {rect.get("fill"): float(rect.get("width") or 0) for rect in root if rect.tag.endswith("rect")}
        assert rows["#2f6fb2"] == pytest.approx(rows["#9e9e9e"] / 2)
        labels = [element.text for element in root if element.tag.endswith("text")]
        assert "tiny, -n 2" in labels and "cpu, -n 2" in labels and "0.50" in labels

    def test_a_runner_that_failed_has_none(self) -> None:
        made = outcome("tiny", serial=[1.0], outpace=[1.0])
        made.timed["outpace"] = [replace(GOOD, exit_code=1)]
        assert "#2f6fb2" not in svg([made], "serial")


class TestRunners:
    def test_a_command_has_its_number_of_workers(self) -> None:
        assert RUNNERS["zygote"].command(Path("v"), 4) == ["v/zygote/bin/pytest", "--workers", "4"]
        assert RUNNERS["xdist-load"].command(Path("v"), 8)[1:] == ["-p", "no:outpace", "-n", "8", "--dist", "load"]

    def test_outpace_is_not_taken_for_installed_where_only_xdist_is(self, tmp_path: Path) -> None:
        programs = tmp_path / "main" / "bin"
        programs.mkdir(parents=True)
        (programs / "pytest").touch()
        assert RUNNERS["xdist-load"].installed(tmp_path)
        assert not RUNNERS["outpace"].installed(tmp_path)
        (programs / "outpace").touch()
        assert RUNNERS["outpace"].installed(tmp_path)

    def test_there_is_nothing_to_measure_without_a_runner(self, tmp_path: Path) -> None:
        with pytest.raises(SystemExit, match="2"):
            bench.main(["--suite", "tiny", "--venvs", str(tmp_path)])


BURN = """
import os, signal, subprocess, sys, time
def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
"""


def python(code: str, tmp_path: Path, **options: object) -> Sample:
    return run([sys.executable, "-c", BURN + code], tmp_path, **options)  # type: ignore[arg-type]


class TestMeasuring:
    def test_the_time_of_the_whole_tree_counts(self, tmp_path: Path) -> None:
        """A child that is waited for, one that is not, and a grandchild that outlives both; 0.2 s each."""
        code = """
if os.fork() == 0:
    if os.fork() == 0:
        time.sleep(0.5)
        burn(0.2)
        os._exit(0)
    burn(0.2)
    os._exit(0)
os.wait()
if os.fork() == 0:
    burn(0.2)
    os._exit(0)
burn(0.2)
"""
        sample = python(code, tmp_path)
        assert sample.ok
        assert 0.78 <= sample.cpu < 1.1
        assert (sample.left_behind, sample.lost_cpu) == (0, 0)

    def test_time_that_wait4_misses_is_noticed(self, tmp_path: Path) -> None:
        code = """
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
if os.fork() == 0:
    burn(0.6)
    os._exit(0)
try:
    os.wait()
except ChildProcessError:
    pass
"""
        sample = python(code, tmp_path, sampled=True)
        assert sample.cpu < 0.4
        assert sample.lost_cpu > 0.2

    def test_what_is_left_behind_is_counted_and_killed(self, tmp_path: Path) -> None:
        code = """
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print(child.pid)
open("pid", "w").write(str(child.pid))
"""
        sample = python(code, tmp_path)
        assert sample.left_behind == 1
        assert sample.wall < 10
        assert not Path("/proc", (tmp_path / "pid").read_text()).exists()

    def test_an_interrupted_run_leaves_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def interrupted(*_: object) -> bool:
            deadline = time.monotonic() + 10
            while not (tmp_path / "pid").exists() and time.monotonic() < deadline:
                time.sleep(0.01)
            raise KeyboardInterrupt

        monkeypatch.setattr("benchlib.measure._watch", interrupted)
        with pytest.raises(KeyboardInterrupt):
            python(
                """
child = subprocess.Popen(["sleep", "600"], start_new_session=True)
open("part", "w").write(str(child.pid))
os.rename("part", "pid")
time.sleep(600)
""",
                tmp_path,
            )
        assert not Path("/proc", (tmp_path / "pid").read_text()).exists()

    def test_a_run_that_takes_too_long_is_stopped(self, tmp_path: Path) -> None:
        sample = python("time.sleep(600)", tmp_path, timeout=0.5)
        assert sample.timed_out
        assert not sample.ok
        assert 0.5 <= sample.wall < 10

    def test_shared_memory_counts_once(self, tmp_path: Path) -> None:
        code = """
block = bytearray(b"x") * 100_000_000
os.fork()
os.fork()
time.sleep(1)
"""
        sample = python(code, tmp_path, sampled=True)
        assert sample.peak_pss is not None
        assert 100e6 < sample.peak_pss < 150e6
        assert sample.peak_count == 4
        (use,) = (use for name, use in sample.programs.items() if name.startswith("python"))
        assert (use.peak_count, use.peak_pss) == (4, sample.peak_pss)

    def test_wall_time_and_exit_code(self, tmp_path: Path) -> None:
        sample = python("time.sleep(0.5); sys.exit(3)", tmp_path)
        assert (sample.exit_code, sample.ok) == (3, False)
        assert 0.5 <= sample.wall < 5
        assert sample.cpu < 0.5

    @pytest.mark.parametrize(("proof", "ok"), [("^engine ", True), ("^gine ", False), ("", True)])
    def test_a_runner_is_known_by_its_line(self, tmp_path: Path, proof: str, ok: bool) -> None:
        assert python("print('first'); print('engine 1.0')", tmp_path, proof=proof).ok is ok

    def test_what_would_spoil_a_measurement_is_not_handed_down(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("PYTHONDONTWRITEBYTECODE", "PYTEST_ADDOPTS", "PYTEST_XDIST_AUTO_NUM_WORKERS", "KEPT"):
            monkeypatch.setenv(name, "1")
        found = environment({"ADDED": "2"})
        assert (found["KEPT"], found["ADDED"]) == ("1", "2")
        assert not {"PYTHONDONTWRITEBYTECODE", "PYTEST_ADDOPTS", "PYTEST_XDIST_AUTO_NUM_WORKERS"} & found.keys()

    @pytest.mark.parametrize(
        ("output", "passed"),
        [
            (b"=== 100 passed in 0.1s ===", 100),
            (b"2 passed\n1 failed, 99 passed", 99),
            (b"no tests ran", None),
        ],
    )
    def test_the_last_line_says_how_many_passed(self, output: bytes, passed: int | None) -> None:
        assert passed_tests(output) == passed

    def test_a_process_name_may_hold_anything(self) -> None:
        line = "7 (a) b (c) S 5 7 7 0 -1 0 0 0 0 0 150 50 0 0 20 0 1 0 999 0"
        process = parse_stat(line)
        assert (process.pid, process.parent, process.state, process.started) == (7, 5, "S", 999)
        assert process.cpu == pytest.approx(2.0)

    def test_descendants_are_found_at_any_depth(self) -> None:
        chain = [parse_stat(f"{pid} (x) S {parent}" + " 0" * 20) for pid, parent in ((2, 1), (3, 2), (4, 3), (9, 8))]
        assert {process.pid for process in descendants(chain, 1)} == {2, 3, 4}


class TestSuites:
    @pytest.mark.parametrize("name", SUITES)
    def test_a_suite_is_the_same_every_time(self, name: str) -> None:
        assert SUITES[name](Options()) == SUITES[name](Options())

    def test_another_seed_gives_another_suite(self) -> None:
        assert SUITES["cpu"](Options(seed=1)) != SUITES["cpu"](Options(seed=2))

    @pytest.mark.parametrize(
        ("name", "tests"), [("tiny", 10_000), ("onefile", 100), ("waiting", 400), ("cpu", 400), ("skewed", 200)]
    )
    def test_the_number_of_tests(self, name: str, tests: int) -> None:
        assert sum(text.count("def test_") for text in SUITES[name](Options()).values()) == tests

    @staticmethod
    def total(name: str, call: str) -> float:
        texts = [text for path, text in SUITES[name](Options()).items() if path.startswith("test_")]
        return sum(map(float, re.findall(rf"{call}\(([\d.]+)\)", "".join(texts))))

    def test_the_work_is_what_is_said(self) -> None:
        assert self.total("waiting", r"sleep") == pytest.approx(79, rel=0.01)
        assert self.total("waiting", r"burn") == pytest.approx(8_000, rel=0.05)
        assert self.total("cpu", r"burn") == pytest.approx(30_000, rel=0.01)
        heavy = SUITES["skewed"](Options())["test_a_heavy_00.py"]
        assert heavy.count("burn(80)") * 80 / self.total("skewed", r"burn") == pytest.approx(0.8)

    @pytest.mark.parametrize("in_conftest", [False, True])
    def test_two_thirds_of_the_modules_import_the_package(self, in_conftest: bool, tmp_path: Path) -> None:
        generate("imports", tmp_path / "suite", Options(in_conftest=in_conftest))
        tests = list((tmp_path / "suite").glob("test_*.py"))
        assert sum("heavy" in test.read_text() for test in tests) / len(tests) == pytest.approx(2 / 3)
        assert ("import heavy" in (tmp_path / "suite" / "conftest.py").read_text()) is in_conftest

    # Whether `timed` passes is up to the machine.
    @pytest.mark.parametrize("name", sorted(SUITES.keys() - {"timed"}))
    def test_a_suite_passes_and_notes_its_first_test(self, name: str, tmp_path: Path) -> None:
        generate(name, tmp_path / "suite", Options(scale=0.02))
        sample = run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"], tmp_path / "suite")
        assert sample.ok
        assert sample.passed
        assert sample.first_test is not None
        assert 0 < sample.first_test < sample.wall

    def test_a_folder_in_use_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        script = Path(__file__).with_name("suites.py")
        done = subprocess.run(
            [sys.executable, str(script), "tiny", str(tmp_path)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 2
        assert "is not empty" in done.stderr
        assert [path.name for path in tmp_path.iterdir()] == ["file"]


class TestSteady:
    def test_a_test_that_ends_otherwise_in_some_run_is_named(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "conftest.py").write_text("def pytest_addoption(parser): parser.addoption('--beside')\n")
        (tmp_path / "test_a.py").write_text(
            "def test_same(): pass\n"
            "def test_other(request): assert not request.config.getoption('--beside')\n"
            "def test_fails(): assert 0\n"
        )
        command = [str(tmp_path), "--runs", "2"]
        assert steady.main([*command, "--", "--beside=yes"]) == 1
        assert "  2 of 2 runs: test_a::test_other\n" in capsys.readouterr().out
        assert steady.main([*command, "--", "-v"]) == 0
        out = capsys.readouterr().out
        assert out.startswith("serial: 3 tests, {'passed': 2, 'failure': 1}\n")
        assert out.endswith("run 2 of 2: 0 differ\n")


class TestCommand:
    """The whole command, with programs in the place of runners that only say what runners say."""

    @pytest.fixture
    def venvs(self, tmp_path: Path) -> Path:
        programs = tmp_path / "venvs" / "main" / "bin"
        programs.mkdir(parents=True)
        (programs / "python").symlink_to(sys.executable)
        (programs / "outpace").touch()
        (programs / "pytest").write_text('#!/bin/sh\necho "outpace 1.0"\necho "== 7 passed in 0.01s =="\n')
        (programs / "pytest").chmod(0o755)
        return tmp_path / "venvs"

    def test_check_judges_every_target(self, venvs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        files = ["--json", str(tmp_path / "samples.json"), "--markdown", str(tmp_path / "table.md")]
        files += ["--svg", str(tmp_path / "plot.svg")]
        command = ["--check", "--scale", "0.001", "--pairs", "2", "--pss-rounds", "1", "--venvs", str(venvs), *files]
        assert bench.main(command) == 1
        text = capsys.readouterr().out
        rows = [line for line in text.rpartition("### Targets")[2].splitlines() if line.startswith("|")][2:]
        verdicts = [row.split("|")[-2].strip() for row in rows]
        assert len(verdicts) == 8
        # No test ran, so none was first; and no coordinator was there.
        assert [index for index, verdict in enumerate(verdicts) if verdict == "not measured"] == [5, 6, 7]
        assert "onefile, -n 2" in (tmp_path / "plot.svg").read_text()
        assert (tmp_path / "table.md").read_text() == text.rstrip("\n") + "\n"
        data = json.loads((tmp_path / "samples.json").read_text())
        assert [(made["suite"], made["workers"]) for made in data["experiments"]] == [
            ("tiny", 2),
            ("onefile", 2),
            ("imports", 8),
        ]
        assert [len(runs) for runs in data["experiments"][0]["timed"].values()] == [2, 2, 2, 2]

    def test_the_report_names_no_path_and_no_host(self, venvs: Path, capsys: pytest.CaptureFixture[str]) -> None:
        command = ["--suite", "onefile", "--runner", "serial", "--runner", "outpace", "--pairs", "1"]
        assert bench.main([*command, "--venvs", str(venvs)]) == 0
        text = capsys.readouterr().out
        assert "| outpace |" in text
        assert "/" not in text.replace("1/", "")
        assert platform.node() not in text.split()

    def test_an_interrupted_bench_reports_what_it_has(
        self, venvs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        runs = iter(range(4))

        def fourth_is_interrupted(*arguments: Any, **options: Any) -> Sample:
            if next(runs) == 3:
                raise KeyboardInterrupt
            return run(*arguments, **options)

        monkeypatch.setattr("benchlib.session.run", fourth_is_interrupted)
        assert bench.main(["--suite", "onefile", "--runner", "serial", "--venvs", str(venvs)]) == 130
        assert "2 of 2 |" in capsys.readouterr().out

    def test_a_runner_remembers_only_when_warm(self, venvs: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """This pytest passes one test more in each run of which it finds the trace of an earlier one."""
        (venvs / "main" / "bin" / "pytest").write_text(
            '#!/bin/sh\necho "outpace 1.0"\nmkdir -p .pytest_cache\necho >>.pytest_cache/runs\n'
            'echo "$(wc -l <.pytest_cache/runs) passed"\n'
        )
        command = ["--suite", "onefile", "--runner", "outpace", "--pairs", "2", "--venvs", str(venvs)]
        assert bench.main(command) == 0
        assert "1 tests" in capsys.readouterr().out
        assert bench.main([*command, "--warm"]) == 1
        assert "outpace did not pass 1 tests in 2 of 2 runs" in capsys.readouterr().out
