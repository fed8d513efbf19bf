"""Where something happened: the file and line of the project's own code."""

from __future__ import annotations

import functools
import inspect
import os
import re
import sys
from collections.abc import Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any

from outpace import pytest_private

if TYPE_CHECKING:
    import pytest

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_FOREIGN = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
_MOST_FRAMES = 200
# Where pytest runs the phases of a test.
_RUNNER = pytest_private.runner_file()


class Project:
    """Tells the project's own code from what it uses."""

    def __init__(self, roots: Sequence[str]) -> None:
        self.roots = tuple(dict.fromkeys(root.rstrip(os.sep) + os.sep for root in roots))
        self.root = self.roots[0]
        self._known: dict[str, bool] = {}
        self._files: dict[str, str | None] = {}
        self._prefixes = tuple({prefix + os.sep for prefix in (sys.prefix, sys.base_prefix) if prefix not in ("", "/")})

    def file_of(self, frame: FrameType) -> str | None:
        """The file of the code that runs, if it is the project's. Code that was compiled before the project was moved
        names another one; its module knows better."""
        filename = frame.f_code.co_filename
        try:
            return self._files[filename]
        except KeyError:
            pass
        found: str | None = filename
        if not self.owns(filename):
            module = str(frame.f_globals.get("__file__"))
            is_moved = os.path.basename(module) == os.path.basename(filename)
            found = module if is_moved and self.owns(module) else None
        self._files[filename] = found
        return found

    def owns(self, filename: str) -> bool:
        known = self._known.get(filename)
        if known is None:
            known = self._known[filename] = self._decide(filename)
        return known

    def _decide(self, filename: str) -> bool:
        if not filename or filename.startswith("<"):
            return False
        path = os.path.abspath(filename)
        if path.startswith(_OURS) or any(part in path for part in _FOREIGN):
            return False
        if any(path.startswith(prefix) and not self.root.startswith(prefix) for prefix in self._prefixes):
            return False
        return path.startswith(self.roots)

    def shorten(self, filename: str) -> str:
        path = os.path.abspath(filename)
        return path[len(self.root) :] if path.startswith(self.root) else path

    def place_of_frame(self, frame: FrameType | None) -> str | None:
        for _ in range(_MOST_FRAMES):
            if frame is None:
                return None
            filename = self.file_of(frame)
            if filename is not None:
                return f"{self.shorten(filename)}:{frame.f_lineno}"
            if frame.f_code.co_filename == _RUNNER:
                return None  # further out there is no code of a test
            frame = frame.f_back
        return None


def of_item(item: pytest.Item) -> str:
    path, line, _ = item.location
    return f"{path}:{(line or 0) + 1}"


def of_change(item: pytest.Item, kind: str, name: str, project: Project, touched: Sequence[dict[str, Any]]) -> str:
    """The line that made a change, as far as an audit event or the text of the test and its fixtures tells."""
    for each in touched:
        if each["kind"] == kind and each["name"] in (name, "") and each["place"]:
            return str(each["place"])
    word = re.compile(_words(kind, name))
    for function in _functions(item):
        filename, start, lines = _source(inspect.unwrap(function))
        for offset, line in enumerate(lines):
            if word.search(line):
                return f"{project.shorten(filename)}:{start + offset}"
    return of_item(item)


@functools.lru_cache(maxsize=500)
def _source(function: Any) -> tuple[str, int, tuple[str, ...]]:
    """File, first line, and text; nothing where there is none."""
    try:
        lines, start = inspect.getsourcelines(function)
        return inspect.getsourcefile(function) or "", start, tuple(lines)
    except (OSError, TypeError):
        return "", 0, ()


_WORDS = {
    "signal": r"signal\.signal",
    "path": r"sys\.path",
    "random": r"\bseed\(|setstate\(",
    "locale": r"setlocale",
    "timezone": r"TZ\b|tzset",
    "logging": r"logging|\.setLevel|addHandler|basicConfig|\.disable",
    "warnings": r"simplefilter|filterwarnings|resetwarnings",
    "process": r"Popen|Process\(|fork\(",
    "thread": r"Thread\(|\.start\(|Timer\(",
    "decimal": r"getcontext|setcontext",
    "folder": r"chdir",
    "umask": r"umask",
}


def _words(kind: str, name: str) -> str:
    return _WORDS.get(kind) or rf"\b{re.escape(name.rsplit('.', 1)[-1])}\b"


def _functions(item: Any) -> list[Any]:
    found = [getattr(item, "function", None)]
    info = getattr(item, "_fixtureinfo", None)
    for definitions in getattr(info, "name2fixturedefs", {}).values():
        found.extend(each.func for each in definitions)
    return [each for each in found if each is not None]
