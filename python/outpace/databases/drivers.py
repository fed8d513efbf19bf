"""A session on a PostgreSQL server, through whichever driver the project has."""

from __future__ import annotations

import contextlib
import getpass
import importlib
from typing import TYPE_CHECKING, Any

from .errors import DatabaseError
from .sessions import DbApi, Session, installed, told

if TYPE_CHECKING:
    from .urls import Url

DRIVERS = ("psycopg", "psycopg2", "asyncpg", "pg8000")
# Of the address, what libpq and asyncpg take; SQLAlchemy and the asynchronous drivers have options of their own there.
_OPTIONS = frozenset(
    ("sslmode", "sslrootcert", "sslcert", "sslkey", "sslpassword", "sslcrl", "passfile", "target_session_attrs")
)
_LIBPQ_OPTIONS = _OPTIONS | {"connect_timeout", "hostaddr", "options", "service", "channel_binding", "gssencmode"}
_TIMEOUT = 10


def connect(url: Url, database: str) -> Session:
    names = installed(DRIVERS, url.driver)
    if not names:
        raise DatabaseError(
            f"no driver for PostgreSQL is installed here, of {', '.join(DRIVERS)}: pip install 'psycopg[binary]'"
        )
    kind = {"asyncpg": _Asyncpg, "pg8000": _Pg8000}.get(names[0], _Libpq)
    with told():
        return kind(names[0], url, database)


class _Libpq(DbApi):
    def __init__(self, name: str, url: Url, database: str) -> None:
        given = {"user": url.user, "password": url.password, "host": url.host, "port": url.port, "dbname": database}
        options = {key: value for key, value in url.query.items() if key in _LIBPQ_OPTIONS}
        arguments = {"connect_timeout": _TIMEOUT, "application_name": "outpace", **options}
        arguments.update((key, value) for key, value in given.items() if value)
        self.connection = importlib.import_module(name).connect(**arguments)
        self.connection.autocommit = True


class _Pg8000(DbApi):
    def __init__(self, name: str, url: Url, database: str) -> None:
        place: dict[str, Any] = {"host": url.host or "localhost", "port": int(url.port or 5432)}
        if url.host.startswith("/"):
            place = {"unix_sock": f"{url.host}/.s.PGSQL.{url.port or 5432}"}
        self.connection = importlib.import_module(f"{name}.dbapi").connect(
            user=url.user or getpass.getuser(),
            password=url.password or None,
            database=database,
            timeout=_TIMEOUT,
            application_name="outpace",
            **place,
        )
        self.connection.autocommit = True
        self.connection._usock.settimeout(None)  # that was for the connecting


class _Asyncpg(Session):
    """On an event loop of its own, that runs while there is something to wait for."""

    def __init__(self, name: str, url: Url, database: str) -> None:
        import asyncio

        given = {"user": url.user, "password": url.password, "host": url.host, "port": url.port, "database": database}
        arguments = {key: value for key, value in given.items() if value}
        options = "&".join(f"{key}={value}" for key, value in url.query.items() if key in _OPTIONS)
        if options:
            arguments["dsn"] = f"postgresql://?{options}"
        self._loop = asyncio.new_event_loop()
        try:
            opening = importlib.import_module(name).connect(
                timeout=_TIMEOUT, server_settings={"application_name": "outpace"}, **arguments
            )
            self.connection: Any = self._loop.run_until_complete(opening)
        except BaseException:
            self._loop.close()
            raise

    def _query(self, statement: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self._loop.run_until_complete(self.connection.fetch(statement))]

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._loop.run_until_complete(self.connection.close(timeout=_TIMEOUT))
        self._loop.close()


def identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Of a text without backslashes or with standard-conforming strings, as all servers have them."""
    return "'" + text.replace("'", "''") + "'"
