"""Templates, their fingerprints, and who owns a clone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import Mariadb, Postgres
from project import Project, Run, _environ

LIMIT = 240.0
QUIET = ("-p", "no:asyncio", "-p", "no:anyio", "-p", "no:django")
TABLE = '[tool.outpace.databases.app]\nurl-env = "DATABASE_URL"\nstrategy = "clone"\n'

# Fills an empty database, and notes that it did.
PREPARE = """
    import os, sqlite3, sys
    url = os.environ["DATABASE_URL"]
    if url.startswith("sqlite"):
        connection = sqlite3.connect(url.split("///", 1)[1])
    elif url.startswith("mysql"):
        import pymysql
        from urllib.parse import urlsplit
        at = urlsplit(url)
        connection = pymysql.connect(
            host=at.hostname, port=at.port, user=at.username, password=at.password, database=at.path[1:]
        )
    else:
        import psycopg
        connection = psycopg.connect(url)
    cursor = connection.cursor()
    cursor.execute("create table item (name text)")
    cursor.execute("insert into item values ('" + open("migrations/one.sql").read().strip() + "')")
    connection.commit()
    connection.close()
    print("prepared", file=open("prepared", "a"))
"""
TESTS = """
    import os, sqlite3, time
    import pytest

    def connect(url):
        if url.startswith("sqlite"):
            return sqlite3.connect(url.split("///", 1)[1])
        if url.startswith("mysql"):
            import pymysql
            from urllib.parse import urlsplit
            at = urlsplit(url)
            return pymysql.connect(
                host=at.hostname, port=at.port, user=at.username, password=at.password, database=at.path[1:]
            )
        import psycopg
        return psycopg.connect(url)

    @pytest.mark.parametrize("n", range(6))
    def test_items(n):
        connection = connect(os.environ["DATABASE_URL"])
        cursor = connection.cursor()
        cursor.execute("select name from item")
        rows = list(cursor.fetchall())
        cursor.execute("insert into item values ('mine')")
        connection.commit()
        time.sleep(0.05)
        assert rows[:1] == [(open("migrations/one.sql").read().strip(),)]
        assert set(rows[1:]) <= {("mine",)}
        worker = os.environ.get("PYTEST_XDIST_WORKER", "master")
        assert worker in os.environ["DATABASE_URL"]
        print(*rows, sep="\\n", file=open(f"seen-{worker}-{len(rows)}", "w"))
        connection.close()
