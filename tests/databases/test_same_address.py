"""An address that is written in the code: workers with a loopback of their own reach their clones there."""

from __future__ import annotations

import shutil
import subprocess

import outcomes
import pytest
import suites
from conftest import Postgres
from project import Project

LIMIT = 240.0
HAS_NAMESPACES = shutil.which("unshare") and subprocess.run(["unshare", "-Urnm", "true"]).returncode == 0
pytestmark = pytest.mark.skipif(not HAS_NAMESPACES, reason="this system does not let processes have namespaces")
SCHEMA = "create table item (name text primary key)"


def with_address(project: Project, url: str) -> None:
    """What the suites read of their environment becomes a constant."""
    for path in project.path.glob("*.py"):
        text = path.read_text()
        path.write_text(
            text.replace("os.environ['DATABASE_URL']", repr(url)).replace('os.environ["DATABASE_URL"]', repr(url))
        )


@pytest.mark.parametrize(
    ("suite", "driver"),
    [
        (lambda project: suites.raw(project, "psycopg"), ""),
        (lambda project: suites.raw(project, "psycopg2"), ""),
        (suites.sqlalchemy, "psycopg"),
        (suites.sqlalchemy_async, "asyncpg"),
    ],
    ids=["psycopg", "psycopg2", "sqlalchemy", "asyncpg"],
)
def test_each_worker_finds_its_clone_there(project: Project, postgres: Postgres, suite: object, driver: str) -> None:
    suite(project)  # type: ignore[operator]
    postgres.sql(SCHEMA)
    url = postgres.url(driver)
    with_address(project, url)
    table = f'[tool.outpace.databases.app]\nstrategy = "clone"\nurl = "{url}"\n'
    project.write("pyproject.toml", f'{table}\n[tool.outpace.isolate]\nkinds = ["ports"]\n')
    serial = project.run("-n0", "--isolate=none", record=True, limit=LIMIT)
    assert serial.ret == 0, serial.out
    postgres.sql("delete from item")
    for method in ("fork", "spawn"):
        parallel = project.run("-n4", "-v", "--start-method", method, record=True, limit=LIMIT)
        assert parallel.ret == 0, parallel.out + parallel.err
        assert outcomes.outcome_table(parallel.recorded) == outcomes.outcome_table(serial.recorded)
    assert postgres.sql("select count(*) from item") == ["0"]
    assert postgres.cluster.databases() == [postgres.name]


def test_an_sqlite_file_in_the_project(project: Project) -> None:
    """A table is not even needed: the project's files are each worker's own."""
    suites.raw(project, "sqlite3")
    with_address(project, "sqlite:///app.db")
    table = "create table if not exists item (name)"
    project.write("conftest.py", f"import sqlite3\nsqlite3.connect('app.db').execute('{table}')\n")
    project.write("pyproject.toml", '[tool.outpace.isolate]\nkinds = ["files"]\n')
    assert project.run("-n0", "--isolate=none").ret == 0
    run = project.run("-n4", limit=LIMIT)
    assert run.counts == {"passed": 12}, run.out
