"""``outpace.transactions``: what is done inside is undone; inside a commit is a commit, a rollback a rollback."""

from __future__ import annotations

import asyncio
import importlib
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from conftest import Mariadb, Postgres
from outpace.transactions import rolled_back

sqlalchemy = pytest.importorskip("sqlalchemy")
from sqlalchemy import create_engine, event, text  # noqa: E402
from sqlalchemy.orm import Session  # noqa: E402

DRIVERS = ("sqlite", "psycopg", "psycopg2")
ASYNC_DRIVERS = ("aiosqlite", "asyncpg", "psycopg")
TABLE = "create table item (id integer primary key, name text unique)"


def is_available(driver: str) -> bool:
    """SQLAlchemy 1.4 knows no psycopg 3."""
    return driver != "psycopg" or not sqlalchemy.__version__.startswith("1.")


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """A database with one row, at an address for that driver."""

    def make(driver: str) -> str:
        if not is_available(driver):
            pytest.skip("SQLAlchemy 1.4 does not know this driver")
        if "sqlite" in driver:
            with sqlite3.connect(tmp_path / "app.db") as connection:
                connection.execute(TABLE)
                connection.execute("insert into item values (1, 'before')")
            connection.close()
            return f"sqlite{'+aiosqlite' if driver == 'aiosqlite' else ''}:///{tmp_path / 'app.db'}"
        postgres: Postgres = request.getfixturevalue("postgres")
        postgres.sql(TABLE, "insert into item values (1, 'before')")
        return postgres.url(driver)

    return make


def names(connection: Any) -> list[str]:
    return [row[0] for row in connection.execute(text("select name from item order by id"))]


def engines_view(engine: Any) -> list[str]:
    with engine.connect() as connection:
        return names(connection)


def add(connection: Any, number: int, name: str) -> None:
    connection.execute(text("insert into item values (:id, :name)"), {"id": number, "name": name})


@pytest.mark.parametrize("driver", DRIVERS)
def test_an_engines_commits_stay_inside(url: Callable[[str], str], driver: str) -> None:
    engine = create_engine(url(driver))
    assert engines_view(engine) == ["before"]
    with rolled_back(engine) as inside:
        assert inside is engine
        with Session(engine) as session:
            add(session, 2, "committed")
            session.commit()
            add(session, 3, "forgotten")
        with Session(engine) as session:
            assert names(session) == ["before", "committed"]
            add(session, 4, "taken back")
            session.rollback()
            add(session, 5, "second")
            session.commit()
        with engine.begin() as connection:
            add(connection, 6, "begun")
        with pytest.raises(ZeroDivisionError), engine.begin() as connection:  # noqa: PT012
            add(connection, 7, "failed")
            raise ZeroDivisionError
        raw = engine.raw_connection()
        raw.cursor().execute("insert into item values (8, 'raw')")
        raw.commit()
        raw.close()
        engine.dispose()
        assert engines_view(engine) == ["before", "committed", "second", "begun", "raw"]
    assert engines_view(engine) == ["before"]
    with engine.begin() as connection:
        add(connection, 2, "for good")
    engine.dispose()
    assert engines_view(engine) == ["before", "for good"]
    engine.dispose()


@pytest.mark.parametrize("driver", DRIVERS)
def test_savepoints_and_errors_are_as_outside(url: Callable[[str], str], driver: str) -> None:
    engine = create_engine(url(driver))
    with rolled_back(engine):
        with Session(engine) as session:
            add(session, 2, "two")
            with pytest.raises(sqlalchemy.exc.IntegrityError), session.begin_nested():
                add(session, 3, "before")
            with session.begin_nested():
                add(session, 4, "four")
            session.commit()
            with pytest.raises(sqlalchemy.exc.IntegrityError):
                add(session, 5, "two")
            session.rollback()
            assert names(session) == ["before", "two", "four"]
        assert engines_view(engine) == ["before", "two", "four"]
    assert engines_view(engine) == ["before"]
    engine.dispose()


@pytest.mark.parametrize("driver", DRIVERS)
def test_one_inside_another(url: Callable[[str], str], driver: str) -> None:
    engine = create_engine(url(driver))
    with rolled_back(engine):
        with engine.begin() as connection:
            add(connection, 2, "of the module")
        for _ in range(2):
            with rolled_back(engine), engine.begin() as connection:
                add(connection, 3, "of the test")
            assert engines_view(engine) == ["before", "of the module"]
    assert engines_view(engine) == ["before"]
    with rolled_back(engine), rolled_back(engine), engine.begin() as connection:
        add(connection, 2, "late")
    assert engines_view(engine) == ["before"]
    engine.dispose()


