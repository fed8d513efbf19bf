"""Mistakes are told before any test runs, with the table and what to do."""

from __future__ import annotations

import socket
import sqlite3
from pathlib import Path

import pytest
import redis_server
from conftest import Mariadb, Postgres
from project import Project, Run

LIMIT = 240.0
QUIET = ("-p", "no:asyncio", "-p", "no:anyio", "-p", "no:django")
TABLE = '\n[tool.outpace.databases.app]\nurl-env = "DATABASE_URL"\nstrategy = "clone"\n'
WORKERS = pytest.mark.parametrize("workers", ["-n2", "-n0"])


@pytest.fixture
def suite(project: Project) -> Project:
    project.write("pyproject.toml", TABLE)
    project.files(test_a="def test_one():\n    open('ran', 'w').close()\n")
    return project


def refused(project: Project, workers: str, url: str | None, *patterns: str) -> Run:
    run = project.run(*QUIET, workers, env={"DATABASE_URL": url}, limit=LIMIT)
    assert run.ret == 4, run.out + run.err
    text = " ".join((run.out + run.err).split())
    assert "pyproject.toml:1: [tool.outpace.databases.app]: " in text
    for pattern in patterns:
        assert pattern in text
    assert text.count("[tool.outpace.databases.app]") == 1
    assert not (project.path / "ran").exists()
    return run


@WORKERS
def test_the_variable_is_not_set(suite: Project, workers: str) -> None:
    refused(suite, workers, None, "the environment variable DATABASE_URL is not set (`url-env`)")


@WORKERS
@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("oracle://u:geheim@host/x", "'oracle://u:***@host/x' is no address of PostgreSQL, MySQL, Redis or SQLite"),
        ("postgresql://host", "names no database"),
        ("mysql://host", "names no database"),
        ("redis://host/app", "'app' is not the number of a database"),
        ("sqlite://", "a database in memory is each worker's own already"),
        ("nonsense", "'nonsense' is not the address of a database: postgresql://user@host/name"),
    ],
)
def test_not_an_address(suite: Project, url: str, told: str, workers: str) -> None:
    run = refused(suite, workers, url, f"DATABASE_URL: {told}" if ":***" in told else told)
    assert "geheim" not in run.out + run.err


@WORKERS
@pytest.mark.parametrize(
    "scheme",
    [
        *(f"postgresql+{driver}" for driver in ("psycopg", "psycopg2", "asyncpg", "pg8000")),
        *(f"mysql+{driver}" for driver in ("pymysql", "mysqldb", "mysqlconnector", "asyncmy")),
        "redis",
    ],
)
def test_nobody_listens(suite: Project, scheme: str, workers: str) -> None:
    if scheme.endswith(("mysqldb", "mysqlconnector")):
        pytest.importorskip("MySQLdb" if scheme.endswith("mysqldb") else "mysql.connector")
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        number = "0" if scheme == "redis" else "app"
        url = f"{scheme}://u:geheim@127.0.0.1:{sock.getsockname()[1]}/{number}"
        told = (f"cannot connect to {url.replace('geheim', '***')}: ", "Start the server, or correct the address")
        run = refused(suite, workers, url, *told)
    assert "geheim" not in run.out + run.err


@WORKERS
def test_no_such_database(suite: Project, postgres: Postgres, workers: str) -> None:
    refused(
        suite, workers, postgres.cluster.url("nowhere"), "there is no database `nowhere` on the server", "set `prepare`"
    )


@WORKERS
def test_the_role_may_not(suite: Project, postgres: Postgres, workers: str) -> None:
    postgres.sql("drop role if exists weak", "create role weak login")
    url = postgres.cluster.url(postgres.name, user="weak")
    refused(suite, workers, url, "the role `weak` may not create databases", 'ALTER ROLE "weak" CREATEDB')


@WORKERS
def test_the_database_is_another_roles(suite: Project, postgres: Postgres, workers: str) -> None:
    postgres.sql("drop role if exists maker", "create role maker login createdb")
    url = postgres.cluster.url(postgres.name, user="maker")
    refused(suite, workers, url, "belongs to another role, so it cannot be copied")


@WORKERS
@pytest.mark.parametrize("driver", ["psycopg", "asyncpg", "pg8000"])
def test_the_database_is_in_use(suite: Project, postgres: Postgres, driver: str, workers: str) -> None:
    psycopg = pytest.importorskip("psycopg")
    with psycopg.connect(postgres.url(), application_name="a shell"):
        told = (f"database `{postgres.name}` is in use", "a shell (process ", "Close these connections, or set")
        refused(suite, workers, postgres.url(driver), *told)


