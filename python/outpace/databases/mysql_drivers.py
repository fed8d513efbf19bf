"""A session on a MySQL or MariaDB server, through whichever driver the project has; at first without a database."""

from __future__ import annotations

import contextlib
import importlib
from typing import TYPE_CHECKING, Any

from .errors import DatabaseError
from .sessions import DbApi, Session, installed, told

if TYPE_CHECKING:
    from .urls import Url

# aiomysql stands on the first.
DRIVERS = ("pymysql", "MySQLdb", "mysql.connector", "asyncmy")
_OF_DRIVERS = {"mysqldb": "MySQLdb", "mysqlconnector": "mysql.connector", "aiomysql": "pymysql", "": "MySQLdb"}
_SSL = ("ssl_ca", "ssl_cert", "ssl_key")
_TIMEOUT = 10
# Whatever the server is set to: text is text, no statement is refused for a value that the original has, and
# nothing of ours waits for ever or is ended for doing nothing.
_BEGIN = (
    "set names utf8mb4",
    "set session sql_mode = 'NO_AUTO_VALUE_ON_ZERO', time_zone = '+00:00', lock_wait_timeout = 20, "
    "innodb_lock_wait_timeout = 20, wait_timeout = 31536000, foreign_key_checks = 0, unique_checks = 0, sql_notes = 0",
)


def connect(url: Url) -> Session:
    preferred = _OF_DRIVERS.get(url.driver, url.driver)
    names = installed(DRIVERS, preferred)
    if not names:
        raise DatabaseError(
            f"no driver for MySQL is installed here, of {', '.join(DRIVERS)}: pip install pymysql"
        )
    arguments: dict[str, Any] = {"connect_timeout": _TIMEOUT}
    for name, value in (("user", url.user), ("password", url.password)):
        if value:
            arguments[name] = value
    place = url.query.get("unix_socket")
    if place:
        arguments["unix_socket"] = place
    else:
        arguments.update(host=url.host or "localhost", port=int(url.port or 3306))
    with told():
        session = _open(names[0], arguments, {key: url.query[key] for key in _SSL if key in url.query})
        try:
            for statement in _BEGIN:
                session.query(statement)
        except BaseException:
            session.close()
            raise
    return session


def _open(name: str, arguments: dict[str, Any], ssl: dict[str, str]) -> Session:
    if name == "asyncmy":
        return _Asyncmy(arguments, ssl)
    return _Blocking(name, arguments, ssl)


class _Blocking(DbApi):
    def __init__(self, name: str, arguments: dict[str, Any], ssl: dict[str, str]) -> None:
        module = importlib.import_module(name)
        if name == "mysql.connector":
            arguments = dict(arguments, connection_timeout=arguments["connect_timeout"], **ssl)
            del arguments["connect_timeout"]
        elif ssl:
            arguments = {**arguments, "ssl": {key[4:]: path for key, path in ssl.items()}}
        self.connection = module.connect(**arguments)
        if name == "mysql.connector":
            self.connection.autocommit = True
        else:
            self.connection.autocommit(True)


class _Asyncmy(Session):
    """On an event loop of its own, that runs while there is something to wait for."""

    def __init__(self, arguments: dict[str, Any], ssl: dict[str, str]) -> None:
        import asyncio

        if ssl:
            import ssl as tls

            context = tls.create_default_context(cafile=ssl.get("ssl_ca"))
            if "ssl_cert" in ssl:
                context.load_cert_chain(ssl["ssl_cert"], ssl.get("ssl_key"))
            arguments = {**arguments, "ssl": context}
        self._loop = asyncio.new_event_loop()
        try:
            opening = importlib.import_module("asyncmy").connect(autocommit=True, **arguments)
            self.connection: Any = self._loop.run_until_complete(self._waited(opening))
        except BaseException:
            self._loop.close()
            raise

    @staticmethod
    async def _waited(opening: Any) -> Any:
        return await opening

    def _query(self, statement: str) -> list[tuple[Any, ...]]:
        return self._loop.run_until_complete(self._execute(statement))

    async def _execute(self, statement: str) -> list[tuple[Any, ...]]:
        async with self.connection.cursor() as cursor:
            await cursor.execute(statement)
            return [tuple(row) for row in await cursor.fetchall()] if cursor.description else []

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self.connection.close()
            self._loop.run_until_complete(self._settled())
        self._loop.close()

    @staticmethod
    async def _settled() -> None:
        """What closing has scheduled."""


def identifier(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def use(name: str) -> str:
    """As the current database: this very one, also where a worker's connections have names exchanged on the way."""
    return f"use /* itself */ {identifier(name)}"
