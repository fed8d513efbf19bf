"""Suites that fail in parallel pass with one table in ``pyproject.toml``, with the outcomes that they have serially."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import outcomes
import pytest
import suites
from conftest import Mariadb, Postgres
from project import Project, Run
from redis_server import Server

LIMIT = 240.0
SCHEMA = "create table item (name varchar(40) primary key)"

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
    "asyncpg-raw": (suites.raw_asyncpg, ""),
    "pymysql": (_raw("pymysql"), "mysql"),
    "MySQLdb": (_raw("MySQLdb"), "mysql"),
    "mysql.connector": (_raw("mysql.connector"), "mysql+mysqlconnector"),
    "sqlalchemy": (suites.sqlalchemy, "psycopg"),
    "sqlalchemy-sqlite": (suites.sqlalchemy, "sqlite"),
    "asyncpg": (suites.sqlalchemy_async, "asyncpg"),
    "aiosqlite": (suites.sqlalchemy_async, "sqlite+aiosqlite"),
    "fastapi": (suites.fastapi, "psycopg"),
    "fastapi-async": (suites.fastapi_async, "asyncpg"),
    "sqlalchemy-mysql": (suites.sqlalchemy, "mysql+pymysql"),
    "aiomysql": (suites.sqlalchemy_async, "mysql+aiomysql"),
    "fastapi-mysql": (suites.fastapi, "mysql+pymysql"),
    "fastapi-sqlite": (suites.fastapi, "sqlite"),
    "django": (suites.django, ""),
    "django-mysql": (suites.django, "mysql"),
    "django-sqlite": (suites.django, "sqlite"),
    "redis": (suites.redis, "redis"),
    "redis-async": (suites.redis_async, "redis"),
    "redis-fastapi": (suites.redis_fastapi, "redis"),
    "redis-django": (suites.redis_django, "redis"),
}


class Shop:
    """A project with one of the suites, and its database."""

    def __init__(self, request: pytest.FixtureRequest, project: Project, tmp_path: Path, kind: str) -> None:
        suite, driver = SUITES[kind]
        self.kind = kind
        for module in ("MySQLdb", "mysql.connector", "pymysql", "redis"):
            if kind.startswith(module):
                pytest.importorskip(module)
        self.project = project
        self.times: int = request.config.getoption("--times")
        suite(project)
        self.database: Postgres | Mariadb | None = None
        self.redis: Server | None = None
        if "sqlite" in driver:
            file = tmp_path / "app.db"
            with closing(sqlite3.connect(file)) as connection:
                connection.execute(SCHEMA)
            self.url = f"{driver}:///{file}"
        elif driver == "redis":
            self.redis = request.getfixturevalue("redis")
            self.url = self.redis.url()
        elif driver.startswith("mysql"):
            self.database = request.getfixturevalue("mariadb")
            self.url = self.database.url(driver.partition("+")[2])
        else:
            self.database = request.getfixturevalue("postgres")
            self.url = self.database.url(driver)
        if self.database is not None:
            self.database.sql(SCHEMA)

    def run(self, *args: str) -> Run:
        return self.project.run(*args, env={"DATABASE_URL": self.url}, record=True, limit=LIMIT)

    def count(self) -> int:
        """What is in the address's own database."""
        assert self.database is not None
        return int(self.database.sql("select count(*) from item")[0])

    def left(self) -> list[str]:
        if self.redis is not None:
            return [str(number) for number, count in self.redis.keys().items() if number and count]
        if self.database is not None:
            return self.database.left()
        return [str(path) for path in self.project.path.glob(".pytest_cache/d/outpace-databases/runs/*/*")]


@pytest.fixture
def shop(request: pytest.FixtureRequest, project: Project, tmp_path: Path) -> Shop:
    return Shop(request, project, tmp_path, request.param)


def as_serially(shop: Shop, *args: str, times: int = 1) -> None:
    serial = shop.run("-n0")
    assert serial.ret == 0, serial.out
    for _ in range(max(times, shop.times)):
        parallel = shop.run(*args)
        assert outcomes.outcome_table(parallel.recorded) == outcomes.outcome_table(serial.recorded), parallel.out
        assert parallel.ret == 0, parallel.out + parallel.err
        assert shop.left() == []


