"""Where the servers of the tables are: what workers with ports or folders of their own must still reach."""

from __future__ import annotations

import pytest

from outpace.marks import settings_of

from . import clones, urls


def of_servers(config: pytest.Config) -> list[str]:
    """As ``expose`` of ``[tool.outpace.isolate]`` has them. Raises ``pytest.UsageError``."""
    found = []
    for database in settings_of(config).databases.values():
        if database.strategy != "clone":
            continue
        url = urls.parse(clones.address(database))
        if url.dialect == urls.POSTGRESQL:
            port = url.port or "5432"
            host = url.host or "localhost"
            found.append(f"{host}/.s.PGSQL.{port}" if host.startswith("/") else f"{host}:{port}")
    return found
