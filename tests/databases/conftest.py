"""Fixtures of the database tests: a PostgreSQL server for all of them, an empty database for each, a project."""

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

from cluster import Cluster, binaries  # noqa: E402
from project import Project  # noqa: E402

_numbers = itertools.count(1)


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


@pytest.fixture
def postgres(cluster: Cluster) -> Iterator[Postgres]:
    database = Postgres(cluster)
    yield database
    for name in cluster.databases():
        cluster.sql(f'drop database "{name}" with (force)')


@pytest.fixture
def project(tmp_path: Path) -> Project:
    folder = tmp_path / "project"
    folder.mkdir()
    return Project(folder)
