"""An SQLite file outside the project whose address is written in the code: each worker has its folder for itself."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import outcomes
import pytest
import suites
from project import Project
from test_same_address import HAS_NAMESPACES, LIMIT, SCHEMA, raw, with_address

pytestmark = pytest.mark.skipif(not HAS_NAMESPACES, reason="this system does not let processes have namespaces")
ISOLATED = '\n[tool.outpace.isolate]\nkinds = ["files"]\n'
PREPARE = """
import os, sqlite3
with sqlite3.connect(os.environ["OUTPACE_DATABASE_URL"].split("///", 1)[1]) as connection:
    connection.execute("create table item (name text)")
open("../prepared", "a").write("x")
"""
PREPARED = f"prepare = '\"{sys.executable}\" prepare.py'\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return folder


def make(file: Path) -> bytes:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(SCHEMA)
        connection.execute("insert into item values ('here')")
        connection.commit()
    return file.read_bytes()


def table(url: str, more: str = "", name: str = "app") -> str:
    return f'[tool.outpace.databases.{name}]\nurl = "{url}"\nstrategy = "clone"\n{more}'


def passes(project: Project, tests: int, *args: str) -> None:
    run = project.run("-n4", *args, limit=LIMIT)
    assert run.counts == {"passed": tests}, run.out + run.err


def raw_in_wal(project: Project) -> None:
    """With files beside the database's that workers must not share either."""
    suites.raw(project, "sqlite3")
    path = project.path / "test_raw.py"
    text = path.read_text()
    assert "cursor = connection.cursor()" in text
    path.write_text(
        text.replace("cursor = connection.cursor()", "cursor = connection.execute('pragma journal_mode=wal')")
    )


