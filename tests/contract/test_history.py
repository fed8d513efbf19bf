"""What tests take is kept from run to run, and the next run is ordered by it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from project import ENGINE, START_METHOD, Project, engine_arguments

pytestmark = pytest.mark.skipif(ENGINE == "xdist", reason="outpace's own")

PLACE = Path(".pytest_cache/d/outpace/history.sqlite3")

LONG_LAST = """
    import pathlib, time
    import pytest
    def note(name):
        with open("begun", "a") as file:
            file.write(name + "\\n")
    @pytest.mark.parametrize("number", range(8))
    def test_short(number):
        note("short")
        time.sleep(0.02)
    def test_long():
        note("long")
        time.sleep(0.5)
"""


def noted(file: Path) -> dict[str, dict[str, Any]]:
    with closing(sqlite3.connect(file)) as connection:
        connection.row_factory = sqlite3.Row
        rows = connection.execute("SELECT path || name AS id, test.* FROM test JOIN file ON file.id = test.file")
        return {row["id"]: dict(row) for row in rows}


@pytest.fixture
def sample(project: Project) -> Project:
    return project.files(
        test_a="""
        import time
        import pytest
        def test_computes():
            until = time.process_time() + 0.2
            while time.process_time() < until:
                pass
        def test_waits():
            time.sleep(0.3)
        def test_fails():
            assert 0
        @pytest.mark.skip
        def test_skipped(): pass
        @pytest.fixture
        def slow():
            time.sleep(0.2)
            yield
            time.sleep(0.1)
        def test_slow_fixture(slow): pass
        def test_child():
            import subprocess, sys
            subprocess.run([sys.executable, "-c", "import time\\nwhile time.process_time() < 0.3: pass"])
        """
    )


def test_each_test_has_its_times_and_its_end(sample: Project) -> None:
    assert sample.run("-n1").counts == {"failed": 1, "passed": 4, "skipped": 1}
    tests = {name.partition("::")[2]: row for name, row in noted(sample.path / PLACE).items()}
    assert tests["test_computes"]["cpu"] >= 200_000
    waits = tests["test_waits"]
    assert waits["wall"] >= 300_000 > 5 * waits["cpu"]
    assert tests["test_slow_fixture"]["setup"] + tests["test_slow_fixture"]["teardown"] >= 300_000
    assert tests["test_child"]["cpu"] >= 300_000
    assert {name: (row["outcome"], row["runs"], row["failures"]) for name, row in tests.items()} == {
        "test_computes": (0, 1, 0),
        "test_waits": (0, 1, 0),
        "test_fails": (1, 1, 1),
        "test_skipped": (2, 0, 0),
        "test_slow_fixture": (0, 1, 0),
        "test_child": (0, 1, 0),
    }


SHARED_COSTS = {
    "conftest": """
        import time
        import pytest
        @pytest.fixture(scope="session")
        def server():
            time.sleep(0.2)
        @pytest.fixture(scope="session")
        def application(request):
            time.sleep(0.1)
            request.getfixturevalue("server")
    """,
    "test_slow_import": """
        import time
        time.sleep(0.3)
        class TestThings:
            @classmethod
            def setup_class(cls):
                time.sleep(0.05)
            def test_one(self, application): pass
            def test_two(self, application): pass
    """,
    "test_quick_import": "def test_it(application): pass",
}


@pytest.mark.parametrize("workers", ["-n1", "-n3"])
def test_what_is_paid_once_for_many_tests_is_noted_by_file_and_fixture(project: Project, workers: str) -> None:
    project.files(**SHARED_COSTS)
    assert project.run(workers, "--dist=load").counts == {"passed": 3}
    with closing(sqlite3.connect(project.path / PLACE)) as connection:
        imports = {path: wall for path, wall, _ in connection.execute("SELECT path, import, import_cpu FROM file")}
        query = "SELECT name, path, scope, workers, times, wall FROM fixture"
        fixtures = {name: rest for name, *rest in connection.execute(query)}
    assert imports["test_slow_import.py"] >= 300_000
    assert imports["test_slow_import.py"] >= imports["test_quick_import.py"] + 200_000
    assert fixtures.keys() >= {"server", "application", "setup_class"}
    path, scope, paid, times, wall = fixtures["server"]
    assert (path, scope) == ("conftest.py", 4)
    assert paid == times and (workers != "-n1" or paid == 1) and wall >= 200_000
    # What it asked for counts for itself.
    assert fixtures["application"][4] >= 100_000
    assert fixtures["setup_class"][:2] == ["test_slow_import.py", 1] and fixtures["setup_class"][4] >= 50_000


def test_a_crash_is_noted(project: Project) -> None:
    project.files(test_a="import os\ndef test_crash(): os._exit(7)\ndef test_good(): pass\n")
    project.run("-n1")
    tests = noted(project.path / PLACE)
    assert {name: row["outcome"] for name, row in tests.items()} == {
        "test_a.py::test_crash": 3,
        "test_a.py::test_good": 0,
    }


def test_memory_that_a_test_needed_is_noted(project: Project) -> None:
    project.files(test_a="def test_small(): pass\ndef test_large():\n    assert len(bytearray(b'x') * 80_000_000)\n")
    project.run("-n1")
    tests = noted(project.path / PLACE)
    assert tests["test_a.py::test_large"]["growth"] > 60_000
    assert tests["test_a.py::test_small"]["growth"] < 20_000


def test_the_cache_folder_is_as_pytest_makes_it(sample: Project) -> None:
    sample.run("-n2")
    made = {each.name for each in (sample.path / ".pytest_cache").iterdir()}
    assert {"README.md", ".gitignore", "CACHEDIR.TAG"} <= made


def test_what_takes_long_begins_first_the_second_time(project: Project) -> None:
    project.files(test_a=LONG_LAST)
    begun = project.path / "begun"
    project.run("-n2")
    assert "long" not in begun.read_text().split()[:2]
    begun.unlink()
    run = project.run("-n2")
    assert run.counts == {"passed": 9}
    assert "long" in begun.read_text().split()[:2]


@pytest.mark.parametrize(
    "how", [("--no-history",), ("-o", "outpace_history=off"), ("-p", "no:cacheprovider")], ids=" ".join
)
def test_switched_off_it_is_neither_read_nor_written(project: Project, how: tuple[str, ...]) -> None:
    project.files(test_a=LONG_LAST)
    assert project.run("-n2", *how).counts == {"passed": 9}
    assert not (project.path / PLACE).exists()
    project.run("-n2")
    before = noted(project.path / PLACE) if "no:cacheprovider" not in how else None
    (project.path / "begun").unlink()
    run = project.run("-n2", *how)
    assert run.counts == {"passed": 9}
    assert "long" not in (project.path / "begun").read_text().split()[:2]
    assert before is None or noted(project.path / PLACE) == before


def test_it_can_be_elsewhere(project: Project) -> None:
    project.files(test_a="def test_it(): pass\n").ini("outpace_history = state/mine.db\n")
    project.run("-n1")
    assert list(noted(project.path / "state" / "mine.db")) == ["test_a.py::test_it"]
    assert not (project.path / PLACE).exists()
    project.ini("cache_dir = other\n")
    project.run("-n1")
    assert list(noted(project.path / "other/d/outpace/history.sqlite3")) == ["test_a.py::test_it"]


def test_a_damaged_one_is_named_once_and_left_alone(project: Project) -> None:
    project.files(test_a="def test_it(): pass\n")
    file = project.write(str(PLACE), "somebody's letter\n" * 100)
    before = file.read_bytes()
    run = project.run("-n2")
    assert (run.ret, run.counts) == (0, {"passed": 1})
    assert len([line for line in run.lines if "history" in line]) == 1
    run.match("outpace: the history of earlier runs is ignored: *history.sqlite3: file is not a database")
    assert file.read_bytes() == before


def test_one_of_a_newer_version_is_named_and_left_alone(project: Project) -> None:
    project.files(test_a="def test_it(): pass\n")
    project.run("-n1")
    with closing(sqlite3.connect(project.path / PLACE)) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = noted(project.path / PLACE)
    run = project.run("-n1")
    assert run.counts == {"passed": 1}
    run.match("outpace: the history * a newer version of outpace wrote it *")
    assert noted(project.path / PLACE) == before


def test_a_place_that_cannot_be_written_costs_the_history_only(project: Project) -> None:
    project.files(test_a="def test_it(): pass\n").ini("outpace_history = test_a.py/mine.db\n")
    run = project.run("-n1")
    assert (run.ret, run.counts) == (0, {"passed": 1})
    run.match("outpace: no history is kept: *")


def test_runs_at_one_time_are_both_noted(project: Project) -> None:
    project.files(
        test_a="import pytest\n@pytest.mark.parametrize('n', range(50))\ndef test_it(n): pass\n",
        test_b="import pytest\n@pytest.mark.parametrize('n', range(50))\ndef test_it(n): pass\n",
    )
    command = [sys.executable, "-m", "pytest", "-q", "-n1", *engine_arguments()]
    runs = [subprocess.Popen([*command, f"test_{name}.py"], cwd=project.path) for name in "ab"]
    assert [run.wait(60) for run in runs] == [0, 0]
    assert len(noted(project.path / PLACE)) == 100


@pytest.mark.skipif(START_METHOD == "spawn", reason="spawned workers are not elastic")
def test_a_run_whose_tests_wait_begins_with_more_workers(project: Project) -> None:
    project.files(
        test_a="import time, pytest\n@pytest.mark.parametrize('n', range(300))\ndef test_it(n): time.sleep(0.1)\n"
    )
    project.run("-n1", "-k", "3")
    run = project.run("-n", "auto", "--max-workers=20")
    assert run.counts == {"passed": 300}
    run.match("outpace: * workers at once: in earlier runs its tests waited * of their time")
    assert not project.run("-n2").has("*at once*")
