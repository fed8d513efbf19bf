"""What the running test touches that other processes could touch too, from Python's audit events.

Each thing is noted once per way of touching it, with the first place in the project's own code that did. Code in C and
subprocesses raise no audit events: of these only the command is noted, the rest is the kernel's to tell.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

from .places import Project

READ, WRITE = "read", "write"

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_UNINTERESTING = ("/proc/", "/sys/", "/dev/", "/etc/", "/usr/", "/lib/", "/lib64/", "/bin/", "/opt/")
_PARTS = (f"{os.sep}__pycache__", f"{os.sep}.pytest_cache", f"{os.sep}.git{os.sep}", f"{os.sep}site-packages{os.sep}")
_FILES = (".pyc", ".pyo", ".coverage")
# Servers that tests share without one of them having started it.
_DATABASES = {1433, 1521, 3306, 5432, 5672, 6379, 9042, 9200, 11211, 27017}
_MOST = 2000
_MOST_COMMANDS = 50
_LONGEST_COMMAND = 2000

_project: Project | None = None
# How many processes were started, as far as Python knows.
processes = 0
# How many fixtures that outlive their test are being set up.
_outliving = 0
_found: dict[tuple[str, str, str], dict[str, Any]] = {}
# What was started, and where.
_commands: list[dict[str, str]] = []
_installed = False
# Absolute paths that are asked for often and of which nothing is noted.
_not_worth: set[str] = set()
_stat = os.stat


def install() -> None:
    """For the life of the process: an audit hook cannot be taken away. Between tests it looks at a global."""
    global _installed
    if not _installed:
        _installed = True
        sys.addaudithook(_hear)
        _watch_stat()


def start(project: Project) -> None:
    global _project
    _found.clear()
    _commands.clear()
    _project = project


@contextlib.contextmanager
def outliving() -> Iterator[None]:
    """What is touched meanwhile may be in use beyond the test."""
    global _outliving
    _outliving += 1
    try:
        yield
    finally:
        _outliving -= 1


def stop() -> list[dict[str, Any]]:
    global _project
    _project = None
    return list(_found.values())


def commands() -> list[dict[str, str]]:
    """What the test started, and where in the project's own code."""
    return list(_commands)


def _hear(event: str, args: tuple[Any, ...]) -> None:
    """What fails here would fail the test's own call."""
    if _project is None:
        return
    listener = _LISTENERS.get(event)
    if listener is not None:
        try:  # noqa: SIM105 - it is called often
            listener(*args)
        except Exception:
            pass


def _note(kind: str, name: str, mode: str) -> None:
    project = _project
    key = (kind, name, mode)
    known = _found.get(key)
    if known is not None:
        known["count"] += 1
        known["lasting"] |= _outliving > 0
        return
    if project is None or len(_found) >= _MOST:
        return
    place = project.place_of_frame(sys._getframe(3))
    if place is not None:
        _found[key] = {"kind": kind, "name": name, "mode": mode, "place": place, "count": 1, "lasting": _outliving > 0}


def _path(path: Any) -> str | None:
    """Absolute, where it is worth noting."""
    if isinstance(path, int) or path is None:
        return None
    name = os.fsdecode(path)
    return _worth_noting(name if name.startswith(os.sep) else os.path.join(os.getcwd(), name))


@functools.lru_cache(maxsize=4096)
def _worth_noting(path: str) -> str | None:
    name = os.path.normpath(path)
    if name.startswith(_UNINTERESTING) and not name.startswith((tempfile.gettempdir() + os.sep, "/dev/shm/")):
        return None
    if name.endswith(_FILES) or any(part in name for part in _PARTS):
        return None
    return name


def _file(name: str, *, write: bool, appears: bool) -> None:
    _note("file", name, WRITE if write else READ)
    if appears:
        _note("listing", os.path.dirname(name), WRITE)


def _open(path: Any, mode: Any, flags: Any) -> None:
    name = _path(path)
    if name is None:
        return
    write = bool(flags & _WRITES) if isinstance(flags, int) else bool({*"wax+"} & set(str(mode)))
    if not write and _is_import():
        return
    _file(name, write=write, appears=write and not os.path.lexists(name))


def _is_import() -> bool:
    frame = sys._getframe(4)
    return frame is not None and frame.f_code.co_filename.startswith("<frozen importlib")


def _remove(path: Any, dir_fd: Any = -1) -> None:
    name = _path(path)
    if name is not None and dir_fd == -1:
        _file(name, write=True, appears=True)


def _rename(source: Any, target: Any, source_fd: Any = -1, target_fd: Any = -1) -> None:
    for path, fd in ((source, source_fd), (target, target_fd)):
        name = _path(path)
        if name is not None and fd == -1:
            _file(name, write=True, appears=True)