@WORKERS
def test_mysql_refuses(suite: Project, mariadb: Mariadb, workers: str) -> None:
    server = mariadb.server
    refused(suite, workers, server.url("nowhere"), "there is no database `nowhere` on the server", "set `prepare`")
    url = server.url(mariadb.name, user="app:falsch")
    run = refused(suite, workers, url, "the server refuses mysql+pymysql://app:***@", "Correct user and password")
    assert "falsch" not in run.out + run.err
    server.sql(
        "create or replace user weak@'127.0.0.1'", f"grant select, trigger on {mariadb.name}.* to weak@'127.0.0.1'"
    )
    name = mariadb.name.replace("_", "\\_")
    grant = f"GRANT ALL ON `{name}\\_outpace\\_%`.* TO 'weak'@'127.0.0.1'"
    told = ("the user 'weak'@'127.0.0.1' may not create databases", f"As an administrator: {grant}")
    url = server.url(mariadb.name, user="weak")
    refused(suite, workers, url, *told)
    server.sql(grant)  # as it says
    run = suite.run(*QUIET, workers, env={"DATABASE_URL": url}, limit=LIMIT)
    assert run.ret == 0, run.out + run.err
    server.sql("create or replace user blind@'127.0.0.1'", "grant create, drop, execute on *.* to blind@'127.0.0.1'")
    mariadb.sql("create procedure hidden () select 1")
    (suite.path / "ran").unlink()
    url = server.url(mariadb.name, user="blind")
    refused(suite, workers, url, "may not see what the procedure `hidden` consists of", "GRANT SELECT ON mysql.proc")


def test_a_mysql_table_is_held_by_an_open_transaction(suite: Project, mariadb: Mariadb) -> None:
    pymysql = pytest.importorskip("pymysql")
    mariadb.sql("create table item (name text)", "insert into item values ('one')")
    place = {"host": "127.0.0.1", "port": mariadb.server.port, "user": "app", "password": "geheim"}
    with pymysql.connect(database=mariadb.name, **place) as connection, connection.cursor() as cursor:
        cursor.execute("update item set name = 'two'")
        told = ("cannot be copied: an open transaction holds what it consists of", "or set `prepare`")
        refused(suite, "-n0", mariadb.url(), *told)


@WORKERS
def test_redis_refuses(suite: Project, workers: str) -> None:
    if redis_server.binary() is None:
        pytest.skip("no Redis server is installed")
    server = redis_server.Server("--requirepass", "geheim", "--databases", "3")
    try:
        for user in ("", ":falsch"):
            refused(suite, workers, server.url(user=user), "the server refuses redis://", "Correct user and password")
        url = server.url(user=":geheim")
        suite.write("pyproject.toml", TABLE + 'prepare = "make"\n')
        refused(suite, workers, url, "a worker's database of Redis begins empty: `prepare` and `fingerprint` are for")
        suite.write("pyproject.toml", TABLE)
        run = suite.run(*QUIET, workers, env={"DATABASE_URL": url}, limit=LIMIT)
        assert run.ret == 0, run.out + run.err
    finally:
        server.stop()


@WORKERS
def test_no_driver_for_mysql(suite: Project, workers: str) -> None:
    suite.files(
        conftest="""
        import importlib.util
        found = importlib.util.find_spec
        names = ("pymysql", "MySQLdb", "mysql.connector", "asyncmy")
        importlib.util.find_spec = lambda name, *rest: None if name in names else found(name, *rest)
        """
    )
    told = ("no driver for MySQL is installed here", "pip install pymysql")
    refused(suite, workers, "mysql://host/app", *told)


@WORKERS
def test_no_driver(suite: Project, workers: str) -> None:
    suite.files(
        conftest="""
        import importlib.util
        found = importlib.util.find_spec
        names = ("psycopg", "psycopg2", "asyncpg", "pg8000")
        importlib.util.find_spec = lambda name, *rest: None if name in names else found(name, *rest)
        """
    )
    told = ("no driver for PostgreSQL is installed here", "pip install 'psycopg[binary]'")
    refused(suite, workers, "postgresql://host/app", *told)


@WORKERS
def test_not_an_sqlite_file(suite: Project, workers: str) -> None:
    (suite.path / "app.db").write_text("This is text, and long enough to be seen as such by anybody who reads it." * 9)
    refused(suite, workers, "sqlite:///app.db", "file is not a database", "Correct the address")
    refused(suite, workers, "sqlite:///nowhere/app.db", "the folder of ", "does not exist")


def test_an_sqlite_file_that_is_locked(suite: Project) -> None:
    connection = sqlite3.connect(suite.path / "app.db", isolation_level=None)
    connection.execute("create table t (x)")
    connection.execute("begin exclusive")
    refused(suite, "-n2", "sqlite:///app.db", "database is locked", "Close what holds it")
    connection.close()