@pytest.mark.parametrize("shop", SUITES, indirect=True)
def test_each_suite_passes_with_clones_and_fails_without(shop: Shop) -> None:
    assert shop.run("-n4", "-x", "-p", "no:outpace").counts.get("failed", 0) > 0
    shop.project.write("pyproject.toml", CLONE)
    as_serially(shop, "-n4")


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize("shop", ["psycopg", "sqlite3"], indirect=True)
def test_clones_again_and_again(shop: Shop, method: str) -> None:
    shop.project.write("pyproject.toml", CLONE)
    as_serially(shop, "-n4", "--start-method", method, times=5)


RAW = ["psycopg", "psycopg2", "pymysql", "MySQLdb", "mysql.connector", "sqlite3"]
ENGINES = ["sqlalchemy", "sqlalchemy-sqlite", "sqlalchemy-mysql", "fastapi", "fastapi-sqlite", "fastapi-mysql"]


@pytest.mark.parametrize("shop", ENGINES, indirect=True)
def test_a_suite_passes_in_transactions(shop: Shop) -> None:
    shop.project.write("pyproject.toml", TRANSACTION)
    as_serially(shop, "-n4")
    if shop.database is not None:
        assert shop.count() == 0


ASYNCHRONOUS = ["asyncpg", "aiosqlite", "aiomysql", "fastapi-async"]


@pytest.mark.parametrize("shop", ASYNCHRONOUS, indirect=True)
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
    as_serially(shop, "-n4")


@pytest.mark.parametrize("shop", RAW, indirect=True)
def test_raw_connections_in_transactions(shop: Shop) -> None:
    driver = shop.project.path.joinpath("test_raw.py").read_text().split("import ")[2].split()[0]
    shop.project.files(
        conftest=f"""
        import pytest

        @pytest.fixture(autouse=True)
        def _undone(outpace_rollback, monkeypatch, request):
            import {driver} as driver
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


@pytest.mark.parametrize("shop", ["asyncpg-raw"], indirect=True)
def test_raw_asynchronous_connections_in_transactions(shop: Shop) -> None:
    shop.project.files(
        conftest="""
        from contextlib import AsyncExitStack
        import asyncpg
        import pytest
        from outpace.transactions import rolled_back

        @pytest.fixture(autouse=True)
        async def _undone(monkeypatch):
            connect = asyncpg.connect
            async with AsyncExitStack() as stack:
                async def inside(*args, **kwargs):
                    real = await connect(*args, **kwargs)
                    stack.push_async_callback(real.close)
                    return await stack.enter_async_context(rolled_back(real))
                monkeypatch.setattr(asyncpg, "connect", inside)
                yield
        """
    )
    as_serially(shop, "-n4")
    assert shop.count() == 0


@pytest.mark.parametrize("shop", ["django", "django-mysql", "django-sqlite"], indirect=True)
def test_djangos_own_transactions(shop: Shop) -> None:
    """Where tests write the same keys at once, SQLite refuses, and MySQL has deadlocks: there with clones."""
    file = shop.project.path / "test_shop.py"
    text = file.read_text().replace("django_db_blocker)", "db)")
    file.write_text(text.replace("with django_db_blocker.unblock():", "if db is None:"))
    if not shop.url.startswith("postgresql"):
        shop.project.write("pyproject.toml", CLONE)
    as_serially(shop, "-n4")


# One of each kind of server; `--times 2` and more: all.
FEW = ("psycopg", "pymysql", "redis", "sqlite3")


@pytest.mark.parametrize("shop", SUITES, indirect=True)
def test_a_suite_passes_one_test_at_a_time(shop: Shop) -> None:
    if shop.times == 1 and shop.kind not in FEW:
        pytest.skip("runs with --times 2")
    shop.project.write("pyproject.toml", SERIAL)
    as_serially(shop, "-n4")


@pytest.mark.parametrize("shop", ["psycopg"], indirect=True)
def test_serial_is_for_those_that_use_the_fixture_of_that_name(shop: Shop) -> None:
    shop.project.write("pyproject.toml", '[tool.outpace.databases.connection]\nstrategy = "serial"\n')
    as_serially(shop, "-n4")
    shop.project.write("pyproject.toml", '[tool.outpace.databases.db]\nstrategy = "serial"\n')
    shop.run("-n2").match("outpace: this override matches no test: *pyproject.toml:1:*databases.db*: fixture(db)")