def _mkdir(path: Any, mode: Any = 0, dir_fd: Any = -1) -> None:
    name = _path(path)
    if name is not None and dir_fd == -1:
        exists = os.path.lexists(name)
        _file(name, write=not exists, appears=not exists)


def _changed(path: Any, *_: Any) -> None:
    name = _path(path)
    if name is not None:
        _note("file", name, WRITE)


def _rmtree(path: Any, *_: Any) -> None:
    name = _path(path)
    if name is not None:
        _note("tree", name, WRITE)
        _note("listing", os.path.dirname(name), WRITE)


def _link(source: Any, target: Any, *_: Any) -> None:
    name = _path(target)
    if name is not None:
        _file(name, write=True, appears=True)


def _list(path: Any) -> None:
    name = _path("." if path is None else path)
    if name is not None:
        _note("listing", name, READ)


def _bind(socket: Any, address: Any) -> None:
    name = _address(address)
    if name is not None:
        _note("port", name, WRITE)


def _connect(socket: Any, address: Any) -> None:
    if isinstance(address, tuple) and len(address) > 1 and address[1] in _DATABASES:
        _note("server", f"{address[0]}:{address[1]}", WRITE)
        return
    name = _address(address)
    if name is not None:
        _note("port", name, READ)


def _address(address: Any) -> str | None:
    if isinstance(address, tuple) and len(address) > 1 and isinstance(address[1], int) and address[1] > 0:
        return str(address[1])
    if isinstance(address, (str, bytes)) and address:
        text = os.fsdecode(address)
        return repr(text) if text.startswith("\0") else os.path.abspath(text)
    return None


def _sqlite(database: Any, *_: Any) -> None:
    text = os.fsdecode(database)
    if text.startswith("file:"):
        text, query = [*text[5:].split("?", 1), ""][:2]
        if "mode=memory" in query:
            return
        read_only = "mode=ro" in query or "immutable=1" in query
    else:
        read_only = False
    name = _path(text) if text and text != ":memory:" else None
    if name is not None:
        _note("database", name, READ if read_only else WRITE)


def _putenv(name: Any, *_: Any) -> None:
    if name == b"PYTEST_CURRENT_TEST":
        return
    _note("variable", os.fsdecode(name), WRITE)


def _chdir(path: Any) -> None:
    _note("folder", "", WRITE)


def _popen(*_: Any) -> None:
    global processes
    processes += 1
    _note("process", "", WRITE)


def _subprocess(executable: Any, args: Any, *_: Any) -> None:
    _popen()
    _command(args if isinstance(args, (list, tuple)) else [args])


def _system(command: Any) -> None:
    _popen()
    _command([command])


def _command(words: Any) -> None:
    place = _project.place_of_frame(sys._getframe(3)) if _project is not None else None
    if place is not None and len(_commands) < _MOST_COMMANDS:
        text = " ".join(os.fsdecode(word) for word in words)
        _commands.append({"place": place, "command": text[:_LONGEST_COMMAND]})


_LISTENERS: dict[str, Callable[..., None]] = {
    "open": _open,
    "os.remove": _remove,
    "os.rmdir": _remove,
    "os.rename": _rename,
    "os.mkdir": _mkdir,
    "os.truncate": _changed,
    "os.chmod": _changed,
    "os.utime": _changed,
    "shutil.rmtree": _rmtree,
    "os.link": _link,
    "os.symlink": _link,
    "os.listdir": _list,
    "os.scandir": _list,
    "socket.bind": _bind,
    "socket.connect": _connect,
    "sqlite3.connect": _sqlite,
    "os.putenv": _putenv,
    "os.unsetenv": _putenv,
    "os.chdir": _chdir,
    "subprocess.Popen": _subprocess,
    "os.system": _system,
    "os.fork": _popen,
    "os.forkpty": _popen,
    "os.posix_spawn": _subprocess,
}


def _watch_stat() -> None:
    """`os.stat` raises no audit event, and is how a test asks whether a file is there."""

    def stat(path: Any, *args: Any, **kwargs: Any) -> os.stat_result:
        if _project is not None and (type(path) is not str or path not in _not_worth):
            try:  # noqa: SIM105 - it is called often
                _look(path, kwargs)
            except Exception:
                pass
        return _stat(path, *args, **kwargs)

    for name in ("supports_fd", "supports_dir_fd", "supports_follow_symlinks"):
        if _stat in getattr(os, name, ()):
            getattr(os, name).add(stat)
    stat.__name__ = "stat"
    os.stat = stat


def _look(path: Any, kwargs: dict[str, Any]) -> None:
    if kwargs.get("dir_fd") is None and not isinstance(path, int):
        name = _path(path)
        if name is not None and not name.endswith(".py"):
            _note("file", name, READ)
        elif type(path) is str and path.startswith(os.sep) and len(_not_worth) < _MOST:
            _not_worth.add(path)
