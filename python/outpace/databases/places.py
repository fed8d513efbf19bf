"""Where the servers of the tables are: what workers with ports or folders of their own must still reach.

On a loopback of its own a worker reaches its clone under the name of the database that it is one of: what passes its
connections on exchanges the name (`crates/outpace-runner/src/forward`).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Mapping
from typing import Any

import pytest

from outpace.marks import settings_of
from outpace.worker.sandbox_plan import is_in

from . import clones, urls
from .worker import given_key

FOLDER = "outpace-databases"


def of_servers(config: pytest.Config, kinds: Collection[str]) -> dict[str, str]:
    """By table, as ``expose`` of ``[tool.outpace.isolate]`` has them. Raises ``pytest.UsageError``."""
    found = {}
    for name, database in settings_of(config).databases.items():
        if database.strategy != "clone":
            continue
        url = urls.parse(clones.address(database))
        place = _place(url)
        if place:
            found[name] = place
        if "ports" in kinds and url.is_encrypted and not database.url_env:
            raise pytest.UsageError(
                f"{database.place}: the connections to {url.shown} are encrypted, so that nobody can exchange the "
                "number in them on the way: set `url-env`, and have the project read its address from there"
            )
    return found


def of_files(config: pytest.Config, root: str) -> list[str]:
    """The folders outside the project, for that one is overlaid anyway, which have a file that no variable leads to. A
    file's journal lies beside it, so it is the folder that counts. One that is not there is told before the run."""
    given = config.stash.get(given_key, None)
    cwd = os.getcwd() if given is None else given["cwd"]
    found = {}
    for database in settings_of(config).databases.values():
        if database.strategy == "clone" and not database.url_env:
            url = urls.parse(clones.address(database))
            if url.dialect == urls.SQLITE:
                found[os.path.dirname(os.path.realpath(urls.sqlite_path(url, cwd)))] = True
    return [each for each in found if os.path.isdir(each) and not is_in(each, root)]


def of_clones(config: pytest.Config) -> str:
    """The folder that all workers share, where there is need of it in a folder that is otherwise each one's own."""
    folder = folder_of_clones(config)
    os.makedirs(folder, exist_ok=True)
    return os.path.realpath(folder)


def folder_of_clones(config: pytest.Config) -> str:
    """Where SQLite's clones and templates lie: with pytest's cache, if it has one. Known before that is made."""
    try:
        cache = os.path.expanduser(os.path.expandvars(config.getini("cache_dir")))
    except (KeyError, ValueError):
        return os.path.join(tempfile.gettempdir(), f"{FOLDER}-{os.getuid()}")
    return os.path.join(config.rootpath, cache, "d", FOLDER)


def _place(url: urls.Url) -> str | None:
    port = url.port or urls.DEFAULT_PORTS.get(url.dialect, "")
    host = url.host or "localhost"
    if url.dialect == urls.SQLITE:
        return None
    if url.dialect == urls.REDIS and url.is_socket:
        return url.host
    if url.dialect == urls.MYSQL and "unix_socket" in url.query:
        return url.query["unix_socket"]
    if host.startswith("/"):
        return f"{host}/.s.PGSQL.{port}"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def renames(isolate: Mapping[str, Any], databases: Mapping[str, Any] | None) -> dict[str, list[str]]:
    """By target: the language that is spoken there, then names of databases and of this worker's clones, in turn."""
    if databases is None:
        return {}
    names: dict[str, tuple[str, str]] = databases["names"]
    found: dict[str, list[str]] = {}
    for target, tables in isolate["servers"].items():
        parsed = {table: urls.parse(databases["addresses"][table]) for table in tables if table in names}
        known = {table: url for table, url in parsed.items() if not (url.dialect == urls.REDIS and url.is_encrypted)}
        if known:
            dialect = next(iter(known.values())).dialect
            found[target] = [dialect, *(name for table in known for name in names[table])]
    return found
