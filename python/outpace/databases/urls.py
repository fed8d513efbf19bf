"""Addresses of databases, as SQLAlchemy, Django's helpers, libpq and asyncpg write them.

``postgresql+driver://user:password@host:port/name?option=value``, ``mysql`` and ``mariadb`` likewise,
``redis://host:port/number``, ``unix:///socket?db=number``, ``sqlite+driver:///path``, or the path of an SQLite file.
Another database of the same server has the same address but for the name: all else stays as it is written.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, unquote

POSTGRESQL, MYSQL, REDIS, SQLITE = "postgresql", "mysql", "redis", "sqlite"
_DIALECTS = {
    **dict.fromkeys(("postgresql", "postgres", "psql"), POSTGRESQL),
    **dict.fromkeys(("mysql", "mariadb"), MYSQL),
    **dict.fromkeys(("redis", "rediss", "valkey", "valkeys", "unix"), REDIS),
    **dict.fromkeys(("sqlite", "sqlite3"), SQLITE),
}
DEFAULT_PORTS = {POSTGRESQL: "5432", MYSQL: "3306", REDIS: "6379"}
_SQLITE_NAMES = (".db", ".db3", ".sqlite", ".sqlite3")
_URL = re.compile(
    r"(?P<scheme>(?P<dialect>\w+)(?:\+(?P<driver>\w+))?)://(?P<authority>[^/?#]*)(?P<path>/[^?#]*)?(?P<query>\?.*)?"
)
_AUTHORITY = re.compile(
    r"(?:(?P<user>[^:@]*)(?::(?P<password>.*))?@)?(?P<host>\[[^\]]*\]|[^:\[\]]*)(?::(?P<port>\d+))?"
)


class Url(NamedTuple):
    text: str
    dialect: str
    driver: str
    user: str
    password: str
    host: str
    port: str
    database: str
    """The name; of SQLite the path of the file, as it is written."""
    query: dict[str, str]

    def with_database(self, name: str) -> str:
        """The address of another database; of SQLite ``name`` is the absolute path of a file."""
        if "://" not in self.text:
            return name
        found = _URL.fullmatch(self.text)
        assert found is not None
        if self.dialect == REDIS:
            return self._with_number(found, name)
        path = f"/{name}" if self.dialect == SQLITE else "/" + quote(name, safe="")
        query = re.sub(r"(?<=[?&])dbname=[^&]*(&|$)", "", found["query"] or "").rstrip("?&")  # it would come first
        return f"{found['scheme']}://{found['authority']}{path}{query}"

    def _with_number(self, found: re.Match[str], number: str) -> str:
        """Where the number was: in the path of what is no socket, unless the query has it."""
        query = found["query"] or ""
        path = found["path"] or ""
        if "db" in self.query:
            query = re.sub(r"(?<=[?&])db=[^&]*", f"db={number}", query)
        elif self.is_socket:
            query = f"{query}&db={number}" if query else f"?db={number}"
        else:
            path = f"/{number}"
        return f"{found['scheme']}://{found['authority']}{path}{query}"

    @property
    def is_socket(self) -> bool:
        """Of Redis."""
        return self.text.startswith("unix:")

    @property
    def is_encrypted(self) -> bool:
        """Of Redis."""
        return self.text.startswith(("rediss:", "valkeys:"))

    @property
    def shown(self) -> str:
        """Without the password."""
        return _without_password(self.text)


def parse(text: str) -> Url:
    """Raises ``ValueError``."""
    if "://" not in text:
        if text.endswith(_SQLITE_NAMES):
            return Url(text, SQLITE, "", "", "", "", "", text, {})
        raise ValueError(
            f"{text!r} is not the address of a database: postgresql://user@host/name, mysql://user@host/name, "
            f"redis://host/0, sqlite:///path, or the path of an SQLite file ({', '.join(_SQLITE_NAMES)})"
        )
    found = _URL.fullmatch(text)
    dialect = _DIALECTS.get(found["dialect"].lower()) if found else None
    if found is None or dialect is None:
        raise ValueError(f"{_without_password(text)!r} is no address of PostgreSQL, MySQL, Redis or SQLite")
    path = found["path"] or ""
    query = dict(parse_qsl((found["query"] or "")[1:]))
    if dialect == SQLITE:
        name = path[1:]
        if name in ("", ":memory:") or name.startswith("file:"):
            raise ValueError(f"{text!r} is not a file: a database in memory is each worker's own already")
        return Url(text, dialect, found["driver"] or "", "", "", "", "", name, query)
    parts = _AUTHORITY.fullmatch(found["authority"])
    if parts is None:
        raise ValueError(f"{_without_password(text)!r}: not user:password@host:port")
    user, password, host = (unquote(parts[name] or "") for name in ("user", "password", "host"))
    if dialect == REDIS:
        name = query.get("db") or ("" if found["scheme"] == "unix" else path[1:].rstrip("/")) or "0"
        if not name.isdecimal():
            raise ValueError(f"{_without_password(text)!r}: {name!r} is not the number of a database")
    else:
        name = unquote(path[1:]) or query.get("dbname", "")
    if not name:
        raise ValueError(f"{_without_password(text)!r} names no database")
    return Url(
        text,
        dialect,
        found["driver"] or "",
        user or query.get("user", ""),
        password or query.get("password", ""),
        path if found["scheme"] == "unix" else host.strip("[]") or query.get("host", ""),
        parts["port"] or query.get("port", ""),
        name,
        query,
    )


def _without_password(text: str) -> str:
    text = re.sub(r"(//[^:@/]*):.*@", r"\1:***@", text)
    return re.sub(r"([?&]password=)[^&]*", r"\1***", text)


def sqlite_path(url: Url, folder: str) -> str:
    return os.path.normpath(os.path.join(folder, url.database))
