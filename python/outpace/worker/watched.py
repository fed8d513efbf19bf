"""Containers that note who asks for the worker's identity: the environment, and ``config.workerinput``.

They answer exactly as the plain ones do. Each question is noted with the file and line of the code that asked, which is
the first frame that belongs neither to the machinery of mappings nor to xdist, whose functions ask for their callers.
"""

from __future__ import annotations

import collections.abc
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any

WORKER_VARIABLE = "PYTEST_XDIST_WORKER"

if TYPE_CHECKING:
    _Environ = os._Environ[str]
    _Input = dict[str, Any]
else:
    _Environ = type(os.environ)
    _Input = dict

# They ask only whether there is a worker, or are the machinery of the run itself.
_HARMLESS = frozenset(
    {
        "_pytest",
        "coverage",
        "execnet",
        "inline_snapshot",
        "outpace",
        "pluggy",
        "pytest_benchmark",
        "pytest_check",
        "pytest_cov",
        "syrupy",
    }
)
_ASKS_FOR_ITS_CALLER = "xdist"


def _package(module: dict[str, Any]) -> str:
    return str(module.get("__name__", "")).partition(".")[0]


_MACHINERY = frozenset(function.__code__.co_filename for function in (os.getenv, collections.abc.Mapping.get, _package))


@dataclass(frozen=True)
class Read:
    """One question. ``kind`` is "direct" for the name itself, "whole" for a copy of everything."""

    name: str
    filename: str
    lineno: int
    kind: str
    harmless: bool


class Notes:
    """Where the questions are written down, until :meth:`stop`."""

    def __init__(self) -> None:
        self.reads: list[Read] = []
        self.listening = True
        self._in_hand: str | None = None
        self._copying: object = None

    def stop(self) -> None:
        self.listening = False

    def asked(self, name: str) -> None:
        """The value of ``name`` was asked for: by name, or in the course of a copy of everything."""
        if self.listening and name != self._in_hand:
            frame = _asking_frame()
            if self._copying != _instruction(frame):
                self._note(frame, name, "direct")

    def hand_out(self, names: Iterable[str], watched: frozenset[str]) -> Iterator[str]:
        """Iterate over the names.

        Two ways lead from here to a value without asking for it by name: a loop that asks for the name it has in hand,
        and a function in C that takes a list of all names and then all values, in one instruction of its caller.
        """
        if self.listening:
            frame = _asking_frame()
            self._copying = _instruction(frame)
            for name in sorted(watched):
                self._note(frame, name, "whole")
            del frame
        try:
            for name in names:
                self._in_hand = name if name in watched else None
                yield name
        finally:
            self._in_hand = None

    def _note(self, frame: FrameType, name: str, kind: str) -> None:
        harmless = _package(frame.f_globals) in _HARMLESS
        read = Read(name, frame.f_code.co_filename, frame.f_lineno, kind, harmless)
        if read not in self.reads:
            self.reads.append(read)


def _asking_frame() -> FrameType:
    frame = sys._getframe(1)
    while frame.f_back is not None and (
        frame.f_code.co_filename in _MACHINERY or _package(frame.f_globals) == _ASKS_FOR_ITS_CALLER
    ):
        frame = frame.f_back
    return frame


def _instruction(frame: FrameType) -> object:
    return id(frame), frame.f_code, frame.f_lasti


_environ_notes = Notes()
_environ_watched = frozenset({WORKER_VARIABLE})


class _TracedClass(_Environ):
    """The class of ``os.environ`` while it is watched."""

    def __getitem__(self, key: str) -> str:
        if key in _environ_watched:
            _environ_notes.asked(key)
        return super().__getitem__(key)

    def __iter__(self) -> Iterator[str]:
        return _environ_notes.hand_out(super().__iter__(), _environ_watched)


class TracedEnviron:
    """Watches ``os.environ`` for reads of the worker's id, and of other names whose values differ between workers:
    ``getenv``, ``get``, ``in``, ``[]``, and copies."""

    def __init__(self, names: frozenset[str] = frozenset()) -> None:
        self._notes = Notes()
        self.names = names | {WORKER_VARIABLE}

    @property
    def reads(self) -> list[Read]:
        return self._notes.reads

    def install(self) -> None:
        global _environ_notes, _environ_watched
        _environ_notes, _environ_watched = self._notes, self.names
        os.environ.__class__ = _TracedClass

    def ignore(self, name: str) -> None:
        """From here on it is no more than any other variable."""
        self.names -= {name}
        self.install()

    def uninstall(self) -> None:
        if type(os.environ) is _TracedClass:
            os.environ.__class__ = _TracedClass.__base__  # type: ignore[assignment]


class RecordingInput(_Input):
    """The template's ``workerinput``: notes reads of the keys whose values differ between workers."""

    def __init__(self, values: Iterable[Any] = (), per_worker_keys: Iterable[str] = ()) -> None:
        super().__init__(values)
        self._watched = frozenset(per_worker_keys) | {"workerid"}
        self._notes = Notes()

    @property
    def reads(self) -> list[Read]:
        return self._notes.reads

    def stop(self) -> None:
        """Note nothing from here on."""
        self._notes.stop()

    def ignore(self, key: str) -> None:
        """From here on it is no more than any other key."""
        self._watched -= {key}

    def _ask(self, key: Any) -> None:
        if key in self._watched:
            self._notes.asked(key)

    def __getitem__(self, key: str) -> Any:
        self._ask(key)
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self._ask(key)
        return super().get(key, default)

    def pop(self, key: str, *default: Any) -> Any:
        self._ask(key)
        return super().pop(key, *default)

    def setdefault(self, key: str, default: Any = None) -> Any:
        self._ask(key)
        return super().setdefault(key, default)

    def __iter__(self) -> Iterator[str]:
        return self._notes.hand_out(super().__iter__(), self._watched)

    def keys(self) -> Any:
        return collections.abc.KeysView(self)

    def values(self) -> Any:
        return collections.abc.ValuesView(self)

    def items(self) -> Any:
        return collections.abc.ItemsView(self)

    def copy(self) -> dict[str, Any]:
        return dict(self.items())

    def __reduce__(self) -> tuple[type, tuple[dict[str, Any]]]:
        return dict, (self.copy(),)

    def __repr__(self) -> str:
        return dict.__repr__(self)