def test_deferred_constraints_are_looked_at_by_a_commit(postgres: Postgres) -> None:
    postgres.sql(
        "create table node (id integer primary key, parent integer references node deferrable initially deferred)"
    )
    engine = create_engine(postgres.url("psycopg2"))
    with rolled_back(engine):
        with engine.begin() as connection:
            connection.execute(text("insert into node values (1, 2)"))
            connection.execute(text("insert into node values (2, null)"))
        for number in (3, 4):  # and they stay deferred
            with pytest.raises(sqlalchemy.exc.IntegrityError), engine.begin() as connection:
                connection.execute(text(f"insert into node values ({number}, 99)"))
        with engine.connect() as connection:
            assert connection.execute(text("select count(*) from node")).scalar() == 2
    assert postgres.sql("select count(*) from node") == ["0"]
    engine.dispose()


def test_sqlite_where_a_listener_begins(url: Callable[[str], str]) -> None:
    """SQLAlchemy's documentation has this recipe."""
    engine = create_engine(url("sqlite"))
    event.listen(engine, "connect", lambda connection, _: setattr(connection, "isolation_level", None))
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    with rolled_back(engine), engine.begin() as connection:
        add(connection, 2, "two")
    assert engines_view(engine) == ["before"]
    engine.dispose()


def test_an_engine_without_transactions_is_refused(postgres: Postgres) -> None:
    engine = create_engine(postgres.url("psycopg2"), isolation_level="AUTOCOMMIT")
    with rolled_back(engine), pytest.raises(RuntimeError, match="no transaction to be rolled back"):
        engine.connect()
    with engine.connect() as connection:
        assert connection.execute(text("select 1")).scalar() == 1
    engine.dispose()


@pytest.mark.parametrize("driver", ASYNC_DRIVERS)
def test_an_asynchronous_engine(url: Callable[[str], str], driver: str) -> None:
    from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

    async def view(engine: Any) -> list[str]:
        async with engine.connect() as connection:
            return [row[0] for row in await connection.execute(text("select name from item order by id"))]

    async def main() -> None:
        engine = create_async_engine(url(driver))
        async with rolled_back(engine) as inside:
            assert inside is engine
            async with AsyncSession(engine) as session:
                await session.execute(text("insert into item values (2, 'committed')"))
                await session.commit()
                with pytest.raises(sqlalchemy.exc.IntegrityError):
                    await session.execute(text("insert into item values (3, 'before')"))
                await session.rollback()
                async with session.begin_nested():
                    await session.execute(text("insert into item values (4, 'nested')"))
                await session.commit()
                await session.execute(text("insert into item values (5, 'forgotten')"))
            async with engine.begin() as connection:
                await connection.execute(text("insert into item values (6, 'begun')"))
            async with rolled_back(engine), engine.begin() as connection:
                await connection.execute(text("insert into item values (7, 'inner')"))
            await engine.dispose()
            assert await view(engine) == ["before", "committed", "nested", "begun"]
        assert await view(engine) == ["before"]
        await engine.dispose()

    asyncio.run(main())


# ---------------------------------------------------------------- the drivers' own connections


@pytest.mark.parametrize("isolation_level", ["", None, "IMMEDIATE"])
def test_sqlite3(tmp_path: Path, isolation_level: str | None) -> None:
    real = sqlite3.connect(tmp_path / "app.db", isolation_level=isolation_level)
    real.executescript(f"{TABLE}; insert into item values (1, 'before');")
    other = sqlite3.connect(tmp_path / "app.db")

    def seen(connection: Any) -> list[str]:
        return [name for (name,) in connection.execute("select name from item order by id").fetchall()]

    with rolled_back(real) as connection:
        connection.execute("insert into item values (2, 'committed')")
        connection.commit()
        with connection:
            connection.cursor().execute("insert into item values (3, 'with')")
        with pytest.raises(ZeroDivisionError), connection:  # noqa: PT012
            connection.execute("insert into item values (4, 'failed')")
            raise ZeroDivisionError
        connection.execute("insert into item values (5, 'taken back')")
        connection.rollback()
        connection.executescript("begin; insert into item values (6, 'a;b'); commit; insert into item values (7, 'c')")
        connection.execute("ROLLBACK")
        connection.executemany("insert into item values (?, ?)", [(8, "many")])
        connection.close()
        assert seen(connection) == ["before", "committed", "with", "a;b"]
        assert seen(other) == ["before"]
        connection.row_factory = sqlite3.Row
        assert connection.execute("select name from item").fetchone()["name"] == "before"
    assert real.isolation_level == isolation_level
    real.row_factory = None
    assert seen(real) == seen(other) == ["before"]
    real.close()
    other.close()


