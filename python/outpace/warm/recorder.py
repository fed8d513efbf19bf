"""What a layer reads while it is made: files, listed folders, modules. The server compares it before each run.

An audit hook sees what Python code opens and lists; what was read before there was a hook, and where Python and pytest
look for files that are not there, is added. It cannot see what C code opens by itself, nor who only asks whether a
file is there. An audit hook cannot be taken away: in a run it only looks at one flag.
"""

from __future__ import annotations

import json
import os
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Container, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from outpace import pytest_private

if TYPE_CHECKING:
    import pytest

    Stamp = tuple[int, int, int, int, int]

_Text = TypeVar("_Text")
# The state of the machine and of processes: not files that somebody edits.
_NO_FILES = ("/proc/", "/sys/", "/dev/")
# Where pytest looks for its settings, and the folder in which a project begins.
SETTINGS = ("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg")
_OF_FOLDERS = (*SETTINGS, "setup.py", "conftest.py", "__init__.py")

_stat = os.stat
_listdir = os.listdir
_getcwd = os.getcwd
_time_ns = time.time_ns

_on = False
_began = 0
_files: dict[str, tuple[Stamp | None, int]] = {}
_folders: dict[str, list[str] | None] = {}
# Files of modules that registered a function to be called at exit.
exits: list[str] = []


class NotRecordable(Exception):
    """What was read cannot be told to the server."""


def install() -> None:
    """From here on everything is recorded; what the interpreter has read already is added."""
    global _on, _began
    _began = _time_ns()
    for folder in list(sys.path_importer_cache):
        _list(folder)
    _note_interpreter()
    _watch_exits()
    sys.addaudithook(_hook)
    _on = True


def resume() -> None:
    global _on
    _on = True


def begin_again() -> None:
    """In a fork that goes on: what was recorded so far holds for it as well."""
    global _began
    _began = _time_ns()
    resume()


def stop() -> None:
    global _on
    _on = False


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if not _on:
        return
    if event == "open":
        path, _, flags = args
        if isinstance(path, int) or flags & os.O_ACCMODE == os.O_WRONLY or flags & os.O_EXCL:
            return
        _read(path)
    elif event in ("os.listdir", "os.scandir"):
        if not isinstance(args[0], int):
            _list(args[0] if args[0] is not None else ".")
    elif event == "sqlite3.connect" and isinstance(args[0], (str, bytes)):
        _read(args[0])


def _read(path: Any) -> None:
    name = _absolute(path)
    if name is None:
        return
    if f"{os.sep}__pycache__{os.sep}" in name:
        # What is in there follows from the source, which is not opened where it is.
        folder, file = os.path.split(name)
        name = os.path.join(os.path.dirname(folder), file.partition(".")[0] + ".py")
    if name not in _files and not _is_folder(name):  # that is how a new file without a name is opened
        _files[name] = _stamp(name), _time_ns()


def _list(path: Any) -> None:
    global _on
    name = _absolute(path)
    if name is None or name in _folders:
        return
    was, _on = _on, False
    try:
        _folders[name] = _listdir(name)
    except NotADirectoryError:
        _read(name)
    except OSError:
        _folders[name] = None
    finally:
        _on = was


def _absolute(path: Any) -> str | None:
    try:
        name = os.fsdecode(path)
        if not os.path.isabs(name):
            name = os.path.join(_getcwd(), name)
    except (OSError, TypeError, ValueError):
        return None
    return None if f"{name}/".startswith(_NO_FILES) or "\0" in name else name


def _stamp(name: str) -> Stamp | None:
    try:
        found = _stat(name)
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _is_folder(name: str) -> bool:
    try:
        return stat.S_ISDIR(_stat(name).st_mode)
    except (OSError, ValueError):
        return False


def _note_interpreter() -> None:
    """What was read before any of our code could see it."""
    names = [sys.executable, os.path.join(sys.prefix, "pyvenv.cfg")]
    if "TZ" not in os.environ:
        names.append("/etc/localtime")
    for folder, found in list(_folders.items()):
        names += [os.path.join(folder, name) for name in found or () if name.endswith(".pth")]
    for name in names:
        if name not in _files:
            _files[name] = _stamp(name), _began


