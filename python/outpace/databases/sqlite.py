"""Templates and clones of an SQLite file, and who owns them.

All of it lies in one folder. A live run holds a lock on a file there, which the kernel lets go of with the process.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

from outpace.worker.sandbox_plan import is_in

from .errors import DatabaseError, InUse
from .urls import sqlite_path

if TYPE_CHECKING:
    from .urls import Url

_PATIENCE = 20.0
_BUSY, _LOCKED = 5, 6  # named in `sqlite3` from Python 3.11 only


class Sqlite:
    """A file, and a folder for what a run makes of it."""

    def __init__(self, url: Url, table: str, folder: str, cwd: str) -> None:
        self.url = url
        self.source = sqlite_path(url, cwd)
        self.file = os.path.basename(self.source)
        name = quote(table, safe="")
        self.runs = os.path.join(folder, "runs", name)
        self.templates = os.path.join(folder, "templates", name)
        self._lock: int | None = None

    # -- names: paths

    def clone_name(self, run: str, worker: str) -> str:
        return os.path.join(self.runs, run, worker, self.file)

    def template_name(self, key: str) -> str:
        return os.path.join(self.templates, key[:16], self.file)

    def address(self, name: str) -> str:
        return self.url.with_database(name)

    def version(self) -> str:
        return sqlite3.sqlite_version

    # -- before the run

    def check(self, *, copies_source: bool) -> None:
        """A file that is not there is what tests make themselves."""
        if not os.path.isdir(os.path.dirname(self.source)):
            raise DatabaseError(f"the folder of {self.source} does not exist: create it, or correct the address")
        if copies_source and os.path.exists(self.source):
            try:
                with contextlib.closing(_open(self.source, timeout=3)) as connection:
                    connection.execute("select count(*) from sqlite_master").fetchall()
            except sqlite3.Error as error:
                hint = "Close what holds it" if "locked" in str(error) else "Correct the address"
                raise DatabaseError(f"cannot read {self.source}: {error}. {hint}") from error

    # -- owning

    def own(self, run: str) -> None:
        """Until ``close``, or the end of this process."""
        os.makedirs(self.runs, exist_ok=True)
        path = os.path.join(self.runs, f"{run}.lock")
        while self._lock is None:
            fd = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            fcntl.flock(fd, fcntl.LOCK_EX)
            if os.path.exists(path) and os.path.samestat(os.stat(path), os.fstat(fd)):
                self._lock = fd
            else:  # another run's sweep was quicker
                os.close(fd)

    def sweep(self) -> list[str]:
        """Remove what runs that are over have left; returns the paths."""
        removed = []
        for entry in os.listdir(self.runs):
            run, extension = os.path.splitext(entry)
            if extension != ".lock":
                continue
            try:
                fd = os.open(os.path.join(self.runs, entry), os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self.drop_run(run)
                removed.append(os.path.join(self.runs, run))
            except BlockingIOError:
                pass
            finally:
                os.close(fd)
        return removed

    def drop_run(self, run: str) -> None:
        shutil.rmtree(os.path.join(self.runs, run), ignore_errors=True)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(self.runs, f"{run}.lock"))

    def close(self) -> None:
        fd, self._lock = self._lock, None
        if fd is not None:
            os.close(fd)

    # -- templates

    @contextlib.contextmanager
    def locked(self, name: str) -> Iterator[None]:
        os.makedirs(self.templates, exist_ok=True)
        fd = os.open(os.path.join(self.templates, "lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def exists(self, name: str) -> bool:
        return os.path.exists(os.path.dirname(name))

    @contextlib.contextmanager
    def making(self, name: str) -> Iterator[str]:
        """The path of a file to be made, which becomes ``name`` if nothing fails."""
        folder = os.path.dirname(name)
        draft = f"{folder}.new"
        shutil.rmtree(draft, ignore_errors=True)
        os.makedirs(draft)
        yield os.path.join(draft, self.file)
        os.makedirs(os.path.dirname(folder), exist_ok=True)
        os.rename(draft, folder)

    def forget_templates(self, keep: str, most: int) -> None:
        """Those of this table beyond the newest."""
        kept = os.path.basename(os.path.dirname(keep))
        with os.scandir(self.templates) as entries:
            others = [entry for entry in entries if entry.is_dir() and entry.name != kept]
        others.sort(key=lambda entry: entry.stat().st_mtime, reverse=True)
        for entry in others[most - 1 :]:
            shutil.rmtree(entry.path, ignore_errors=True)

    # -- clones

    def clone(self, template: str | None, name: str) -> None:
        """Of the address's own file, if no template is given; of a file that is not there no file is made."""
        source = self.source if template is None else template
        shutil.rmtree(os.path.dirname(name), ignore_errors=True)
        os.makedirs(os.path.dirname(name))
        if not os.path.exists(source):
            return
        until = time.monotonic() + _PATIENCE
        try:
            with contextlib.closing(_open(source)) as one, contextlib.closing(sqlite3.connect(name)) as other:
                other.execute("pragma synchronous = off")
                one.backup(other, sleep=0.05, progress=lambda status, *_: _give_up(until, status, source))
        except sqlite3.Error as error:
            raise DatabaseError(f"cannot copy {source}: {error}") from error

    def lay(self, name: str, own: Sequence[str]) -> None:
        """The clone's content in the address's own file, if it is in such a folder; connections to it stay good."""
        source = os.path.realpath(self.source)
        if not os.path.exists(name) or not any(is_in(source, folder) for folder in own):
            return
        try:
            with contextlib.closing(_open(name)) as one, contextlib.closing(sqlite3.connect(self.source)) as other:
                one.backup(other)
        except sqlite3.Error as error:
            raise DatabaseError(f"cannot copy the worker's clone over {self.source}: {error}") from error


def _open(path: str, timeout: float = _PATIENCE) -> sqlite3.Connection:
    quoted = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return sqlite3.connect(f"file:{quoted}?mode=rw", uri=True, timeout=timeout)


def _give_up(until: float, status: int, source: str) -> None:
    if status in (_BUSY, _LOCKED) and time.monotonic() > until:
        raise InUse(f"{source} is locked by another connection for longer than {_PATIENCE:g} s: close it")
