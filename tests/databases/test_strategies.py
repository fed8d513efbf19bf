"""Suites that fail in parallel pass with one table in ``pyproject.toml``, with the outcomes that they have serially."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import outcomes
import pytest
import suites
from conftest import Postgres
from project import Project, Run

LIMIT = 240.0
SCHEMA = "create table item (name text primary key)"

CLONE = '[tool.outpace.databases.app]\nurl-env = "DATABASE_URL"\nstrategy = "clone"\n'
SERIAL = '[tool.outpace.databases.app]\nstrategy = "serial"\nfilter = "file(*)"\n'
TRANSACTION = '[tool.outpace.databases.app]\nstrategy = "transaction"\nengine = "shop:engine"\n'

Suite = Callable[[Project], None]


def _raw(driver: str) -> Suite:
    return lambda project: suites.raw(project, driver)


# What it is, the suite, the driver in its address.
SUITES = {
    "sqlite3": (_raw("sqlite3"), "sqlite"),
    "psycopg": (_raw("psycopg"), ""),
    "psycopg2": (_raw("psycopg2"), ""),
    "sqlalchemy": (suites.sqlalchemy, "psycopg"),
    "sqlalchemy-sqlite": (suites.sqlalchemy, "sqlite"),
    "asyncpg": (suites.sqlalchemy_async, "asyncpg"),
    "aiosqlite": (suites.sqlalchemy_async, "sqlite+aiosqlite"),
    "fastapi": (suites.fastapi, "psycopg"),
}


class Shop:
    """A project with one of the suites, and its database."""

    def __init__(self, request: pytest.FixtureRequest, project: Project, tmp_path: Path, kind: str) -> None:
        suite, driver = SUITES[kind]
        self.project = project
        suite(project)
        self.postgres: Postgres | None = None
        if "sqlite" in driver:
            file = tmp_path / "app.db"
            with closing(sqlite3.connect(file)) as connection:
                connection.execute(SCHEMA)
            self.url = f"{driver}:///{file}"
        else:
            self.postgres = request.getfixturevalue("postgres")
            self.postgres.sql(SCHEMA)
            self.url = self.postgres.url(driver)

    def run(self, *args: str) -> Run:
        return self.project.run(*args, env={"DATABASE_URL": self.url}, record=True, limit=LIMIT)

    def left(self) -> list[str]:
        if self.postgres is not None:
            return [name for name in self.postgres.cluster.databases() if name != self.postgres.name]
        return [str(path) for path in self.project.path.glob(".pytest_cache/d/outpace-databases/runs/*/*")]


@pytest.fixture
def shop(request: pytest.FixtureRequest, project: Project, tmp_path: Path) -> Shop:
    return Shop(request, project, tmp_path, request.param)


def as_serially(shop: Shop, *args: str, times: int = 1) -> None:
    serial = shop.run("-n0")
    assert serial.ret == 0, serial.out
    for _ in range(times):
        parallel = shop.run(*args)
        assert outcomes.outcome_table(parallel.recorded) == outcomes.outcome_table(serial.recorded), parallel.out
        assert parallel.ret == 0
        assert shop.left() == []


@pytest.mark.parametrize("shop", SUITES, indirect=True)
def test_each_suite_passes_with_clones_and_fails_without(shop: Shop) -> None:
    assert shop.run("-n4", "-p", "no:outpace").counts.get("failed", 0) > 0
    shop.project.write("pyproject.toml", CLONE)
    as_serially(shop, "-n4")


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize("shop", ["psycopg", "sqlite3"], indirect=True)
def test_clones_again_and_again(shop: Shop, method: str) -> None:
    shop.project.write("pyproject.toml", CLONE)
    as_serially(shop, "-n4", "--start-method", method, times=5)


@pytest.mark.parametrize("shop", ["sqlalchemy", "sqlalchemy-sqlite", "fastapi"], indirect=True)
def test_a_suite_passes_in_transactions(shop: Shop) -> None:
    shop.project.write("pyproject.toml", TRANSACTION)
    as_serially(shop, "-n4", times=2)
    if shop.postgres is not None:
        assert shop.postgres.sql("select count(*) from item") == ["0"]


@pytest.mark.parametrize("shop", ["asyncpg", "aiosqlite"], indirect=True)
def test_an_asynchronous_suite_passes_in_transactions(shop: Shop) -> None:
    shop.project.files(
        conftest="""
        import pytest
        from outpace.transactions import rolled_back
        from shop import engine

        @pytest.fixture(autouse=True)
        async def _undone():
            async with rolled_back(engine):
                yield
        """
    )
    as_serially(shop, "-n4", times=2)


@pytest.mark.parametrize("shop", ["psycopg", "psycopg2", "sqlite3"], indirect=True)
def test_raw_connections_in_transactions(shop: Shop) -> None:
    name = f"test_raw.{shop.project.path.joinpath('test_raw.py').read_text().split('import ')[2].split()[0]}"
    shop.project.files(
        conftest=f"""
        import pytest

        @pytest.fixture(autouse=True)
        def _undone(outpace_rollback, monkeypatch, request):
            driver = request.module.{name.split(".")[1]}
            connect = driver.connect
            real = []
            def inside(*args, **kwargs):
                real.append(connect(*args, **kwargs))
                return outpace_rollback(real[-1])
            monkeypatch.setattr(driver, "connect", inside)
            yield
            for each in real:
                request.addfinalizer(each.close)
        """
    )
    as_serially(shop, "-n4")


@pytest.mark.parametrize("shop", ["psycopg", "sqlalchemy-sqlite"], indirect=True)
def test_a_suite_passes_one_test_at_a_time(shop: Shop) -> None:
    shop.project.write("pyproject.toml", SERIAL)
    as_serially(shop, "-n4")


@pytest.mark.parametrize("shop", ["psycopg"], indirect=True)
def test_serial_is_for_those_that_use_the_fixture_of_that_name(shop: Shop) -> None:
    shop.project.write("pyproject.toml", '[tool.outpace.databases.connection]\nstrategy = "serial"\n')
    as_serially(shop, "-n4")
    shop.project.write("pyproject.toml", '[tool.outpace.databases.db]\nstrategy = "serial"\n')
    shop.run("-n2").match("outpace: this override matches no test: *pyproject.toml:1:*databases.db*: fixture(db)")