"""


class Kind:
    """PostgreSQL, MariaDB or SQLite: where it is, and what is left there."""

    def __init__(self, request: pytest.FixtureRequest, project: Project) -> None:
        self.project = project
        self.server: Postgres | Mariadb | None = None
        if request.param != "sqlite":
            self.server = request.getfixturevalue(request.param)
            self.url = self.server.url()
        else:
            self.url = f"sqlite:///{project.path}/app.db"
        self.folder = project.path / ".pytest_cache/d/outpace-databases"

    def run(self, *args: str) -> Run:
        return self.project.run(*QUIET, *args, env={"DATABASE_URL": self.url}, limit=LIMIT)

    def start(self, *args: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "pytest", *QUIET, *args]
        environ = _environ({"DATABASE_URL": self.url}, self.project.path / "record")
        return subprocess.Popen(command, cwd=self.project.path, env=environ, stdout=subprocess.DEVNULL)

    def clones(self) -> list[str]:
        if self.server is None:
            return sorted(str(path) for path in self.folder.glob("runs/app/*/*"))
        return [name for name in self.server.left() if "_tpl_" not in name]

    def templates(self) -> list[str]:
        if self.server is None:
            return sorted(path.name for path in self.folder.glob("templates/app/*") if path.is_dir())
        return [name for name in self.server.left() if "_tpl_" in name]


@pytest.fixture(params=["postgres", "mariadb", "sqlite"])
def kind(request: pytest.FixtureRequest, project: Project) -> Kind:
    project.write("prepare.py", PREPARE)
    project.write("migrations/one.sql", "first")
    project.files(test_items=TESTS)
    return Kind(request, project)


def table(project: Project, *lines: str) -> None:
    project.write("pyproject.toml", TABLE + f'prepare = "{sys.executable} prepare.py"\n' + "\n".join(lines))


def times_prepared(project: Project) -> int:
    noted = project.path / "prepared"
    return len(noted.read_text().splitlines()) if noted.exists() else 0


def test_a_template_is_prepared_once_a_run(kind: Kind) -> None:
    table(kind.project)
    for runs, args in enumerate((["-n3"], ["-n0"]), 1):
        run = kind.run(*args)
        assert run.counts == {"passed": 6}, run.out + run.err
        assert times_prepared(kind.project) == runs
        assert kind.clones() == kind.templates() == []
    assert len(list(kind.project.path.glob("seen-gw*-1"))) > 1  # several workers, each with a fresh one


def test_a_template_is_kept_while_its_inputs_are_the_same(kind: Kind) -> None:
    project = kind.project
    table(project, 'fingerprint = ["migrations/**"]')
    for _ in range(2):
        assert kind.run("-n2").counts == {"passed": 6}
    assert times_prepared(project) == 1
    for number in range(4):
        project.write("migrations/one.sql", f"changed {number}")
        run = kind.run("-n2")
        assert run.counts == {"passed": 6}, run.out
    assert times_prepared(project) == 5
    assert len(kind.templates()) == 3
    assert kind.clones() == []
    project.write("prepare.py", PREPARE + '    print("more")')  # not an input
    table(project, 'fingerprint = ["migrations/**", "prepare.py"]')
    assert kind.run("-n2").ret == 0
    assert times_prepared(project) == 6


def test_a_hook_prepares_it(kind: Kind) -> None:
    project = kind.project
    project.write("pyproject.toml", TABLE + 'fingerprint = ["migrations/**"]\n')
    hook = """
    import os, subprocess, sys

    def pytest_outpace_prepare_database(config, name, url):
        assert name == "app"
        subprocess.run([sys.executable, "prepare.py"], env={**os.environ, "DATABASE_URL": url}, check=True)
    """
    project.files(conftest=hook)
    for _ in range(2):
        assert kind.run("-n2").counts == {"passed": 6}
    assert times_prepared(project) == 1
    project.files(conftest=hook + "    # another one\n")
    assert kind.run("-n2").counts == {"passed": 6}
    assert times_prepared(project) == 2


@pytest.mark.parametrize("workers", ["-n2", "-n0"])
def test_preparing_fails(kind: Kind, workers: str) -> None:
    kind.project.write("prepare.py", "print('no such column')\nraise SystemExit(3)")
    table(kind.project)
    run = kind.run(workers)
    assert run.ret == 4, run.out + run.err
    text = run.out + run.err
    assert "pyproject.toml:1: [tool.outpace.databases.app]: `prepare` failed: " in text
    assert "ended with exit code 3, with an empty database's address in DATABASE_URL\n  no such column" in text
    assert kind.clones() == kind.templates() == []


def test_others_run_while_it_is_prepared(kind: Kind) -> None:
    """The test and the command wait for each other."""
    project = kind.project
    project.write(
        "prepare.py",
        PREPARE
        + """
    import time
    open("preparing", "w").close()
    for _ in range(1000):
        if os.path.exists("other-ran"):
            break
        time.sleep(0.1)
    else:
        sys.exit("nothing else ran")
    """,
    )
    project.files(
        test_a_other="""
        import os, time

        def test_other():
            while not os.path.exists("preparing"):
                time.sleep(0.05)
            open("other-ran", "w").close()
        """
    )
    table(project, 'filter = "file(test_items.py)"')
    run = kind.run("-n2")
    assert run.counts == {"passed": 7}, run.out + run.err


def test_nothing_is_cloned_where_no_test_needs_it(kind: Kind) -> None:
    kind.project.files(test_other="def test_other(): pass\n")
    table(kind.project, 'filter = "file(test_items.py)"')
    assert kind.run("-n2", "test_other.py").counts == {"passed": 1}
    assert kind.run("-n0", "test_other.py").counts == {"passed": 1}
    assert times_prepared(kind.project) == 0


def test_the_fixtures_give_addresses(kind: Kind) -> None:
    project = kind.project
    (project.path / "test_items.py").unlink()
    project.files(
        test_urls="""
        import os

        def test_url(outpace_database_url, outpace_database_urls):
            assert outpace_database_url == os.environ["DATABASE_URL"]
            assert dict(outpace_database_urls) == {"app": outpace_database_url}
        """
    )
    table(project, 'filter = "file(nowhere)"')
    for workers in ("-n2", "-n0"):
        assert kind.run(workers).counts == {"passed": 1}
    assert times_prepared(project) == 2


SLOW = """
    import os, pathlib, time
    import pytest

    @pytest.mark.parametrize("n", range(3))
    def test_slow(n):
        pathlib.Path(f"running-{n}").touch()
        time.sleep(600)