def _watch_exits() -> None:
    import atexit

    register: Any = atexit.register

    def noting(function: Any, *args: Any, **options: Any) -> Any:
        code = getattr(function, "__code__", None)
        if _on and code is not None:
            exits.append(code.co_filename)
        return register(function, *args, **options)

    atexit.register = noting  # type: ignore[assignment]


def temporary_folders() -> list[str]:
    """Those that are removed when this process ends, or any fork of it."""
    import weakref

    found = []
    for info in list(getattr(weakref.finalize, "_registry", {}).values()):
        function = getattr(info, "func", None)
        if getattr(function, "__func__", None) is tempfile.TemporaryDirectory._cleanup.__func__:  # type: ignore[attr-defined]
            found.append(str(info.args[0] if info.args else ""))
    return found


def has_read(path: str) -> bool:
    return path in _files


def unrecorded(read: Callable[[str], _Text], path: str) -> _Text:
    """What ``read`` finds there: nothing depends on it."""
    global _on
    was, _on = _on, False
    try:
        return read(path)
    finally:
        _on = was


def settle(config: pytest.Config, but: Container[str] = (), looked_for: Sequence[str] = _OF_FOLDERS) -> int:
    """The end of the recording: a file in memory that holds all of it, for the server. ``but``: files that may change,
    as far as this process goes. ``looked_for``: in the folders of the project and those above, so far."""
    from outpace.settings import load

    stop()
    _add_modules()
    for path in (*sys.path, *sys.path_importer_cache):
        _list(path or ".")
    root = str(config.rootpath)
    folders = {root, str(config.invocation_params.dir)}
    for name in list(_files):
        if name.startswith(root + os.sep):
            folders.add(os.path.dirname(name))
    _add_ancestors(folders, looked_for)
    _drop_own_notes(config)
    resume()
    for pattern in load(config.rootpath).depends_on:
        _add_dependencies(config, pattern)
    stop()
    content = {
        "files": [(name, stamp, at) for name, (stamp, at) in _files.items() if name not in but],
        "folders": list(_folders.items()),
    }
    try:
        text = json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise NotRecordable("a file whose name is not UTF-8 was read") from error
    fd = os.memfd_create("outpace-record")
    with os.fdopen(os.dup(fd), "wb") as file:
        file.write(text)
    return fd


def _add_modules() -> None:
    for module in list(sys.modules.values()):
        spec = getattr(module, "__spec__", None)
        for name in {getattr(module, "__file__", None), getattr(spec, "origin", None)}:
            if isinstance(name, str) and os.path.isabs(name) and name not in _files:
                _files[name] = _stamp(name), _began


def _add_ancestors(folders: Iterable[str], looked_for: Sequence[str]) -> None:
    """Where pytest has looked for settings, conftests and packages, and found none."""
    seen: set[str] = set()
    for folder in folders:
        path = folder
        while path not in seen:
            seen.add(path)
            for name in looked_for:
                file = os.path.join(path, name)
                if file not in _files:
                    _files[file] = _stamp(file), _began
            path = os.path.dirname(path)


def _drop_own_notes(config: pytest.Config) -> None:
    """What pytest remembers of earlier runs is read in any case, and matters only where it is asked for."""
    option = config.option
    if any(getattr(option, name, False) for name in ("lf", "failedfirst", "newfirst", "stepwise", "stepwise_skip")):
        return
    root = pytest_private.cache_root(config)
    if root is None:
        return
    cache = os.path.join(root, "")
    for name in [name for name in _files if name.startswith(cache)]:
        del _files[name]
    for name in [name for name in _folders if f"{name}/".startswith(cache)]:
        del _folders[name]


def _add_dependencies(config: pytest.Config, pattern: str) -> None:
    """Files that the project says it depends on: `depends-on`. Folders that are searched are recorded as they are."""
    import glob

    pattern = os.path.join(str(config.rootpath), pattern)
    for name in [pattern, *glob.glob(pattern, recursive=True)]:
        if not os.path.isdir(name):
            _read(name)
