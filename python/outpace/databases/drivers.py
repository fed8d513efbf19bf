"""A plain session on a PostgreSQL server, through whichever driver the project has.

Each statement is a transaction of its own. Errors of all drivers become :class:`ServerError`.
"""

from __future__ import annotations

import contextlib
import getpass
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .errors import DatabaseError

if TYPE_CHECKING:
    from .urls import Url

DRIVERS = ("psycopg", "psycopg2", "asyncpg", "pg8000")
# Of the address, what libpq and asyncpg take; SQLAlchemy and the asynchronous drivers have options of their own there.
_OPTIONS = frozenset(
    ("sslmode", "sslrootcert", "sslcert", "sslkey", "sslpassword", "sslcrl", "passfile", "target_session_attrs")
)
_LIBPQ_OPTIONS = _OPTIONS | {"connect_timeout", "hostaddr", "options", "service", "channel_binding", "gssencmode"}
_TIMEOUT = 10


class ServerError(DatabaseError):
    def __init__(self, error: Exception) -> None:
        super().__init__(" ".join(str(_message(error)).split()))
        self.code = _code(error)


def available(preferred: str = "") -> list[str]:
    """Those installed, the address's own first, then those that the project has imported already."""
    names = sorted(DRIVERS, key=lambda name: (name != preferred, name not in sys.modules))
    return [name for name in names if importlib.util.find_spec(name) is not None]


def connect(url: Url, database: str) -> Session:
    names = available(url.driver)
    if not names:
        raise DatabaseError(
            f"no driver for PostgreSQL is installed here, of {', '.join(DRIVERS)}: pip install 'psycopg[binary]'"
        )
    kind = {"asyncpg": _Asyncpg, "pg8000": _Pg8000}.get(names[0], _Libpq)
    with _told():
        return kind(names[0], url, database)


class Session:
    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """The rows, if it gives any. Values are written into the text: see :func:`literal`, :func:`identifier`."""
        with _told():
            return self._query(statement)

    def _query(self, statement: str) -> list[tuple[Any, ...]]:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class _DbApi(Session):
    connection: Any

    def _query(self, statement: str) -> list[tuple[Any, ...]]:
        cursor = self.connection.cursor()
        try:
            cursor.execute(statement)
            return [tuple(row) for row in cursor.fetchall()] if cursor.description else []
        finally:
            cursor.close()

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self.connection.close()


class _Libpq(_DbApi):
    def __init__(self, name: str, url: Url, database: str) -> None:
        given = {"user": url.user, "password": url.password, "host": url.host, "port": url.port, "dbname": database}
        options = {key: value for key, value in url.query.items() if key in _LIBPQ_OPTIONS}
        arguments = {"connect_timeout": _TIMEOUT, "application_name": "outpace", **options}
        arguments.update((key, value) for key, value in given.items() if value)
        self.connection = importlib.import_module(name).connect(**arguments)
        self.connection.autocommit = True


class _Pg8000(_DbApi):
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


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except DatabaseError:
        raise
    except Exception as error:
        raise ServerError(error) from error


def _code(error: Exception) -> str:
    """SQLSTATE; empty where the server had no say."""
    for name in ("sqlstate", "pgcode"):
        found = getattr(error, name, None)
        if isinstance(found, str):
            return found
    details = _details(error)
    return str(details.get("C", "")) if details else ""


def _message(error: Exception) -> object:
    details = _details(error)
    return details.get("M", error) if details else error or type(error).__name__


def _details(error: Exception) -> dict[str, Any] | None:
    """As pg8000 tells them."""
    first = error.args[0] if error.args else None
    return first if isinstance(first, dict) else None


def identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Of a text without backslashes or with standard-conforming strings, as all servers have them."""
    return "'" + text.replace("'", "''") + "'"
