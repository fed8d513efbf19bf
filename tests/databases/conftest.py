"""Fixtures of the database tests: one server of a kind for all of them, an empty database for each, a project.

``--times 20`` runs each suite so often.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
for _folder in (HERE, HERE.parent / "contract", HERE.parent / "support"):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))

import mariadb as mariadb_server  # noqa: E402
import redis_server  # noqa: E402
from cluster import Cluster, binaries  # noqa: E402
from project import Project  # noqa: E402

_numbers = itertools.count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--times", type=int, default=1, help="How often each suite is run under each strategy.")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    if binaries() is None:
        pytest.skip("no PostgreSQL server (initdb) is installed")
    cluster = Cluster.start()
    yield cluster
    cluster.stop()


class Postgres:
    """An empty database."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.name = f"app_{os.getpid()}_{next(_numbers)}"
        cluster.sql(f"create database {self.name}")

    def url(self, driver: str = "") -> str:
        return self.cluster.url(self.name, driver)

    def sql(self, *statements: str) -> list[str]:
        return self.cluster.sql(*statements, database=self.name)

    def left(self) -> list[str]:
        return [name for name in self.cluster.databases() if name != self.name]


@pytest.fixture
def postgres(cluster: Cluster) -> Iterator[Postgres]:
    database = Postgres(cluster)
    yield database
    for name in cluster.databases():
        cluster.sql(f'drop database "{name}" with (force)')


@pytest.fixture(scope="session")
def mariadb_of_session() -> Iterator[mariadb_server.Server]:
    if mariadb_server.binaries() is None:
        pytest.skip("no MariaDB server (mariadbd, mariadb-install-db) is installed")
    pytest.importorskip("pymysql")
    server = mariadb_server.Server.start()
    yield server
    server.stop()


class Mariadb:
    """An empty database."""

    def __init__(self, server: mariadb_server.Server) -> None:
        self.server = server
        self.name = f"app_{os.getpid()}_{next(_numbers)}"
        server.sql(f"create database {self.name}")

    def url(self, driver: str = "pymysql") -> str:
        return self.server.url(self.name, driver)

    def sql(self, *statements: str) -> list[str]:
        return self.server.sql(*statements, database=self.name)

    def left(self) -> list[str]:
        return [name for name in self.server.databases() if name != self.name]


@pytest.fixture
def mariadb(mariadb_of_session: mariadb_server.Server) -> Iterator[Mariadb]:
    database = Mariadb(mariadb_of_session)
    yield database
    mariadb_of_session.sql(*(f"drop database `{name}`" for name in mariadb_of_session.databases()))


@pytest.fixture(scope="session")
def redis_of_session() -> Iterator[redis_server.Server]:
    if redis_server.binary() is None:
        pytest.skip("no Redis server (redis-server, valkey-server) is installed")
    server = redis_server.Server()
    yield server
    server.stop()


@pytest.fixture
def redis(redis_of_session: redis_server.Server) -> Iterator[redis_server.Server]:
    redis_of_session.flush()
    yield redis_of_session
    redis_of_session.flush()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    folder = tmp_path / "project"
    folder.mkdir()
    return Project(folder)
