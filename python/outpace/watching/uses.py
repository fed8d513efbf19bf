"""Which file of the project uses which: imports that happen, files that are opened.

Two things see it. An audit hook sees each file that is opened, the source of a module on its first import included; who
opens it is the nearest frame that is of the project. An import of what is imported already opens nothing, so
``__import__`` and ``import_module`` are wrapped: the wrappers note who asked for what, and do nothing else. To Python
they look like its own import machinery, so that warnings are attributed to who they were attributed to before.

What a subprocess or C code opens by itself is not seen.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from types import FrameType
from typing import Any

import pytest

# Who uses what everything depends on; the coordinator's side knows this name.
EVERYTHING = "*"
_MOST_FRAMES = 200
_NOT_OURS = ("site-packages", "dist-packages", "__pycache__")

_root = ""
_on = False
_installed = False
_imports: set[tuple[Any, ...]] = set()
_opened: set[tuple[str, str]] = set()
_wrote: set[str] = set()
_known: dict[str, str | None] = {}
# The file that is collected, or whose test runs.
running: str | None = None
# What the collection showed, and by which name it is known.
_token = ""
_tests: list[str] = []
_whole = False
_collected: set[tuple[str, str]] = set()


def is_noting() -> bool:
    return _on


def note(root: str) -> None:
    """From here on, for the project in this folder."""
    global _root, _on, _installed
    _root, _on = os.path.join(root, ""), True
    _known.clear()
    if _installed:
        return
    _installed = True
    builtins.__import__ = _like_pythons(_import)
    importlib.import_module = _like_pythons(_import_module)
    sys.addaudithook(_hook)


def collected(config: pytest.Config, items: Iterable[pytest.Item], *, whole: bool) -> None:
    """The collection is over: what was seen so far is what it showed. ``whole``: of all files."""
    global _token, _tests, _collected, _whole
    if not _on:
        return
    _tests = sorted({item.nodeid.split("::", 1)[0] for item in items})
    conftests = set(filter(None, (_name(path) for path in _conftests(config))))
    known = {*_tests, *conftests}
    pairs = {(user, used) for user, used in _pairs() if user != EVERYTHING or used not in known}
    for test in _tests:
        pairs.update((test, conftest) for conftest in conftests if _is_above(conftest, test))
    settings = [os.path.join(_root, "pyproject.toml"), *([str(config.inipath)] if config.inipath else [])]
    pairs.update((EVERYTHING, name) for name in filter(None, map(_name, settings)))
    _collected, _whole = pairs, whole
    _imports.clear()
    _opened.clear()
    _token = f"{os.getpid()}-{time.monotonic_ns()}"


def told(token: str, *, whole: bool) -> dict[str, Any]:
    """What is new since the collection, and the collection where it is not the one of that name."""
    learned = None
    if whole and _token and token != _token:
        learned = {"token": _token, "whole": _whole, "tests": _tests, "uses": sorted(_collected)}
    more = sorted(pair for pair in _pairs() - _collected if pair[0] != EVERYTHING)
    return {"learned": learned, "more": more, "wrote": sorted(filter(None, map(_name, _wrote)))}


def _conftests(config: pytest.Config) -> list[str]:
    files = (getattr(plugin, "__file__", None) for plugin in config.pluginmanager.get_plugins())
    return [file for file in files if file is not None and os.path.basename(file) == "conftest.py"]


def _is_above(conftest: str, test: str) -> bool:
    return test.startswith(conftest[: -len("conftest.py")])


# ---------------------------------------------------------------- imports


def _like_pythons(function: Callable[..., Any]) -> Any:
    """The function, in frames that whoever counts frames passes over."""
    function.__code__ = function.__code__.replace(co_filename="<frozen importlib._bootstrap outpace.watching>")
    return function


def _import(
    name: str,
    globals: Any = None,
    locals: Any = None,
    fromlist: Sequence[str] = (),
    level: int = 0,
    *,
    _original: Any = builtins.__import__,
) -> Any:
    __tracebackhide__ = True
    if globals is not None and _on:
        file = globals.get("__file__")
        if isinstance(file, str) and file.startswith(_root):
            _imports.add((file, globals.get("__package__"), name, tuple(fromlist or ()), level))
    return _original(name, globals, locals, fromlist, level)


def _import_module(name: str, package: str | None = None, *, _original: Any = importlib.import_module) -> Any:
    __tracebackhide__ = True
    if _on:
        file = sys._getframe(1).f_globals.get("__file__")
        if isinstance(file, str) and file.startswith(_root):
            level = len(name) - len(name.lstrip("."))
            _imports.add((file, package, name[level:], (), level))
    return _original(name, package)


def _pairs() -> set[tuple[str, str]]:
    """All that was seen so far."""
    pairs = {(user, used) for user, path in _opened if (used := _name(path)) is not None and used != user}
    for file, package, name, fromlist, level in list(_imports):
        user = _name(file)
        if user is not None:
            names = _modules(name, package, fromlist, level)
            files = (getattr(sys.modules.get(each), "__file__", None) for each in names)
            found = {_name(each) for each in files if isinstance(each, str)}
            pairs.update((user, each) for each in found if each is not None and each != user)
    return pairs


def _modules(name: str, package: str | None, fromlist: Sequence[str], level: int) -> list[str]:
    """Those that such an import uses: the packages on the way, too."""
    if level:
        try:
            name = importlib.util.resolve_name("." * level + name, package)
        except (ImportError, TypeError, ValueError):
            return []
    parts = name.split(".")
    names = [".".join(parts[:count]) for count in range(1, len(parts) + 1)]
    return [*names, *(f"{name}.{each}" for each in fromlist)]


# ---------------------------------------------------------------- files


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if not _on:
        return
    if event == "open":
        path, _, flags = args
        if isinstance(path, int):
            return
        if flags & os.O_ACCMODE == os.O_RDONLY:
            _add_opened(path)
        else:
            _add_written(path)
    elif event == "os.rename":
        _add_written(args[1])
    elif event == "sqlite3.connect" and isinstance(args[0], (str, bytes)):
        _add_opened(args[0])
        _add_written(args[0])


def _add_opened(path: Any) -> None:
    name = _of_project(path)
    if name is None:
        return
    folder, file = os.path.split(name)
    if os.path.basename(folder) == "__pycache__":
        # What is in there follows from the source, which is not opened where it is.
        name = os.path.join(os.path.dirname(folder), file.partition(".")[0] + ".py")
    _opened.add((_user(), name))


def _add_written(path: Any) -> None:
    name = _of_project(path)
    if name is not None:
        _wrote.add(name)


def _of_project(path: Any) -> str | None:
    try:
        name = os.path.abspath(os.fsdecode(path))
    except (OSError, TypeError, ValueError):
        return None
    return name if name.startswith(_root) else None


def _user() -> str:
    """The nearest caller that is of the project."""
    frame: FrameType | None = sys._getframe(3)
    for _ in range(_MOST_FRAMES):
        if frame is None:
            break
        name = _name(frame.f_code.co_filename)
        if name is not None:
            return name
        frame = frame.f_back
    return running or EVERYTHING


def _name(path: str) -> str | None:
    """As in node ids; None where it is none of the project's own files."""
    if path not in _known:
        _known[path] = _name_anew(path)
    return _known[path]


def _name_anew(path: str) -> str | None:
    if not path.startswith(_root) or path.startswith(os.path.join(sys.prefix, "")):
        return None
    parts = path[len(_root) :].split(os.sep)
    if any(part.startswith(".") or part in _NOT_OURS for part in parts):
        return None
    return "/".join(parts)
