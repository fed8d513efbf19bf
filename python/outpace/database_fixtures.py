"""Fixtures for databases. Nothing is imported before one is used."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest


@pytest.fixture
def outpace_rollback() -> Iterator[Callable[[Any], Any]]:
    """Call it with an SQLAlchemy engine or a connection: what the test then does to the database is undone."""
    from .transactions import rolled_back

    with contextlib.ExitStack() as stack:
        yield lambda target: stack.enter_context(rolled_back(target))


@pytest.fixture(scope="session")
def outpace_database_urls(request: pytest.FixtureRequest) -> Mapping[str, str]:
    """The addresses of the databases of [tool.outpace.databases], by name: this worker's clones, where there are."""
    from .databases.addresses import Addresses

    return Addresses(request.config)


@pytest.fixture(scope="session")
def outpace_database_url(outpace_database_urls: Mapping[str, str]) -> str:
    """The address of the one database in [tool.outpace.databases]: this worker's clone, where there is one."""
    from .databases.addresses import only

    return only(outpace_database_urls)