"""


def test_what_a_killed_run_leaves_goes_with_the_next_one(kind: Kind) -> None:
    """A live run's clones stay."""
    project = kind.project
    table(project, 'fingerprint = ["migrations/**"]')
    project.files(test_slow=SLOW)
    killed = kind.start("-n3", "test_slow.py")
    live = None
    try:
        _wait_for(project, 3)
        left = kind.clones()
        assert len(left) == 3
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait()
        for path in project.path.glob("running-*"):
            path.unlink()
        live = kind.start("-n3", "test_slow.py")
        _wait_for(project, 3)
        of_live = kind.clones()
        assert len(of_live) == 3
        assert not set(of_live) & set(left)
        assert kind.run("-n2", "test_items.py").counts == {"passed": 6}
        assert kind.clones() == of_live
        live.send_signal(signal.SIGKILL)
        live.wait()
        assert kind.run("-n2", "test_items.py").counts == {"passed": 6}
        assert kind.clones() == []
        assert len(kind.templates()) == 1
    finally:
        for process in filter(None, (killed, live)):
            process.kill()
            process.wait()


def test_ctrl_c_leaves_nothing(kind: Kind) -> None:
    table(kind.project)
    kind.project.files(test_slow=SLOW)
    process = kind.start("-n3", "test_slow.py")
    try:
        _wait_for(kind.project, 3)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 2
    finally:
        process.kill()
        process.wait()
    assert kind.clones() == kind.templates() == []


def _wait_for(project: Project, count: int) -> None:
    until = time.monotonic() + LIMIT
    while len(list(Path(project.path).glob("running-*"))) < count:
        assert time.monotonic() < until
        time.sleep(0.1)


