"""Reading ``[tool.outpace]`` of ``pyproject.toml``. Imported only where there is such a table, or a marked test.

Whatever is not understood is refused, with the line: a setting that is silently ignored lets tests collide.
"""

from __future__ import annotations

import importlib
import math
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from . import amounts, filters

if TYPE_CHECKING:
    from .settings import Settings

_TABLES = ("resources", "overrides", "isolate", "env", "databases")
# Of the binary, but for the last: they say when runs are warm.
_WARM = ("warm", "warm-idle", "warm-age", "depends-on")
_KEYS = ("filter", "serial", "resources", "timeout", "own_process")


class Resource(NamedTuple):
    name: str
    capacity: int
    values: tuple[str, ...] = ()
    """What its units are called; a test finds those it holds in the environment variable of the resource's name."""


class Override(NamedTuple):
    filter: filters.Filter
    serial: bool | str | None
    resources: Mapping[str, int]
    timeout: float | None
    own_process: bool
    place: str


def read(settings: Settings, text: str) -> None:
    """Raises ``pytest.UsageError``."""
    reader = Reader(settings.path, text)
    settings.resources, settings.overrides = reader.settings()
    if any(key in reader.table for key in _WARM):
        settings.depends_on = reader.warm()
    isolate = reader.table.get("isolate")
    if isolate is not None:
        from . import isolation

        settings.isolate = isolation.read(reader, reader.dict_at(isolate, "isolate"))
    env = reader.table.get("env")
    if env is not None:
        from . import worker_env

        settings.env = worker_env.read(reader, reader.dict_at(env, "env"))
    if "databases" in reader.table:
        from .databases import settings as databases

        settings.databases = databases.read(reader, reader.dict_at(reader.table["databases"], "databases"))
        settings.overrides += databases.overrides(settings.databases)


