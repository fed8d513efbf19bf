"""What a run does with the databases of one table: a template, prepared once, and a clone of it for each worker.

Names are made of the run and the worker, so that addresses are known before there is anything behind them.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from . import urls
from .errors import DatabaseError

if TYPE_CHECKING:
    from .settings import Database

# Where a command finds the address if the table names no variable.
VARIABLE = "OUTPACE_DATABASE_URL"
# So many templates of a table are kept: one a branch, say.
MOST_TEMPLATES = 3
_FORMAT = "1"
_SHOWN_LINES = 15


class Place(NamedTuple):
    """What all processes of a run must agree about."""

    run: str
    folder: str
    cwd: str
    root: str


class Hook(NamedTuple):
    """The project's ``pytest_outpace_prepare_database``: what it does, and the files that say so."""

    call: Callable[[str, str], object]
    files: Sequence[str]


def address(database: Database) -> str:
    """What the user says. Raises ``pytest.UsageError``."""
    text = os.environ.get(database.url_env) if database.url_env else None
    text = text or database.url
    if not text:
        raise pytest.UsageError(
            f"{database.place}: the environment variable {database.url_env} is not set (`url-env`), and there is no "
            "`url` in its place"
        )
    try:
        url = urls.parse(text)
    except ValueError as error:
        raise pytest.UsageError(f"{database.place}: {database.url_env or '`url`'}: {error}") from None
    if url.dialect == urls.REDIS and (database.prepare or database.fingerprint):
        raise pytest.UsageError(
            f"{database.place}: a worker's database of Redis begins empty: `prepare` and `fingerprint` are for others. "
            "What tests need there, a fixture writes"
        )
    return text


class Clones:
    def __init__(self, database: Database, text: str, place: Place, hook: Hook | None) -> None:
        self.database = database
        self.place = place
        self.hook = hook
        self.server = _server(urls.parse(text), database.name, place)

    @property
    def is_prepared(self) -> bool:
        return bool(self.database.prepare) or self.hook is not None

    def name_of(self, worker: str) -> str:
        """Raises ``pytest.UsageError``."""
        with self._told():
            name: str = self.server.clone_name(self.place.run, worker)
            return name

    def address_of(self, name: str) -> str:
        address: str = self.server.address(name)
        return address

    @property
    def has_leases(self) -> bool:
        """Which it may have before the run has begun."""
        return bool(getattr(self.server, "leases", None))

    def release(self, worker: str) -> None:
        """The worker is gone, and another will come."""
        if hasattr(self.server, "release"):
            self.server.release(worker)

    # -- the controller's part. All of it raises `pytest.UsageError`.

    def begin(self) -> None:
        """Whatever will be in the way is told before any test runs; what dead runs have left goes."""
        with self._told():
            self.server.check(copies_source=not self.is_prepared)
            self.server.own(self.place.run)
            self.server.sweep()

    def end(self) -> None:
        with self._told():
            try:
                self.server.drop_run(self.place.run)
            except DatabaseError:  # the connection may be lost: the server has been started again, say
                self.server.close()
                self.server.drop_run(self.place.run)
            finally:
                self.server.close()

    # -- a worker's part

    def make(self, name: str) -> None:
        """The worker's clone; the first one that comes prepares the template meanwhile."""
        with self._told():
            self.server.clone(self._template(), name)

    def lay(self, name: str, own: Sequence[str]) -> None:
        """At the address, of a file in such a folder of this worker's own. (Unprepared, it is there as it is.)"""
        if self.is_prepared and self.server.url.dialect == urls.SQLITE:
            with self._told():
                self.server.lay(name, own)

    def _template(self) -> str | None:
        if not self.is_prepared or self.server.url.dialect == urls.REDIS:
            return None
        server = self.server
        kept = bool(self.database.fingerprint)
        name: str = server.template_name(self._fingerprint()) if kept else server.clone_name(self.place.run, "template")
        if not server.exists(name):
            with server.locked(name):
                if not server.exists(name):
                    with server.making(name) as draft:
                        self._fill(server.address(draft))
                    if kept:
                        server.forget_templates(name, MOST_TEMPLATES)
        return name

    def _fingerprint(self) -> str:
        digest = hashlib.sha256()

        def add(text: str | bytes) -> None:
            data = text.encode() if isinstance(text, str) else text
            digest.update(len(data).to_bytes(8, "little") + data)

        for text in (_FORMAT, self.database.name, self.server.version(), *self.database.prepare):
            add(text)
        for path in self._inputs():
            add(os.path.relpath(path, self.place.root))
            with open(path, "rb") as file:
                add(file.read())
        return digest.hexdigest()

    def _inputs(self) -> list[str]:
        found = set(self.hook.files if self.hook is not None else ())
        for pattern in self.database.fingerprint:
            paths = glob.glob(os.path.join(glob.escape(self.place.root), pattern), recursive=True)
            files = [path for path in paths if os.path.isfile(path) and "__pycache__" not in path]
            if not files:
                raise DatabaseError(f"`fingerprint`: {pattern!r} matches no file in {self.place.root}")
            found.update(files)
        return sorted(found)

    def _fill(self, text: str) -> None:
        name = self.database.url_env or VARIABLE
        environ = {**os.environ, VARIABLE: text, name: text}
        for command in self.database.prepare:
            done = subprocess.run(
                command,
                shell=True,
                cwd=self.place.root,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            if done.returncode:
                lines = done.stdout.decode("utf-8", "replace").rstrip().splitlines()[-_SHOWN_LINES:]
                said = "".join(f"\n  {line}" for line in lines)
                raise DatabaseError(
                    f"`prepare` failed: {command!r} ended with exit code {done.returncode}, with an empty database's "
                    f"address in {name}{said}"
                )
        if self.hook is not None:
            self.hook.call(self.database.name, text)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except DatabaseError as error:
            raise pytest.UsageError(f"{self.database.place}: {error}") from error


def _server(url: urls.Url, table: str, place: Place) -> Any:
    """Of a kind that has this module's other side: see :class:`outpace.databases.postgres.Postgres`."""
    if url.dialect == urls.POSTGRESQL:
        from .postgres import Postgres

        return Postgres(url, table)
    if url.dialect == urls.MYSQL:
        from .mysql import Mysql

        return Mysql(url, table)
    if url.dialect == urls.REDIS:
        from .redis import Redis

        return Redis(url, table)
    from .sqlite import Sqlite

    return Sqlite(url, table, place.folder, place.cwd)


def hook_of(config: pytest.Config) -> Hook | None:
    caller = config.hook.pytest_outpace_prepare_database
    implementations = caller.get_hookimpls()
    if not implementations:
        return None
    files = [each.function.__code__.co_filename for each in implementations]
    return Hook(lambda name, url: caller(config=config, name=name, url=url), files)
