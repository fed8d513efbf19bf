"""``[tool.outpace.databases.NAME]``: reading and checking it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from outpace import filters

if TYPE_CHECKING:
    from outpace.pyproject import Override, Reader

STRATEGIES = ("transaction", "clone", "serial")
_KEYS = ("url", "url-env", "strategy", "prepare", "fingerprint", "filter", "engine")
_ONLY_FOR = {"prepare": "clone", "fingerprint": "clone", "engine": "transaction"}


class Database(NamedTuple):
    name: str
    strategy: str
    place: str
    """The table, for messages."""
    url: str = ""
    url_env: str = ""
    prepare: tuple[str, ...] = ()
    fingerprint: tuple[str, ...] = ()
    filter: filters.Filter | None = None
    """The tests that use it; all, if there is none."""
    engine: str = ""


def read(reader: Reader, tables: dict[str, Any]) -> dict[str, Database]:
    """Raises ``pytest.UsageError`` with the line."""
    return {name: _Table(reader, name, table).database() for name, table in tables.items()}


def overrides(databases: dict[str, Database]) -> list[Override]:
    """A database whose tests run one at a time is a resource of which there is one. Other filters change nothing here,
    but are told where they match no test."""
    from outpace.pyproject import Override

    found = ((name, each, each.filter) for name, each in databases.items())
    return [
        Override(wanted, None, {f"database {name}": 1} if each.strategy == "serial" else {}, None, False, each.place)
        for name, each, wanted in found
        if wanted is not None
    ]


class _Table:
    def __init__(self, reader: Reader, name: str, table: object) -> None:
        self.reader = reader
        self.name = name
        self.title = f"[tool.outpace.databases.{name}]"
        self.start = reader.header(rf"""\[\s*tool\.outpace\.databases\.["']?{re.escape(name)}["']?\s*\]""")
        self.table = reader.dict_at(table, f"databases.{name}", self.start)

    def database(self) -> Database:
        table, error = self.table, self.reader.error
        for key in table:
            if key not in _KEYS:
                raise error(f"unknown key `{key}` in {self.title}", self._line(key), _KEYS)
        strategy = table.get("strategy")
        if strategy not in STRATEGIES:
            text = f"`strategy` must be one of {', '.join(map(repr, STRATEGIES))}" if "strategy" in table else None
            raise error(text or f"{self.title} needs a `strategy`: {', '.join(STRATEGIES)}", self._line("strategy"))
        for key, wanted in _ONLY_FOR.items():
            if key in table and strategy != wanted:
                raise error(f"`{key}` is for `strategy = \"{wanted}\"` only", self._line(key))
        url, url_env = self._string("url"), self._string("url-env")
        if url_env and ("=" in url_env or "\0" in url_env):
            raise error("`url-env` must be the name of an environment variable", self._line("url-env"))
        if strategy == "transaction" and re.match(r"(redis|valkey)s?:", url):
            raise error(
                "Redis cannot take back what a test has written: use `strategy = \"clone\"`, with which each worker "
                "has a database of its own, or \"serial\"",
                self._line("strategy"),
            )
        if strategy == "clone":
            if not url and not url_env:
                raise error(f"{self.title} needs a `url`, or a `url-env`: the variable that has it", self.start)
            if url:
                self._check_url(url)
        engine = self._string("engine")
        if strategy == "transaction" and not re.fullmatch(r"[\w.]+:[\w.]+", engine):
            text = '`engine` must be written as "package.module:name"' if engine else (
                f'{self.title} needs an `engine = "package.module:name"` of SQLAlchemy; for anything else use '
                "rolled_back() of outpace.transactions in a fixture, which needs no table"
            )
            raise error(text, self._line("engine"))
        line = self._line("filter")
        text = table.get("filter", f"fixture({self.name})" if strategy == "serial" else None)
        place = f"{self.reader.path}{'' if self.start is None else f':{self.start + 1}'}: {self.title}"
        return Database(
            self.name,
            strategy,
            place,
            url,
            url_env,
            self._strings("prepare"),
            self._strings("fingerprint"),
            self.reader.filter_at(text, line) if text is not None else None,
            engine,
        )

    def _line(self, key: str) -> int | None:
        return self.reader.line_of(key, self.start)

    def _string(self, key: str) -> str:
        value = self.table.get(key, "")
        if not isinstance(value, str) or (key in self.table and not value):
            raise self.reader.error(f"`{key}` must be a string", self._line(key))
        return value

    def _strings(self, key: str) -> tuple[str, ...]:
        """One, or a list of them."""
        value = self.table.get(key, [])
        found = value if isinstance(value, list) else [value]
        if not all(isinstance(each, str) and each.strip() for each in found) or (key in self.table and not found):
            raise self.reader.error(f"`{key}` must be a string or a list of strings", self._line(key))
        return tuple(found)

    def _check_url(self, url: str) -> None:
        from . import urls

        try:
            urls.parse(url)
        except ValueError as error:
            raise self.reader.error(f"`url`: {error}", self._line("url")) from None