def test_a_worker_that_dies_is_replaced_by_one_with_its_own(kind: Kind) -> None:
    table(kind.project)
    kind.project.files(
        test_a_dies="""
        import os, signal
        def test_dies():
            os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    run = kind.run("-n2")
    assert run.counts == {"failed": 1, "passed": 6}, run.out
    assert kind.clones() == []


def test_a_server_that_goes_away_meanwhile(project: Project, postgres: Postgres) -> None:
    """The run's connection is lost, and with it its lock: it connects again to drop what it has made."""
    project.write("pyproject.toml", TABLE)
    project.files(
        test_ends_it=f"""
        import psycopg

        def test_connections_are_ended():
            with psycopg.connect("{postgres.cluster.url()}", autocommit=True) as connection:
                connection.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity "
                    "where application_name = 'outpace' and pid <> pg_backend_pid()"
                )
        """
    )
    for workers in ("-n2", "-n0"):
        run = project.run(*QUIET, workers, env={"DATABASE_URL": postgres.url()}, limit=LIMIT)
        assert run.ret == 0, run.out + run.err
        assert "clones may be left" not in run.out
        assert postgres.cluster.databases() == [postgres.name]


def test_a_mysql_server_that_sends_the_run_away(project: Project, mariadb: Mariadb) -> None:
    project.write("pyproject.toml", TABLE)
    project.files(
        test_ends_it=f"""
        import pymysql

        def test_connections_are_ended():
            place = dict(host="127.0.0.1", port={mariadb.server.port}, user="app", password="geheim")
            cursor = pymysql.connect(**place).cursor()
            cursor.execute("select id from information_schema.processlist where id <> connection_id() and user = 'app'")
            for (number,) in cursor.fetchall():
                cursor.execute(f"kill {{number}}")
        """
    )
    for workers in ("-n2", "-n0"):
        run = project.run(*QUIET, workers, env={"DATABASE_URL": mariadb.url()}, limit=LIMIT)
        assert run.ret == 0, run.out + run.err
        assert "clones may be left" not in run.out
        assert mariadb.left() == []


def test_all_that_a_mysql_database_consists_of(project: Project, mariadb: Mariadb) -> None:
    mariadb.sql(
        "alter database character set latin1",
        "create table parent (id int auto_increment primary key, name varchar(20), key (name), "
        "length int generated always as (char_length(name)) stored, at timestamp default current_timestamp)",
        "create table child (id int primary key, parent int, foreign key (parent) references parent (id))",
        "create sequence numbers start with 100",
        "create table numbered (id int default nextval(numbers), data json)",
        "create table `a ``strange`` name` (`a column` varbinary(10))",
        "insert into parent (name) values ('a'), ('bb')",
        "set sql_mode = 'NO_AUTO_VALUE_ON_ZERO'",
        "insert into parent (id, name) values (0, 'zero')",
        "insert into child values (1, 1), (2, 2)",
        "insert into numbered (data) values ('{}')",
        "insert into `a ``strange`` name` values (x'00ff0a27')",
        "create view b_view as select name from parent where id > 0",
        "create view a_view as select name from b_view",
        "create function plus (a int) returns int deterministic return a + 1",
        "create procedure fill () insert into parent (name) values ('made')",
        "create trigger loud before insert on parent for each row set new.name = upper(new.name)",
        "create definer = 'nobody'@'nowhere' view c_view as select 1",
    )
    project.write("pyproject.toml", TABLE)
    project.files(
        test_all="""
        import os
        from urllib.parse import urlsplit
        import pymysql

        def test_all():
            at = urlsplit(os.environ["DATABASE_URL"])
            place = dict(host=at.hostname, port=at.port, user=at.username, password=at.password)
            connection = pymysql.connect(database=at.path[1:], **place)
            cursor = connection.cursor()

            def rows(statement):
                cursor.execute(statement)
                return cursor.fetchall()

            found = rows("select id, name, length from parent order by id")
            assert found == ((0, "zero", 4), (1, "a", 1), (2, "bb", 2))
            assert rows("select count(*) from child") == ((2,),)
            assert rows("select id, data from numbered") == ((100, "{}"),)
            assert rows("select * from `a ``strange`` name`") == ((b"\\0\\xff\\n'",),)
            assert rows("select name from a_view order by 1") == (("a",), ("bb",))
            rows("call fill()")
            assert rows("select id, name, plus(length) from parent where id > 2") == ((3, "MADE", 5),)
            assert "latin1" in rows("show create table parent")[0][1]
            assert at.path[1:] in rows("show create table numbered")[0][1]  # the clone's own sequence
            rows("insert into numbered (data) values ('[]')")
            assert rows("select max(id) from numbered")[0][0] > 100
            try:
                rows("insert into child values (3, 99)")
            except pymysql.IntegrityError:
                pass
            else:
                raise AssertionError("the foreign key is not there")
        """
    )
    run = project.run(*QUIET, "-n2", env={"DATABASE_URL": mariadb.url()}, limit=LIMIT)
    assert run.ret == 0, run.out + run.err
    assert mariadb.sql("select count(*) from parent", "select count(*) from numbered") == ["3", "1"]
    assert mariadb.left() == []