@pytest.mark.skipif(sys.version_info < (3, 12), reason="new in Python 3.12")
@pytest.mark.parametrize("autocommit", [False, True])
def test_sqlite3_without_implicit_transactions(autocommit: bool) -> None:
    real = sqlite3.connect(":memory:", autocommit=autocommit)  # type: ignore[call-overload]
    real.execute(TABLE)
    if not autocommit:
        real.commit()
    with rolled_back(real) as connection:
        connection.execute("insert into item values (1, 'committed')")
        connection.commit()
        connection.execute("insert into item values (2, 'taken back')")
        connection.rollback()
        assert connection.execute("select id from item").fetchall() == [(1,)]
    assert real.execute("select id from item").fetchall() == []
    assert real.autocommit is autocommit
    real.close()


def test_sqlite3_in_a_transaction_is_refused() -> None:
    real = sqlite3.connect(":memory:")
    real.execute("create table t (x)")
    real.execute("insert into t values (1)")
    with pytest.raises(RuntimeError, match="commit or roll back first"), rolled_back(real):
        pass
    real.close()


@pytest.mark.parametrize("autocommit", [False, True])
@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_psycopg(postgres: Postgres, driver: str, autocommit: bool) -> None:
    module = pytest.importorskip(driver)
    postgres.sql(TABLE)
    real = module.connect(postgres.url())
    real.autocommit = autocommit
    with rolled_back(real) as connection:
        with connection.cursor() as cursor:
            cursor.execute("insert into item values (1, 'committed')")
            connection.commit()
            cursor.execute("insert into item values (2, 'taken back')")
            connection.rollback()
            with pytest.raises(module.errors.UniqueViolation):
                cursor.execute("insert into item values (3, 'committed')")
            connection.commit()  # of nothing: the transaction had failed
            with connection:
                cursor.execute("insert into item values (4, 'with')")
            cursor.execute("insert into item values (5, 'forgotten')")
            connection.close()
            cursor.execute("select name from item order by id")
            assert [name for (name,) in cursor.fetchall()] == ["committed", "with"]
        assert postgres.sql("select count(*) from item") == ["0"]
    assert real.autocommit == autocommit
    with real.cursor() as cursor:
        cursor.execute("select count(*) from item")
        assert cursor.fetchone() == (0,)
    real.close()


@pytest.mark.parametrize("autocommit", [False, True])
@pytest.mark.parametrize("driver", ["pymysql", "MySQLdb", "mysql.connector"])
def test_mysql(mariadb: Mariadb, driver: str, autocommit: bool) -> None:
    pytest.importorskip(driver)
    module = importlib.import_module(driver)
    mariadb.sql(TABLE.replace("text", "varchar(40)"))
    at = urlsplit(mariadb.url())
    place = {"host": at.hostname, "port": at.port, "user": at.username, "password": at.password}

    def connect() -> Any:
        real = module.connect(database=mariadb.name, **place)
        if driver == "mysql.connector":
            real.autocommit = autocommit
        else:
            real.autocommit(autocommit)
        return real

    def count() -> list[str]:
        return mariadb.sql("select count(*) from item")

    real, other = connect(), connect()
    with rolled_back(real) as connection:
        cursor = connection.cursor()
        cursor.execute("insert into item values (%s, %s)", (1, "committed"))
        connection.commit()
        with pytest.raises(module.IntegrityError):
            cursor.execute("insert into item values (2, 'committed')")
        getattr(connection, "start_transaction" if driver == "mysql.connector" else "begin")()
        cursor.execute("insert into item values (3, 'taken back')")
        connection.rollback()
        cursor.executemany("insert into item values (%s, %s)", [(4, "many"), (5, "many more")])
        cursor.execute("COMMIT")
        cursor.execute("begin")
        cursor.execute("insert into item values (6, 'begun')")
        cursor.execute("rollback")
        cursor.execute("insert into item values (7, 'by itself')")
        connection.rollback()
        with pytest.raises(RuntimeError, match="TRUNCATE would commit"):
            cursor.execute("truncate table item")
        cursor.execute("insert into item values (8, 'forgotten')")
        connection.close()
        cursor = connection.cursor()
        cursor.execute("select name from item order by id")
        mine = ["by itself", "forgotten"] if autocommit else []
        assert [name for (name,) in cursor.fetchall()] == ["committed", "many", "many more", *mine]
        cursor.close()
        assert count() == ["0"]
    with rolled_back(other) as connection:  # who wrote has let go of the lock
        connection.cursor().execute("insert into item values (1, 'mine')")
    cursor = real.cursor()
    cursor.execute("insert into item values (9, 'for good')")
    if not autocommit:
        assert count() == ["0"]
        real.commit()
    assert count() == ["1"]
    for each in (real, other):
        each.close()


