"""Capture, cache, temporary folders and fixtures of a distributed run (contract 1.9)."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from project import Project

SPREAD = """
    import pytest, time
    @pytest.mark.parametrize("i", range(8))
    def test_many(i, request):
        time.sleep(0.03)
"""


# ------------------------------------------------------------------------------------------------ capture


@pytest.mark.fixed_by_outpace("standard output of workers is lost")
@pytest.mark.parametrize("capture", ["-s", "--capture=tee-sys"])
def test_both_streams_of_workers_pass(project: Project, capture: str) -> None:
    project.files(
        test_a="""
            import os, sys
            def test_a():
                os.write(1, b"to-fd-1\\n"); os.write(2, b"to-fd-2\\n")
                print("to-stdout"); print("to-stderr", file=sys.stderr)
        """
    )
    run = project.run("-n1", capture)
    assert run.ret == 0
    assert run.err.splitlines() == ["to-fd-2", "to-stderr"]
    assert "to-fd-1" in run.lines
    assert "to-stdout" in run.lines


@pytest.mark.parametrize("capture", ["fd", "sys"])
def test_captured_output_is_the_tests_own(project: Project, capture: str) -> None:
    project.files(
        test_a="""
            import os, sys, pytest, time
            @pytest.mark.parametrize("i", range(12))
            def test_a(i):
                time.sleep(0.01)
                print(f"out <{i}>"); print(f"err <{i}>", file=sys.stderr)
                if CAPTURE == "fd": os.system(f"echo sub '<{i}>'")
                assert 0
        """.replace("CAPTURE", repr(capture))
    )
    run = project.run("-n2", f"--capture={capture}", record=True)
    calls = [report for report in run.recorded["reports"] if report["when"] == "call"]
    assert len(calls) == 12
    for report in calls:
        number = re.findall(r"\[(\d+)\]", report["nodeid"])[0]
        text = "".join(section for _, section in report["sections"])
        assert re.findall(r"<(\d+)>", text) == [number] * (3 if capture == "fd" else 2)


def test_stdin_of_a_test_is_empty(project: Project) -> None:
    project.files(test_a="import sys\ndef test_a(): assert sys.stdin.read() == ''")
    run = project.run("-n1", "-s", stdin=b"typed by the user\n")
    assert (run.ret, run.counts) == (0, {"passed": 1}), run.out


# -------------------------------------------------------------------------------------------------- cache


def _cache(project: Project, name: str) -> object:
    return json.loads((project.path / ".pytest_cache" / "v" / "cache" / name).read_text())


TWO_FAIL = """
    import pytest
    @pytest.mark.parametrize("i", range(8))
    def test_many(i):
        with open("ran.txt", "a") as file: file.write(f"{i} ")
        assert i not in (2, 5)
"""


def _ran(project: Project) -> list[int]:
    record = project.path / "ran.txt"
    numbers = [int(word) for word in record.read_text().split()]
    record.unlink()
    return numbers


def test_last_failed(project: Project) -> None:
    project.files(test_a=TWO_FAIL)
    assert project.run("-n2").counts == {"failed": 2, "passed": 6}
    _ran(project)
    assert _cache(project, "lastfailed") == {"test_a.py::test_many[2]": True, "test_a.py::test_many[5]": True}
    run = project.run("-n2", "--lf")
    assert run.counts["failed"] == 2
    assert "passed" not in run.counts
    assert sorted(_ran(project)) == [2, 5]


def test_last_failed_after_a_serial_run_and_back(project: Project) -> None:
    project.files(test_a=TWO_FAIL)
    project.plain()
    _ran(project)
    project.run("-n2", "--lf")
    assert sorted(_ran(project)) == [2, 5]
    project.plain("--lf")
    assert _ran(project) == [2, 5]


def test_failed_first(project: Project) -> None:
    project.files(test_a=TWO_FAIL)
    project.run("-n2")
    _ran(project)
    assert project.run("-n1", "--ff").counts == {"failed": 2, "passed": 6}
    assert _ran(project) == [2, 5, 0, 1, 3, 4, 6, 7]


def test_cache_clear_and_show(project: Project) -> None:
    project.files(test_a=TWO_FAIL)
    project.run("-n2")
    assert project.run("-n2", "--cache-clear", "-k", "0").counts["passed"] == 1
    assert not (project.path / ".pytest_cache/v/cache/lastfailed").exists()
    assert project.run("-n2", "--cache-show").ret == 0


def test_stepwise_continues(project: Project) -> None:
    project.files(test_a="def test_a(): pass\ndef test_b(): assert 0\ndef test_c(): pass")
    project.run("-n1", "--sw")
    stored = json.loads((project.path / ".pytest_cache/v/cache/stepwise").read_text())
    assert (stored if isinstance(stored, str) else stored["last_failed"]) == "test_a.py::test_b"
    project.files(test_a="def test_a(): pass\ndef test_b(): pass\ndef test_c(): pass")
    assert project.run("-n1", "--sw").counts["passed"] == 2


# -------------------------------------------------------------------------------------- temporary folders


TMP = """
    import pathlib, pytest, time
    @pytest.mark.parametrize("i", range(6))
    def test_tmp(i, tmp_path, tmp_path_factory, worker_id, pytestconfig):
        time.sleep(0.03)
        assert tmp_path.is_dir() and not any(tmp_path.iterdir())
        base = tmp_path_factory.getbasetemp()
        assert tmp_path.parent == base
        assert base.name == f"popen-{worker_id}"
        assert pathlib.Path(pytestconfig.option.basetemp) == base
        (base.parent / f"shared-by-{worker_id}").touch()
        (tmp_path / "file").touch()
