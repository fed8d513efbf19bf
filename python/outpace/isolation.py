"""What workers are to have of their own: ``--isolate``, ``[tool.outpace.isolate]``, ``@pytest.mark.isolate``.

Here it is read, checked, and turned into what a worker is given. :mod:`outpace.worker.sandbox` does it. Imported only
where something is asked for.
"""

from __future__ import annotations

import fnmatch
import os
import socket
import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from .pyproject import Reader

KINDS = ("ports", "tmp", "files", "ipc")
USAGE = 'write isolate("ports"), isolate("ports", "tmp", "files", "ipc") or isolate("all")'
MISSING = ("fail", "ignore")

# What a run leaves on purpose. A name counts wherever it is, a path from the project's folder.
PASS_THROUGH = (
    "__pycache__",
    ".pytest_cache",
    ".hypothesis",
    ".benchmarks",
    ".coverage",
    ".coverage.*",
    "coverage.xml",
    "coverage.json",
    "coverage.lcov",
    "htmlcov",
    ".testmondata*",
    ".test_durations",
    "__snapshots__",
    "snapshots",
    "*.ambr",
    "__image_snapshots__",
    "allure-results",
    "reports",
    "test-results",
    "junit*.xml",
    "report.html",
)
_TOO_MANY = "__pycache__"  # one a folder: written back, never mounted
_FOLDERS = ("/tmp", "/var/tmp", "/dev/shm")
_SKIPPED = frozenset({"node_modules", "__pycache__", "site-packages"})


class Isolation(NamedTuple):
    """``[tool.outpace.isolate]``."""

    kinds: tuple[str, ...] = ()
    expose: tuple[str, ...] = ()
    pass_through: tuple[str, ...] = ()
    home: bool = False
    keep: str = ""
    missing: str = "fail"


_KEYS = {name.replace("_", "-"): name for name in Isolation._fields}


def read(reader: Reader, table: dict[str, Any]) -> Isolation:
    """Raises ``pytest.UsageError`` with the line."""
    start = reader.header(r"\[\s*tool\.outpace\.isolate\s*\]")
    found: dict[str, Any] = {}
    for key, value in table.items():
        line = reader.line_of(key, start)
        if key not in _KEYS:
            raise reader.error(f"unknown key `{key}` in [tool.outpace.isolate]", line, tuple(_KEYS))
        if key == "kinds":
            words = value if isinstance(value, list) else [value]
            try:
                found["kinds"] = parse(words)
            except ValueError as error:
                raise reader.error(f"`kinds`: {error}", line) from None
        elif key in ("expose", "pass-through"):
            if not isinstance(value, list) or not all(isinstance(each, str) and each for each in value):
                raise reader.error(f"`{key}` must be a list of strings", line)
            found[_KEYS[key]] = tuple(value)
            for each in value if key == "expose" else ():
                if not each.startswith(("/", "@")) and _host_and_port(each) is None:
                    wanted = "HOST:PORT, HOST:PORT/udp, a /path or an @abstract socket"
                    raise reader.error(f"`expose`: {each!r} is not {wanted}", line)
        elif key == "home" and isinstance(value, bool):
            found["home"] = value
        elif key == "keep" and isinstance(value, str):
            found["keep"] = value
        elif key == "missing" and value in MISSING:
            found["missing"] = value
        else:
            wanted = {"home": "true or false", "keep": "the path of a folder", "missing": '"fail" or "ignore"'}[key]
            raise reader.error(f"`{key}` must be {wanted}", line)
    return Isolation(**found)


def parse(words: Iterable[object]) -> tuple[str, ...]:
    """Kinds, in their order; ``all`` and ``none`` are words for that. Raises ``ValueError``."""
    kinds: set[str] = set()
    for word in words:
        if word == "all":
            kinds.update(KINDS)
        elif isinstance(word, str) and word in KINDS:
            kinds.add(word)
        elif word != "none":
            raise ValueError(f"{word!r} is not one of {', '.join(KINDS)}, all, none")
    return tuple(kind for kind in KINDS if kind in kinds)


def of_mark(mark: pytest.Mark) -> tuple[str, ...]:
    """Raises ``ValueError``."""
    if not mark.args or mark.kwargs:
        raise ValueError(USAGE)
    return parse(mark.args)


def settings(config: pytest.Config) -> Isolation:
    """The table, with what the command line says in its place. Raises ``pytest.UsageError``."""
    from .marks import settings_of

    found = settings_of(config).isolate or Isolation()
    given, missing = config.getoption("outpace_isolate"), config.getoption("outpace_isolate_missing")
    if given is not None:
        try:
            found = found._replace(kinds=parse(given.replace(" ", "").split(",")))
        except ValueError as error:
            raise pytest.UsageError(f"--isolate={given}: {error}") from None
    return found._replace(missing=missing) if missing is not None else found


# ---------------------------------------------------------------- what a worker is given