def test_mysql_connector_with_all_its_cursors(mariadb: Mariadb) -> None:
    connector = pytest.importorskip("mysql.connector")
    mariadb.sql(
        TABLE.replace("text", "varchar(40)"), "create procedure fill() insert into item values (9, 'by procedure')"
    )
    at = urlsplit(mariadb.url())
    place = {"host": at.hostname, "port": at.port, "user": at.username, "password": at.password}
    real = connector.connect(database=mariadb.name, **place)
    kind = type(real)
    with rolled_back(real) as connection:
        assert isinstance(connection, kind) and not connection.in_transaction
        connection.start_transaction(isolation_level="SERIALIZABLE")
        assert connection.in_transaction
        with connection.cursor(prepared=True) as cursor:
            cursor.execute("insert into item values (?, ?)", (1, "prepared"))
            with pytest.raises(RuntimeError, match="DROP TABLE would commit"):
                cursor.execute("drop table item")
            with pytest.raises(RuntimeError, match="as a prepared statement would end"):
                cursor.execute("commit")
        with connection.cursor() as cursor:
            cursor.callproc("fill")
        connection.commit()
        with connection.cursor(dictionary=True) as cursor:
            cursor.execute("select name from item order by id")
            assert cursor.fetchall() == [{"name": "prepared"}, {"name": "by procedure"}]
            cursor.execute("delete from item")
        connection.reset_session()
        with pytest.raises(RuntimeError, match="another user's"):
            connection.cmd_change_user("other")
        with connection.cursor() as cursor:
            cursor.execute("select id from item order by id")
            connection.rollback()  # with rows to be read
            cursor.execute("select count(*) from item")
            assert cursor.fetchone() == (2,)
    assert type(real) is kind
    assert mariadb.sql("select count(*) from item") == ["0"]
    real.close()


def test_rows_that_are_no_tuples_of_numbers(mariadb: Mariadb) -> None:
    pymysql, connector = pytest.importorskip("pymysql"), pytest.importorskip("mysql.connector")
    mariadb.sql(TABLE.replace("text", "varchar(40)"))
    at = urlsplit(mariadb.url())
    place = {"host": at.hostname, "port": at.port, "user": at.username, "password": at.password}
    place["database"] = mariadb.name
    for real, one in (
        (pymysql.connect(cursorclass=pymysql.cursors.DictCursor, **place), {"name": "one"}),
        (connector.connect(raw=True, **place), (b"one",)),
    ):
        with rolled_back(real) as connection:
            cursor = connection.cursor()
            cursor.execute("insert into item values (1, 'one')")
            cursor.execute("select name from item")
            assert list(cursor.fetchall()) == [one]
        real.close()
    assert mariadb.sql("select count(*) from item") == ["0"]


def test_asyncpg(postgres: Postgres) -> None:
    asyncpg = pytest.importorskip("asyncpg")
    postgres.sql(TABLE)

    async def main() -> None:
        real = await asyncpg.connect(postgres.url())
        async with rolled_back(real) as connection:
            await connection.execute("insert into item values ($1, $2)", 1, "alone")
            with pytest.raises(asyncpg.UniqueViolationError):
                await connection.execute("insert into item values (2, 'alone')")
            async with connection.transaction():
                await connection.executemany("insert into item values ($1, $2)", [(3, "many")])
            with pytest.raises(ZeroDivisionError):  # noqa: PT012
                async with connection.transaction():
                    await connection.execute("insert into item values (4, 'failed')")
                    raise ZeroDivisionError
            await connection.close()
            found = await connection.fetch("select name from item order by id")
            assert [row["name"] for row in found] == ["alone", "many"]
        assert await real.fetchval("select count(*) from item") == 0
        await real.close()

    asyncio.run(main())


def test_asynchronous_psycopg(postgres: Postgres) -> None:
    psycopg = pytest.importorskip("psycopg")
    postgres.sql(TABLE)

    async def main() -> None:
        real = await psycopg.AsyncConnection.connect(postgres.url())
        async with rolled_back(real) as connection:
            await connection.execute("insert into item values (1, 'committed')")
            await connection.commit()
            await connection.execute("insert into item values (2, 'taken back')")
            await connection.rollback()
            async with connection.transaction():
                await connection.execute("insert into item values (3, 'block')")
            await connection.close()
            cursor = await connection.execute("select name from item order by id")
            assert [name for (name,) in await cursor.fetchall()] == ["committed", "block"]
        assert postgres.sql("select count(*) from item") == ["0"]
        await real.close()

    asyncio.run(main())


def test_what_it_does_not_take() -> None:
    with pytest.raises(TypeError, match=r"an Engine or AsyncEngine of SQLAlchemy.*this is a builtins\.str"):
        rolled_back("postgresql:///app")
