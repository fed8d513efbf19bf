"""Where the servers of the tables are: what workers with ports or folders of their own must still reach.

On a loopback of its own a worker reaches its clone under the name of the database that it is one of: what passes its
connections on exchanges the name (`crates/outpace-runner/src/forward/postgres.rs`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from outpace.marks import settings_of

from . import clones, urls


def of_servers(config: pytest.Config) -> dict[str, str]:
    """By table, as ``expose`` of ``[tool.outpace.isolate]`` has them. Raises ``pytest.UsageError``."""
    found = {}
    for name, database in settings_of(config).databases.items():
        if database.strategy != "clone":
            continue
        url = urls.parse(clones.address(database))
        if url.dialect == urls.POSTGRESQL:
            port = url.port or "5432"
            host = url.host or "localhost"
            found[name] = f"{host}/.s.PGSQL.{port}" if host.startswith("/") else f"{host}:{port}"
    return found


def renames(isolate: Mapping[str, Any], databases: Mapping[str, Any] | None) -> dict[str, list[str]]:
    """By target, names of databases and of this worker's clones of them, in turn."""
    if databases is None:
        return {}
    names: dict[str, tuple[str, str]] = databases["names"]
    found: dict[str, list[str]] = {}
    for target, tables in isolate["servers"].items():
        found[target] = [name for table in tables for name in names.get(table, ())]
    return found