"""


def test_basetemp_layout(project: Project, tmp_path: Path) -> None:
    base = tmp_path / "basetemp"
    run = project.files(test_a=TMP).run("-n2", f"--basetemp={base}")
    assert (run.ret, run.counts) == (0, {"passed": 6}), run.out
    names = {path.name for path in base.iterdir()}
    assert {"popen-gw0", "popen-gw1", "shared-by-gw0", "shared-by-gw1"} <= names
    folders = [path.name for worker in ("gw0", "gw1") for path in (base / f"popen-{worker}").iterdir() if path.is_dir()]
    own = [name for name in folders if name.startswith("test_tmp")]
    assert len({name for name in own if not name.endswith("current")}) >= 3


def test_default_basetemp_is_numbered_like_a_serial_run(project: Project, tmp_path: Path) -> None:
    project.files(test_a=TMP)
    for _ in range(2):
        run = project.run("-n2", env={"PYTEST_DEBUG_TEMPROOT": str(tmp_path)})
        assert run.ret == 0, run.out
    found = sorted(path.name for path in next(tmp_path.glob("pytest-of-*")).iterdir() if not path.is_symlink())
    assert found == ["pytest-0", "pytest-1"]


def test_folder_shared_by_all_workers(project: Project) -> None:
    """The documented recipe for something made once: the parent of a worker's base folder, and a lock."""
    project.files(
        conftest="""
            import os, pytest
            @pytest.fixture(scope="session")
            def once(tmp_path_factory):
                shared = tmp_path_factory.getbasetemp().parent / "once"
                try:
                    shared.mkdir()
                    print("made")
                except FileExistsError: pass
                with open("uses.txt", "a") as file: file.write(str(shared.stat().st_ino) + "\\n")
        """,
        test_a=SPREAD.replace("request", "once"),
    )
    assert project.run("-n2").counts == {"passed": 8}
    uses = (project.path / "uses.txt").read_text().split()
    assert len(uses) == 2
    assert len(set(uses)) == 1


# ----------------------------------------------------------------------------------------------- fixtures


def test_session_fixture_runs_and_ends_once_in_each_worker(project: Project) -> None:
    project.files(
        conftest="""
            import pytest
            def log(text):
                with open("log.txt", "a") as file: file.write(text + "\\n")
            @pytest.fixture(scope="session", autouse=True)
            def session_fixture(worker_id):
                log("up " + worker_id)
                yield
                log("down " + worker_id)
        """,
        test_a=SPREAD,
    )
    assert project.run("-n2").counts == {"passed": 8}
    log = (project.path / "log.txt").read_text().splitlines()
    assert sorted(log) == ["down gw0", "down gw1", "up gw0", "up gw1"]


def test_teardown_error_of_a_session_fixture_is_reported(project: Project) -> None:
    project.files(
        conftest="""
            import pytest
            @pytest.fixture(scope="session", autouse=True)
            def session_fixture():
                yield
                raise ValueError("session teardown")
        """,
        test_a="def test_a(): pass",
    )
    run = project.run("-n2")
    assert (run.ret, run.counts) == (1, {"passed": 1, "error": 1})
    assert "session teardown" in run.out


def test_without_xdist_the_run_is_serial(project: Project) -> None:
    project.files(test_a="def test_a(): pass")
    run = project.run("-p", "no:xdist")
    assert run.ret == 0, run.out + run.err
    assert run.counts == {"passed": 1}
    assert project.run("-p", "no:xdist", "-n2").ret == 4