def prepare(config: pytest.Config, kinds: Collection[str], found: Isolation | None = None) -> dict[str, Any]:
    """All that a worker must know to be isolated in these ways. Raises ``pytest.UsageError``."""
    found = found or settings(config)
    servers = _servers(config, kinds)
    expose = (*found.expose, *servers.values())
    root = os.path.realpath(config.rootpath)
    patterns = [*PASS_THROUGH, *(each.rstrip("/") for each in found.pass_through)]
    given: dict[str, Any] = {
        "kinds": [kind for kind in KINDS if kind in kinds],
        "root": root,
        "own": _own_folders() if "tmp" in kinds else [],
        "paths": [os.path.realpath(path) for path in expose if path.startswith("/")],
        "targets": [],
        "hosts": [],
        # Of targets that are servers of cloned databases, the tables.
        "servers": {},
        # Folders outside the project with files of such tables.
        "databases": [],
        "pass": patterns,
        "live": [],
        "home": found.home and "tmp" in kinds,
        "keep": found.keep,
        "missing": found.missing,
    }
    if "ports" in kinds:
        for each in expose:
            if not each.startswith("/"):
                _expose(each, given["targets"], given["hosts"])
        for name, each in servers.items():
            if not each.startswith("/"):
                here: list[str] = []
                _expose(each, here, [])
                for target in here:
                    given["servers"].setdefault(target, []).append(name)
        given["targets"] = list(dict.fromkeys(given["targets"]))
    if "files" in kinds:
        given["live"] = list(_live_folders(root, patterns))
        _give_files(config, given)
    return given


def _servers(config: pytest.Config, kinds: Collection[str]) -> dict[str, str]:
    """Of databases, which workers make clones on; by table."""
    from .marks import settings_of

    if not settings_of(config).databases:
        return {}
    from .databases import places

    return places.of_servers(config, kinds)


def _give_files(config: pytest.Config, given: dict[str, Any]) -> None:
    """Of databases, whose files the code knows by their paths."""
    from .marks import settings_of

    if settings_of(config).databases:
        from .databases import places

        given["databases"] = places.of_files(config, given["root"])
        if given["databases"]:
            given["live"].append(places.of_clones(config))


def _own_folders() -> list[str]:
    folders = [os.path.realpath(folder) for folder in (*_FOLDERS, tempfile.gettempdir()) if os.path.isdir(folder)]
    here = os.path.realpath(os.getcwd())
    return [folder for folder in dict.fromkeys(folders) if folder != here or folder in _FOLDERS]


UDP = "/udp"


def _host_and_port(text: str) -> tuple[str, int] | None:
    host, colon, port = (text[: -len(UDP)] if text.endswith(UDP) else text).rpartition(":")
    if not colon or not port.isdecimal() or not 0 < int(port) < 65536 or not host:
        return None
    return host.strip("[]"), int(port)


def _expose(text: str, targets: list[str], hosts: list[str]) -> None:
    if text.startswith("@"):
        targets.append(text)
        return
    host, port = _host_and_port(text) or ("", 0)
    suffix, kind = (UDP, socket.SOCK_DGRAM) if text.endswith(UDP) else ("", socket.SOCK_STREAM)
    try:
        answers = socket.getaddrinfo(host, port, type=kind)
    except OSError as error:
        raise pytest.UsageError(f"outpace: expose = [{text!r}]: {error.strerror or error}") from None
    places = list(dict.fromkeys((family, str(address[0])) for family, _, _, _, address in answers))
    if len(places) > 1:
        # Inside, an address accepts whether or not it does outside: the others would be tried first, in vain.
        places = [place for place in places if not suffix and _accepts(place, port)] or places[:1]
    for family, address in places:
        targets.append((f"[{address}]:{port}" if family == socket.AF_INET6 else f"{address}:{port}") + suffix)
        if host not in (address, "localhost"):
            hosts.append(f"{address} {host}")


def _accepts(place: tuple[int, str], port: int) -> bool:
    with suppress(OSError), socket.socket(place[0], socket.SOCK_STREAM) as sock:
        sock.settimeout(1)
        sock.connect((place[1], port))
        return True
    return False


# ---------------------------------------------------------------- what passes through


def passes(path: str, patterns: Sequence[str]) -> bool:
    """Whether a path, relative to the project's folder, is let through: itself, or a folder it is in."""
    parts = path.split("/")
    for pattern in patterns:
        if "/" in pattern:
            depth = pattern.count("/") + 1
            if fnmatch.fnmatchcase("/".join(parts[:depth]), pattern.lstrip("/")):
                return True
        elif any(fnmatch.fnmatchcase(part, pattern) for part in parts):
            return True
    return False


def _live_folders(root: str, patterns: Sequence[str]) -> Iterator[str]:
    """Folders that exist and are let through: these are the real ones in every worker."""
    pending = [root]
    while pending:
        folder = pending.pop()
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if not entry.is_dir(follow_symlinks=False) or entry.name == _TOO_MANY:
                    continue
                relative = os.path.relpath(entry.path, root)
                if passes(relative, patterns):
                    yield entry.path
                elif _is_looked_into(entry, relative, patterns):
                    pending.append(entry.path)


def _is_looked_into(entry: os.DirEntry[str], relative: str, patterns: Sequence[str]) -> bool:
    if any(pattern.startswith(f"{relative}/") for pattern in patterns):
        return True
    if entry.name.startswith(".") or entry.name in _SKIPPED:
        return False
    return not os.path.exists(os.path.join(entry.path, "pyvenv.cfg"))