class Reader:
    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.lines = text.splitlines()
        try:
            tool = toml(text).get("tool", {})
        except ValueError as error:
            raise pytest.UsageError(f"{path}: {error}") from None
        self.table: Any = tool.get("outpace", {}) if isinstance(tool, dict) else {}

    def warm(self) -> list[str]:
        """What warm runs depend on; the rest is read by the binary, and only checked here."""
        table = self.table
        if not isinstance(table.get("warm", False), bool):
            raise self.error("`warm` must be true or false", self.line_of("warm"))
        for key in ("warm-idle", "warm-age"):
            value = table.get(key, 1)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
                raise self.error(f"`{key}` must be a number of minutes", self.line_of(key))
        patterns = table.get("depends-on", [])
        if not isinstance(patterns, list) or not all(isinstance(each, str) and each for each in patterns):
            raise self.error("`depends-on` must be a list of globs", self.line_of("depends-on"))
        return patterns

    def settings(self) -> tuple[dict[str, Resource], list[Override]]:
        if not isinstance(self.table, dict):
            raise self.error("`tool.outpace` must be a table", self.line_of("outpace"))
        for key in self.table:
            if key not in (*_TABLES, *_WARM):
                raise self.error(f"unknown key `{key}` in [tool.outpace]", self.line_of(key), (*_TABLES, *_WARM))
        declared = self.dict_at(self.table.get("resources", {}), "resources", None)
        resources = {name: self._resource(name, value) for name, value in declared.items()}
        overrides = self.table.get("overrides", [])
        if not isinstance(overrides, list):
            raise self.error("`overrides` must be written as [[tool.outpace.overrides]]", self.line_of("overrides"))
        return resources, [self._override(number, each) for number, each in enumerate(overrides)]

    def _resource(self, name: str, value: object) -> Resource:
        line = self.line_of(name, self.header(r"\[\s*tool\.outpace\.resources\s*\]"))
        if isinstance(value, list):
            if not value or not all(isinstance(each, str) for each in value):
                raise self.error(f"the values of resource `{name}` must be strings, at least one", line)
            if not name or "=" in name or "\0" in name:
                raise self.error(f"`{name}` cannot be the name of an environment variable", line)
            return Resource(name, len(value), tuple(value))
        try:
            return Resource(name, amounts.parse(value))
        except ValueError as error:
            raise self.error(f"resource `{name}`: {error}, or a list of values", line) from None

    def _override(self, number: int, table: object) -> Override:
        start = self.header(r"\[\[\s*tool\.outpace\.overrides\s*\]\]", number)
        table = self.dict_at(table, "overrides", start)
        for key in table:
            if key not in _KEYS:
                message = f"unknown key `{key}` in [[tool.outpace.overrides]]"
                raise self.error(message, self.line_of(key, start), _KEYS)
        if "filter" not in table:
            raise self.error("an override needs a `filter`", start)
        line = self.line_of("filter", start)
        serial = table.get("serial")
        if serial is not None and not isinstance(serial, (bool, str)):
            raise self.error("`serial` must be true, false or a reason", self.line_of("serial", start))
        resources = self._needs(table.get("resources", {}), self.line_of("resources", start))
        place = f"{self.path.name}:{line + 1}" if line is not None else self.path.name
        timeout = self._timeout(table.get("timeout"), self.line_of("timeout", start))
        own_process = table.get("own_process", False)
        if not isinstance(own_process, bool):
            raise self.error("`own_process` must be true or false", self.line_of("own_process", start))
        return Override(self.filter_at(table["filter"], line), serial, resources, timeout, own_process, place)

    def _timeout(self, value: object, line: int | None) -> float | None:
        if value is None:
            return None
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < math.inf:
            raise self.error("`timeout` must be a number of seconds, 0 for no limit", line)
        return float(value)

    def _needs(self, value: object, line: int | None) -> dict[str, int]:
        needs: dict[str, int] = {}
        for each in value if isinstance(value, list) else [value]:
            pairs = {each: 1} if isinstance(each, str) and isinstance(value, list) else each
            if not isinstance(pairs, dict):
                raise self.error('`resources` must be written as ["db", {gpu = 1}] or {db = 1, gpu = 1}', line)
            for name, amount in pairs.items():
                try:
                    needs[name] = amounts.parse(amount)
                except ValueError as error:
                    raise self.error(f"resource `{name}`: {error}", line) from None
        return needs

    def filter_at(self, text: object, line: int | None) -> filters.Filter:
        if not isinstance(text, str):
            raise self.error("`filter` must be a string", line)
        try:
            return filters.parse(text)
        except filters.FilterError as error:
            source = self.lines[line] if line is not None else ""
            quote = re.search(r"""filter["']?\s*=\s*(\"{3}|'{3}|["'])""", source)
            start = quote.end() if quote and source.startswith(text, quote.end()) else source.find(text or "\0")
            if start < 0:
                source, start = text.splitlines()[0] if text else "", 0
            raise self.error(str(error), line, column=start + error.column, source=source) from None

    def dict_at(self, value: object, name: str, line: int | None = None) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.error(f"`{name}` must be a table", line if line is not None else self.line_of(name))
        return value

    # -- where things are in the file, as far as a look at its lines tells

    def header(self, pattern: str, number: int = 0) -> int | None:
        found = [line for line, text in enumerate(self.lines) if re.match(rf"\s*{pattern}", text)]
        return found[number] if number < len(found) else None

    def line_of(self, key: str, start: int | None = None) -> int | None:
        """The line that sets the key, from a header to the next one; else the first that does; else the header."""
        quoted = re.escape(key)
        wanted = re.compile(rf"""\s*(\[+\s*)?(tool\.outpace\.)?["']?{quoted}["']?\s*[\].=]""")
        if start is not None:
            for line in range(start + 1, len(self.lines)):
                if self.lines[line].lstrip().startswith("["):
                    break
                if wanted.match(self.lines[line]):
                    return line
            return start
        return next((line for line, text in enumerate(self.lines) if wanted.match(text)), None)

    def error(
        self,
        message: str,
        line: int | None,
        known: tuple[str, ...] = (),
        *,
        column: int | None = None,
        source: str | None = None,
    ) -> pytest.UsageError:
        place = str(self.path) if line is None else f"{self.path}:{line + 1}"
        if column is not None:
            place += f":{column + 1}"
        text = f"{place}: {message}"
        if known:
            text += f"; known are {', '.join(f'`{each}`' for each in known)}"
        if source is None and line is not None:
            source = self.lines[line]
        if source:
            text += f"\n  {source}"
            if column is not None:
                text += f"\n  {' ' * column}^"
        return pytest.UsageError(text)


def toml(text: str) -> dict[str, Any]:
    # pytest brings tomli where the standard library has nothing.
    module = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    table: dict[str, Any] = module.loads(text)
    return table
