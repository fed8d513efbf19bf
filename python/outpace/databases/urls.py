"""Addresses of databases, as SQLAlchemy, Django's helpers, libpq and asyncpg write them.

``postgresql+driver://user:password@host:port/name?option=value``, ``sqlite+driver:///path``, or the path of an SQLite
file. Another database of the same server has the same address but for the name: all else stays as it is written.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, unquote

POSTGRESQL, SQLITE = "postgresql", "sqlite"
_DIALECTS = {"postgresql": POSTGRESQL, "postgres": POSTGRESQL, "psql": POSTGRESQL, "sqlite": SQLITE, "sqlite3": SQLITE}
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
        path = f"/{name}" if self.dialect == SQLITE else "/" + quote(name, safe="")
        query = re.sub(r"(?<=[?&])dbname=[^&]*(&|$)", "", found["query"] or "").rstrip("?&")  # it would come first
        return f"{found['scheme']}://{found['authority']}{path}{query}"

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
            f"{text!r} is not the address of a database: postgresql://user@host/name, sqlite:///path, or the path of "
            f"an SQLite file ({', '.join(_SQLITE_NAMES)})"
        )
    found = _URL.fullmatch(text)
    dialect = _DIALECTS.get(found["dialect"].lower()) if found else None
    if found is None or dialect is None:
        raise ValueError(f"{_without_password(text)!r} is neither a postgresql:// nor a sqlite:// address")
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
    name = unquote(path[1:]) or query.get("dbname", "")
    if not name:
        raise ValueError(f"{_without_password(text)!r} names no database")
    return Url(
        text,
        dialect,
        found["driver"] or "",
        user or query.get("user", ""),
        password or query.get("password", ""),
        host.strip("[]") or query.get("host", ""),
        parts["port"] or query.get("port", ""),
        name,
        query,
    )


def _without_password(text: str) -> str:
    text = re.sub(r"(//[^:@/]*):.*@", r"\1:***@", text)
    return re.sub(r"([?&]password=)[^&]*", r"\1***", text)


def sqlite_path(url: Url, folder: str) -> str:
    return os.path.normpath(os.path.join(folder, url.database))