@pytest.mark.parametrize(
    ("suite", "driver"),
    [
        (raw("sqlite3"), "sqlite"),
        (raw_in_wal, "sqlite"),
        (suites.sqlalchemy, "sqlite"),
        (suites.sqlalchemy_async, "sqlite+aiosqlite"),
        (suites.fastapi, "sqlite"),
        (suites.django, "sqlite"),
    ],
    ids=["sqlite3", "wal", "sqlalchemy", "aiosqlite", "fastapi", "django"],
)
def test_suites(
    project: Project, folder: Path, suite: Callable[[Project], None], driver: str, request: pytest.FixtureRequest
) -> None:
    suite(project)
    url = f"{driver}:///{folder}/app.db"
    with_address(project, url)
    for path in project.path.glob("*.py"):  # nobody has to wait for a database of its own
        path.write_text(path.read_text().replace("timeout=60", "timeout=1"))
    before = make(folder / "app.db")
    project.write("pyproject.toml", table(url) + ISOLATED)
    serial = project.run("-n0", record=True, limit=LIMIT)
    assert serial.ret == 0, serial.out
    (folder / "app.db").write_bytes(before)
    plain = project.run("-n4", "-x", "-p", "no:outpace", limit=LIMIT)
    assert plain.counts.get("failed", 0) > 0
    for path in folder.iterdir():
        path.unlink()
    (folder / "app.db").write_bytes(before)
    for method in ["fork", "spawn"] * ((request.config.getoption("--times") + 1) // 2):
        parallel = project.run("-n4", "--start-method", method, record=True, limit=LIMIT)
        assert parallel.ret == 0, parallel.out + parallel.err
        assert outcomes.outcome_table(parallel.recorded) == outcomes.outcome_table(serial.recorded)
        assert [path.name for path in folder.iterdir()] == ["app.db"]
        assert (folder / "app.db").read_bytes() == before


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_prepared_and_through_links(project: Project, folder: Path, method: str) -> None:
    """The file is not there, and its folder is known under another name."""
    (project.path.parent / "link").symlink_to(folder)
    url = f"sqlite:///{project.path.parent}/link/app.db"
    suites.raw(project, "sqlite3")
    with_address(project, url)
    project.files(prepare=PREPARE)
    project.write("pyproject.toml", table(url, PREPARED) + ISOLATED)
    passes(project, 12, "--start-method", method)
    assert list(folder.iterdir()) == []
    assert (project.path.parent / "prepared").read_text() == "x"


def test_a_link_to_the_file_and_a_relative_address(project: Project, folder: Path) -> None:
    suites.raw(project, "sqlite3")
    with_address(project, "sqlite:///app.db")
    (project.path / "app.db").symlink_to(folder / "real.db")
    before = make(folder / "real.db")
    project.write("pyproject.toml", table("sqlite:///app.db") + ISOLATED)
    passes(project, 12)
    assert (folder / "real.db").read_bytes() == before
    other = table("sqlite:///../elsewhere/real.db") + ISOLATED
    project.write("pyproject.toml", other)
    with_address(project, "")
    passes(project, 12)
    assert (folder / "real.db").read_bytes() == before


def test_a_connection_made_while_tests_are_imported(project: Project, folder: Path) -> None:
    before = make(folder / "app.db")
    project.files(
        test_items=f"""
        import sqlite3, time
        import pytest

        connection = sqlite3.connect("{folder}/app.db", timeout=60)
        connection.execute("select * from item").fetchall()

        @pytest.mark.parametrize("n", range(12))
        def test_items(n):
            with connection:
                connection.execute("delete from item")
            for number in range(n + 1):
                with connection:
                    connection.execute("insert into item values (?)", (str(number),))
                time.sleep(0.005)
            assert connection.execute("select count(*) from item").fetchone() == (n + 1,)
        """
    )
    project.write("pyproject.toml", table(f"sqlite:///{folder}/app.db") + ISOLATED)
    passes(project, 12)
    assert (folder / "app.db").read_bytes() == before


def test_several_in_one_folder_and_other_files(project: Project, folder: Path) -> None:
    for name in ("a.db", "b.db"):
        make(folder / name)
    (folder / "log.txt").write_text("before\n")
    project.files(
        test_items=f"""
        import sqlite3, time
        import pytest

        @pytest.mark.parametrize("n", range(8))
        def test_items(n):
            for name in ("a.db", "b.db"):
                connection = sqlite3.connect("{folder}/" + name)
                connection.execute("delete from item")
                connection.commit()
                for number in range(n + 1):
                    connection.execute("insert into item values (?)", (str(number),))
                    connection.commit()
                    time.sleep(0.005)
                assert connection.execute("select count(*) from item").fetchone() == (n + 1,)
                connection.close()
            with open("{folder}/log.txt", "a") as file:
                file.write("more\\n")
            assert open("{folder}/log.txt").read().startswith("before\\nmore\\n")
        """
    )
    tables = [table(f"sqlite:///{folder}/{name}.db", name=name) for name in ("a", "b")]
    project.write("pyproject.toml", "".join(tables) + ISOLATED)
    passes(project, 8)
    assert (folder / "log.txt").read_text() == "before\n"


@pytest.fixture
def outer() -> Iterator[Path]:
    """A folder with the project, the temporary folders, and the database's file in it."""
    folder = Path(os.path.realpath(tempfile.mkdtemp(prefix="outpace-outer-")))
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("kinds", ['["files"]', '["files", "tmp"]'])
def test_a_folder_that_holds_the_project_and_tmp_path(outer: Path, kinds: str) -> None:
    """What passes through, reports, and tmp_path are as ever; what is written in the project is still listed."""
    home = outer / "home"
    (home / "project").mkdir(parents=True)
    project = Project(home / "project")
    suites.raw(project, "sqlite3")
    url = f"sqlite:///{home}/app.db"
    with_address(project, url)
    project.files(prepare=PREPARE)
    project.files(
        test_paths="""
        def test_paths(tmp_path):
            (tmp_path / "kept").write_text("x")
            open("lost", "w").close()
        """
    )
    project.write("pyproject.toml", table(url, PREPARED) + ISOLATED.replace('["files"]', kinds))
    cache = ("-o", f"cache_dir={home}/cache")
    run = project.run("-n4", f"--junitxml={home}/j.xml", f"--basetemp={home}/base", *cache, limit=LIMIT)
    assert run.counts == {"passed": 13}, run.out + run.err
    assert "lost: test_paths.py::test_paths" in run.out
    assert (home / "j.xml").read_text().count("<testcase") == 13
    assert len(list((home / "base").glob("*/test_paths0/kept"))) == 1
    assert not (home / "app.db").exists()
    assert not (project.path / "lost").exists()


def test_in_the_very_folder_of_tmp_path(project: Project, folder: Path) -> None:
    make(folder / "app.db")
    refused(project, folder, "is exposed, or holds the folders of tmp_path", f'expose = ["{folder}"]\n')


def refused(project: Project, folder: Path, told: str, more: str = "") -> None:
    project.write("pyproject.toml", table(f"sqlite:///{folder}/app.db") + ISOLATED + more)
    project.files(test_a="def test_one():\n    open('ran', 'w').close()\n")
    run = project.run("-n2", limit=LIMIT)
    text = run.out + run.err
    assert run.ret == 4, text
    assert text.count(told) == 1, text
    assert not (project.path / "ran").exists()


def test_a_folder_that_is_not_there(project: Project, folder: Path) -> None:
    refused(project, folder / "nowhere", "does not exist: create it, or correct the address")


def test_nothing_is_left_of_a_killed_run(project: Project, folder: Path) -> None:
    before = make(folder / "app.db")
    project.files(
        test_items=f"""
        import sqlite3, time
        import pytest

        @pytest.mark.parametrize("n", range(4))
        def test_items(n, worker_id):
            connection = sqlite3.connect("{folder}/app.db")
            connection.execute("delete from item")
            open({str(project.path.parent)!r} + "/begun-" + worker_id, "w").close()
            time.sleep(600)
        """
    )
    project.write("pyproject.toml", table(f"sqlite:///{folder}/app.db") + ISOLATED)
    command = [sys.executable, "-m", "pytest", "-n2", "-p", "no:cacheprovider"]
    process = subprocess.Popen(command, cwd=project.path, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        until = time.monotonic() + LIMIT
        while len(list(project.path.parent.glob("begun-*"))) < 2:
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.05)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert [path.name for path in folder.iterdir()] == ["app.db"]
    assert (folder / "app.db").read_bytes() == before
