"""What a test does to a database is undone at its end: one transaction around the test, savepoints within it.

    from outpace.transactions import rolled_back

    with rolled_back(engine):               # SQLAlchemy 1.4 or 2
        ...
    async with rolled_back(async_engine):
        ...
    with rolled_back(connection) as connection:     # sqlite3, psycopg, psycopg2, pymysql, …
        ...
    async with rolled_back(connection) as connection:       # psycopg, asyncpg
        ...

``commit()`` inside ends a savepoint and begins another, ``rollback()`` goes back to the last one. This module imports
no database library; it looks at what it is given. ``docs/guides/databases.md`` says what it cannot cover.
"""

from __future__ import annotations

import sys
from typing import Any

_ACCEPTED = (
    "an Engine or AsyncEngine of SQLAlchemy, or a connection of sqlite3, psycopg, psycopg2, asyncpg, pymysql, "
    "MySQLdb or mysql.connector (not a pool, not a session)"
)


def rolled_back(target: Any) -> Any:
    """A context manager, asynchronous where the target is; it gives what is to be used in the target's place.

    For engines that is the engine itself: all that use it are inside.
    """
    if _is(target, "sqlalchemy.engine", "Engine"):
        from .engines import RolledBackEngine

        return RolledBackEngine(target)
    if _is(target, "sqlalchemy.ext.asyncio", "AsyncEngine"):
        from .engines import RolledBackAsyncEngine

        return RolledBackAsyncEngine(target)
    if _is(target, "sqlite3", "Connection"):
        from .sqlite import RolledBackSqlite

        return RolledBackSqlite(target)
    if _is(target, "psycopg2.extensions", "connection") or _is(target, "psycopg", "Connection"):
        from .postgres import RolledBackPostgres

        return RolledBackPostgres(target)
    if _is(target, "psycopg", "AsyncConnection"):
        from .postgres_async import RolledBackPsycopg

        return RolledBackPsycopg(target)
    if _is(target, "asyncpg", "Connection"):
        from .postgres_async import RolledBackAsyncpg

        return RolledBackAsyncpg(target)
    if _is(target, "pymysql.connections", "Connection") or _is(target, "MySQLdb.connections", "Connection"):
        from .mysql import RolledBackMysql

        return RolledBackMysql(target)
    if _is(target, "mysql.connector.abstracts", "MySQLConnectionAbstract"):
        from .mysql_connector import RolledBackMysqlConnector

        return RolledBackMysqlConnector(target)
    kind = type(target)
    if kind.__module__.partition(".")[0] in ("redis", "valkey"):
        raise TypeError(
            "Redis cannot take back what a test has written, so rolled_back() does not take its clients: give each "
            'worker a database of its own, with a table [tool.outpace.databases.NAME] and strategy = "clone"'
        )
    raise TypeError(f"rolled_back() takes {_ACCEPTED}; this is a {kind.__module__}.{kind.__qualname__}")


def _is(target: object, module: str, name: str) -> bool:
    """``isinstance``, of a class that is only there if its module is loaded."""
    kind = getattr(sys.modules.get(module), name, None)
    return isinstance(kind, type) and isinstance(target, kind)
