"""What a suite of 200 tests, written for one process, becomes with one setting."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from conftest import Mariadb, Postgres
from project import Project

LIMIT = 240.0
QUIET = ("-p", "no:asyncio", "-p", "no:anyio", "-p", "no:django")
HAS_NAMESPACES = shutil.which("unshare") and subprocess.run(["unshare", "-Urnm", "true"]).returncode == 0
SUITE = """
    import os, time
    import pytest
    {connect}

    @pytest.mark.parametrize("n", range(200))
    def test_it(n):
        if n % 2:
            return
        connection = connect()
        try:
            cursor = connection.cursor()
            cursor.execute("truncate table item")
            connection.commit()
            cursor.execute(f"insert into item values ('{{n}}')")
            connection.commit()
            time.sleep(0.002)
            cursor.execute("select name from item")
            assert [name for (name,) in cursor.fetchall()] == [str(n)]
        finally:
            connection.close()
"""
POSTGRES = """
    import psycopg
    def connect(): return psycopg.connect({url})
"""
MYSQL = """
    import pymysql
    from urllib.parse import urlsplit
    def connect():
        at = urlsplit({url})
        place = dict(host=at.hostname, port=at.port, user=at.username, password=at.password)
        return pymysql.connect(database=at.path[1:], **place)
"""


@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
@pytest.mark.parametrize("address", ["variable", "code"])
def test_200_tests_that_truncate_a_table(
    project: Project, request: pytest.FixtureRequest, kind: str, address: str
) -> None:
    """The address in a variable; or in the code, with ports of each worker's own."""
    database: Postgres | Mariadb = request.getfixturevalue(kind)
    url = database.url()
    database.sql("create table item (name varchar(40))")
    if address == "code" and not HAS_NAMESPACES:
        pytest.skip("this system does not let processes have namespaces")
    connect = (POSTGRES if kind == "postgres" else MYSQL).format(
        url='os.environ["DATABASE_URL"]' if address == "variable" else repr(url)
    )
    project.files(test_a=SUITE.format(connect=connect))
    env = {"DATABASE_URL": url}
    plain = project.run(*QUIET, "-n4", "-p", "no:outpace", env=env, limit=LIMIT)
    assert plain.ret == 1 and plain.counts["failed"] > 10, plain.out
    where = 'url-env = "DATABASE_URL"\n' if address == "variable" else f'url = "{url}"\n'
    setting = f'[tool.outpace.databases.app]\nstrategy = "clone"\n{where}'
    if address == "code":
        setting += '\n[tool.outpace.isolate]\nkinds = ["ports"]\n'
    project.write("pyproject.toml", setting)
    for _ in range(request.config.getoption("--times")):
        run = project.run(*QUIET, "-n4", env=env, limit=LIMIT)
        assert (run.ret, run.counts) == (0, {"passed": 200}), run.out + run.err
    assert database.left() == []


ALL = """
    import socket, time
    import psycopg
    import pytest

    @pytest.mark.parametrize("n", range(200))
    def test_it(n):
        if n % 2:
            return
        if n % 3 == 0:
            with socket.socket() as server:
                server.bind(("127.0.0.1", 8000))
                server.listen()
                time.sleep(0.002)
                socket.create_connection(("127.0.0.1", 8000)).close()
        elif n % 3 == 1:
            with open("data/out.csv", "w") as file:
                file.write(str(n))
                file.flush()
                time.sleep(0.002)
            assert open("data/out.csv").read() == str(n)
        else:
            with psycopg.connect({url!r}, autocommit=True) as connection:
                connection.execute("truncate table item")
                connection.execute("insert into item values (%s)", [str(n)])
                time.sleep(0.002)
                assert connection.execute("select name from item").fetchall() == [(str(n),)]
"""


@pytest.mark.skipif(not HAS_NAMESPACES, reason="this system does not let processes have namespaces")
def test_200_tests_that_share_a_port_a_file_and_a_table(
    project: Project, postgres: Postgres, request: pytest.FixtureRequest
) -> None:
    postgres.sql("create table item (name varchar(40))", "insert into item values ('here')")
    project.files(test_a=ALL.format(url=postgres.url()))
    project.write("data/out.csv", "here")
    plain = project.run(*QUIET, "-n4", "-p", "no:outpace", limit=LIMIT)
    assert plain.ret == 1 and plain.counts["failed"] > 10, plain.out
    postgres.sql("truncate item", "insert into item values ('here')")
    project.write("data/out.csv", "here")
    project.write(
        "pyproject.toml",
        f'[tool.outpace.databases.app]\nurl = "{postgres.url()}"\nstrategy = "clone"\n\n'
        '[tool.outpace.isolate]\nkinds = ["ports", "files"]\n',
    )
    for _ in range(request.config.getoption("--times")):
        run = project.run(*QUIET, "-n4", limit=LIMIT)
        assert (run.ret, run.counts) == (0, {"passed": 200}), run.out + run.err
    assert (project.path / "data" / "out.csv").read_text() == "here"
    assert postgres.sql("select name from item") == ["here"]
    assert postgres.left() == []