@pytest.mark.parametrize(
    ("lines", "line", "told"),
    [
        ("", 1, "[tool.outpace.databases.app] needs a `strategy`: transaction, clone, serial"),
        ('strategy = "copy"', 2, "`strategy` must be one of 'transaction', 'clone', 'serial'"),
        ('strategy = "clone"', 1, "[tool.outpace.databases.app] needs a `url`, or a `url-env`"),
        ('strategy = "clone"\nurl = "mongodb://host/x"', 3, "`url`: 'mongodb://host/x' is no address of PostgreSQL"),
        ('strategy = "clone"\nurl = 5', 3, "`url` must be a string"),
        ('strategy = "clone"\nurl = "a.db"\nprepare = []', 4, "`prepare` must be a string or a list of strings"),
        ('strategy = "clone"\nurl = "a.db"\nurl_env = "X"', 4, "unknown key `url_env`"),
        ('strategy = "serial"\nprepare = "make db"', 3, '`prepare` is for `strategy = "clone"` only'),
        ('strategy = "serial"\nfilter = "fixtures(x)"', "3:11", "expected `test(...)`"),
        ('strategy = "transaction"\nurl = "redis://h/0"', 2, "Redis cannot take back what a test has written: use"),
        ('strategy = "transaction"', 1, '[tool.outpace.databases.app] needs an `engine = "package.module:name"`'),
        ('strategy = "transaction"\nengine = "app"', 3, '`engine` must be written as "package.module:name"'),
    ],
)
def test_the_table_is_wrong(project: Project, lines: str, line: int | str, told: str) -> None:
    project.write("pyproject.toml", f"[tool.outpace.databases.app]\n{lines}\n")
    project.files(test_a="def test_one(): pass")
    run = project.run(*QUIET, "-n0")
    assert run.ret == 4
    assert f"pyproject.toml:{line}: {told}" in run.err, run.err


@pytest.mark.parametrize(
    ("engine", "told"),
    [
        ("nowhere:engine", "`engine`: No module named 'nowhere'"),
        ("shop:engines", "`engine`: module 'shop' has no attribute 'engines'"),
        ("shop:text", "`engine`: rolled_back() takes an Engine or AsyncEngine"),
        ("shop:later", "`engine`: shop:later is asynchronous: write `async with rolled_back(engine)`"),
    ],
)
def test_the_engine_is_wrong(project: Project, engine: str, told: str) -> None:
    pytest.importorskip("sqlalchemy")
    project.write(
        "pyproject.toml", f'[tool.outpace.databases.app]\nstrategy = "transaction"\nengine = "{engine}"\n'
    )
    project.files(
        shop="""
        from sqlalchemy.ext.asyncio import create_async_engine
        text = ""
        later = create_async_engine("sqlite+aiosqlite://")
        """,
        test_a="def test_one(): pass",
    )
    run = project.run(*QUIET, "-n0")
    assert f"[tool.outpace.databases.app]: {told}" in run.out, run.out


@pytest.mark.parametrize("strategy", ["clone", "transaction"])
def test_a_filter_that_matches_no_test_is_told(project: Project, tmp_path: Path, strategy: str) -> None:
    url = f"sqlite:///{tmp_path / 'app.db'}"
    project.write(
        "pyproject.toml",
        f"[tool.outpace.databases.app]\nstrategy = \"{strategy}\"\nfilter = \"test(test_it)\"\n"
        + (f'url = "{url}"\n' if strategy == "clone" else 'engine = "shop:engine"\n'),
    )
    project.files(test_a="def test_it(): pass")
    run = project.run(*QUIET, "-n2")
    run.match("outpace: this override matches no test: *pyproject.toml:1:*databases.app*: test(test_it)")
    assert run.counts == {"passed": 1}
    project.write("pyproject.toml", (project.path / "pyproject.toml").read_text().replace("(test_it)", "(*::test_it)"))
    project.run(*QUIET, "-n2", "--collect-only").no_match("*matches no test*")


def test_the_project_sets_the_variable_itself(suite: Project) -> None:
    """Over the worker's own, where the application reads it on import; not where it only sets what is missing."""
    suite.write("app.py", "import os\nurl = os.environ['DATABASE_URL']\n")
    suite.files(
        conftest="import os\nos.environ['DATABASE_URL'] = 'sqlite:///app.db'\nimport app\n",
        test_a="import app\ndef test_one(): assert 'gw' in app.url\n",
    )
    run = suite.run(*QUIET, "-n2", limit=LIMIT)
    assert run.ret == 4, run.out + run.err
    assert "DATABASE_URL is set by the project itself, over the address of the worker's clone" in run.out + run.err
    suite.files(conftest="import os\nos.environ.setdefault('DATABASE_URL', 'sqlite:///app.db')\nimport app\n")
    run = suite.run(*QUIET, "-n2", limit=LIMIT)
    assert run.ret == 0, run.out + run.err


def test_several_databases_have_no_only_one(project: Project, tmp_path: Path) -> None:
    project.write(
        "pyproject.toml",
        "".join(f'[tool.outpace.databases.{name}]\nstrategy = "clone"\nurl = "{name}.db"\n' for name in "ab"),
    )
    project.files(
        test_a="""
        def test_only(outpace_database_url): pass
        def test_each(outpace_database_urls):
            assert outpace_database_urls["a"].endswith("/a.db")
            assert outpace_database_urls["b"].endswith("/b.db")
        """
    )
    run = project.run(*QUIET, "-n2")
    assert run.counts == {"passed": 1, "error": 1}
    run.match("*[[]tool.outpace.databases[]] has 2 tables: use outpace_database_urls[[]NAME[]]")
