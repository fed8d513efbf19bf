"""An address that is written in the code: workers with a loopback of their own reach their clones there."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing

import outcomes
import pytest
import suites
from conftest import Mariadb, Postgres
from project import Project
from redis_server import Server

LIMIT = 240.0
HAS_NAMESPACES = shutil.which("unshare") and subprocess.run(["unshare", "-Urnm", "true"]).returncode == 0
pytestmark = pytest.mark.skipif(not HAS_NAMESPACES, reason="this system does not let processes have namespaces")
SCHEMA = "create table item (name varchar(40) primary key)"


def with_address(project: Project, url: str) -> None:
    """What the suites read of their environment becomes a constant."""
    for path in project.path.glob("*.py"):
        text = path.read_text()
        path.write_text(
            text.replace("os.environ['DATABASE_URL']", repr(url)).replace('os.environ["DATABASE_URL"]', repr(url))
        )


def raw(driver: str) -> Callable[[Project], None]:
    return lambda project: suites.raw(project, driver)


def with_clones_there(project: Project, url: str, times: int = 1) -> None:
    """The suite with the address in its code, serially and in workers of either kind."""
    with_address(project, url)
    table = f'[tool.outpace.databases.app]\nstrategy = "clone"\nurl = "{url}"\n'
    project.write("pyproject.toml", f'{table}\n[tool.outpace.isolate]\nkinds = ["ports"]\n')
    serial = project.run("-n0", "--isolate=none", record=True, limit=LIMIT)
    assert serial.ret == 0, serial.out
    assert project.run("-n4", "-x", "-p", "no:outpace", limit=LIMIT).counts.get("failed", 0) > 0
    for method in ["fork", "spawn"] * times:
        parallel = project.run("-n4", "-v", "--start-method", method, record=True, limit=LIMIT)
        assert parallel.ret == 0, parallel.out + parallel.err
        assert outcomes.outcome_table(parallel.recorded) == outcomes.outcome_table(serial.recorded)


@pytest.fixture
def times(request: pytest.FixtureRequest) -> int:
    found: int = request.config.getoption("--times")
    return (found + 1) // 2


@pytest.mark.parametrize(
    ("suite", "driver"),
    [
        (raw("psycopg"), ""),
        (raw("psycopg2"), ""),
        (suites.raw_asyncpg, ""),
        (suites.sqlalchemy, "psycopg"),
        (suites.sqlalchemy_async, "asyncpg"),
        (suites.fastapi, "psycopg"),
        (suites.django, ""),
    ],
    ids=["psycopg", "psycopg2", "asyncpg-raw", "sqlalchemy", "asyncpg", "fastapi", "django"],
)
def test_postgresql(
    project: Project, postgres: Postgres, suite: Callable[[Project], None], driver: str, times: int
) -> None:
    suite(project)
    postgres.sql(SCHEMA, "insert into item values ('here')")
    with_clones_there(project, postgres.url(driver), times)
    assert postgres.left() == []


@pytest.mark.parametrize(
    ("suite", "driver"),
    [
        (raw("pymysql"), "pymysql"),
        (raw("MySQLdb"), "mysqldb"),
        (raw("mysql.connector"), "mysqlconnector"),
        (suites.sqlalchemy, "pymysql"),
        (suites.sqlalchemy, "mysqlconnector"),
        (suites.sqlalchemy_async, "aiomysql"),
        (suites.sqlalchemy_async, "asyncmy"),
        (suites.fastapi, "pymysql"),
        (suites.django, "pymysql"),
    ],
    ids=[
        "pymysql",
        "MySQLdb",
        "mysql.connector-raw",
        "sqlalchemy",
        "mysql.connector",
        "aiomysql",
        "asyncmy",
        "fastapi",
        "django",
    ],
)
def test_mysql(
    project: Project, mariadb: Mariadb, suite: Callable[[Project], None], driver: str, times: int
) -> None:
    pytest.importorskip({"mysqldb": "MySQLdb", "mysqlconnector": "mysql.connector"}.get(driver, driver))
    suite(project)
    mariadb.sql(SCHEMA, "insert into item values ('here')")
    with_clones_there(project, mariadb.url(driver), times)
    assert mariadb.left() == []


def test_mysql_where_the_database_is_chosen_later(project: Project, mariadb: Mariadb) -> None:
    """By a command, a statement, and by becoming another user."""
    mariadb.sql(SCHEMA)
    project.write(
        "pyproject.toml",
        f'[tool.outpace.databases.app]\nstrategy = "clone"\nurl = "{mariadb.url()}"\n\n'
        '[tool.outpace.isolate]\nkinds = ["ports"]\n',
    )
    project.files(
        test_choices=f"""
        import pymysql
        import pytest

        @pytest.mark.parametrize("n", range(4))
        def test_choices(n, worker_id):
            place = dict(host="127.0.0.1", port={mariadb.server.port}, user="app", password="geheim")
            connection = pymysql.connect(**place)
            cursor = connection.cursor()

            def here():
                cursor.execute("select database()")
                return cursor.fetchone()[0]

            assert here() is None
            connection.select_db("{mariadb.name}")
            assert here().endswith(worker_id)
            cursor.execute("use mysql")
            assert here() == "mysql"
            cursor.execute("USE `{mariadb.name}` ;")
            assert here().endswith(worker_id)
            cursor.execute("insert into item values (%s)", ("x" * 40,))
            data = "y" * 20_000_000  # in two packets
            cursor.execute("select length(%s)", (data,))
            assert cursor.fetchone() == (20_000_000,)
            assert here().endswith(worker_id)
            with pytest.raises(pymysql.err.OperationalError, match="SSL"):
                pymysql.connect(**place, ssl={{"check_hostname": False}})
        """
    )
    mariadb.server.sql("set global max_allowed_packet = 64 * 1024 * 1024")
    run = project.run("-n4", limit=LIMIT)
    assert run.ret == 0, run.out + run.err


@pytest.mark.parametrize("suite", [suites.redis, suites.redis_async, suites.redis_fastapi, suites.redis_django])
def test_redis(project: Project, redis: Server, suite: Callable[[Project], None], times: int) -> None:
    pytest.importorskip("redis")
    redis.call("SET", "own", "kept")
    suite(project)
    with_clones_there(project, redis.url(), times)
    assert set(redis.keys()) <= {0}


def test_redis_with_a_password_and_another_number(project: Project) -> None:
    pytest.importorskip("redis")
    server = Server("--requirepass", "geheim")
    try:
        project.write(
            "pyproject.toml",
            "".join(
                f'[tool.outpace.databases.{name}]\nstrategy = "clone"\n'
                f'url = "{server.url(number, user=":geheim")}"\n\n'
                for name, number in (("cache", 0), ("queue", 2))
            )
            + '[tool.outpace.isolate]\nkinds = ["ports"]\n',
        )
        project.files(
            test_cache=f"""
            import redis
            import pytest

            @pytest.mark.parametrize("protocol", [2, 3])
            @pytest.mark.parametrize("n", range(4))
            def test_numbers(n, protocol, worker_id):
                url = "redis://:geheim@127.0.0.1:{server.port}"
                cache, queue = (redis.Redis.from_url(f"{{url}}/{{number}}", protocol=protocol) for number in (0, 2))
                for client in (cache, queue):
                    client.flushdb()
                cache.set("whose", worker_id)
                assert queue.get("whose") is None
                assert cache.move("whose", 2)
                assert cache.get("whose") is None
                assert queue.get("whose").decode() == worker_id
                queue.set("large", "x" * 3_000_000)
                queue.flushall()
                with queue.pipeline() as pipeline:
                    assert pipeline.set("a", 1).incr("a").dbsize().execute() == [True, 2, 1]
            """
        )
        run = project.run("-n4", limit=LIMIT)
        assert run.ret == 0, run.out + run.err
    finally:
        server.stop()


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_an_sqlite_file_that_is_prepared_is_at_its_address(project: Project, method: str) -> None:
    """The file itself has no table, or is not even there."""
    suites.raw(project, "sqlite3")
    with_address(project, "sqlite:///app.db")
    project.files(
        prepare="""
        import os, sqlite3
        connection = sqlite3.connect(os.environ["OUTPACE_DATABASE_URL"].split("///", 1)[1])
        connection.execute("create table item (name text)")
        connection.commit()
        """
    )
    project.write(
        "pyproject.toml",
        '[tool.outpace.databases.app]\nurl = "sqlite:///app.db"\nstrategy = "clone"\n'
        f"prepare = '\"{sys.executable}\" prepare.py'\n\n[tool.outpace.isolate]\nkinds = [\"files\"]\n",
    )
    run = project.run("-n4", "--start-method", method, limit=LIMIT)
    assert run.counts == {"passed": 12}, run.out + run.err
    assert not (project.path / "app.db").exists()
    with closing(sqlite3.connect(project.path / "app.db")) as connection:
        connection.execute("create table other (name text)")
    run = project.run("-n4", "--start-method", method, limit=LIMIT)
    assert run.counts == {"passed": 12}, run.out + run.err


@pytest.mark.parametrize(
    ("suite", "driver"),
    [
        (raw("sqlite3"), "sqlite"),
        (suites.sqlalchemy, "sqlite"),
        (suites.sqlalchemy_async, "sqlite+aiosqlite"),
        (suites.fastapi, "sqlite"),
        (suites.django, "sqlite"),
    ],
    ids=["sqlite3", "sqlalchemy", "aiosqlite", "fastapi", "django"],
)
def test_an_sqlite_file_in_the_project(
    project: Project, suite: Callable[[Project], None], driver: str, times: int
) -> None:
    """A table is not even needed: the project's files are each worker's own. (That these suites fail without is seen
    where they have clones.)"""
    suite(project)
    with_address(project, f"{driver}:///app.db")
    file = project.path / "app.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(SCHEMA)
        connection.execute("insert into item values ('here')")
        connection.commit()
    before = file.read_bytes()
    serial = project.run("-n0", record=True, limit=LIMIT)
    assert serial.ret == 0, serial.out
    file.write_bytes(before)
    project.write("pyproject.toml", '[tool.outpace.isolate]\nkinds = ["files"]\n')
    for method in ["fork", "spawn"] * times if times > 1 else ["fork"]:
        parallel = project.run("-n4", "--start-method", method, record=True, limit=LIMIT)
        assert parallel.ret == 0, parallel.out + parallel.err
        assert outcomes.outcome_table(parallel.recorded) == outcomes.outcome_table(serial.recorded)
        assert file.read_bytes() == before
