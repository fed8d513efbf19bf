"""The state of this process that tests share: read before and after each, and put back on demand.

The environment, the folder, ``sys.path``, signal handlers, random numbers, locale, time zone, logging, warnings and
the like, and what :mod:`~outpace.recording.attributes` watches.
"""

from __future__ import annotations

import decimal
import locale
import logging
import os
import random
import signal
import socket
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

try:
    # Without the names of signals it is four hundred times as quick, and it is asked for all of them after each test.
    from _signal import getsignal  # type: ignore[import-not-found, unused-ignore]
except ImportError:
    from signal import getsignal

from .attributes import MISSING, Attributes, Key, Known, Shot, differs, restore
from .places import Project

_IGNORED_VARIABLES = frozenset({"PYTEST_CURRENT_TEST", "COLUMNS", "LINES"})


class Probe(NamedTuple):
    """Something of the process that can be read and set."""

    kind: str
    name: str
    read: Callable[[], Any]
    restore: Callable[[Any], Any]


def _handlers() -> tuple[Any, ...]:
    root = logging.getLogger()
    return (root.level, tuple(root.handlers), logging.root.manager.disable, tuple(root.filters))


def _restore_handlers(value: tuple[Any, ...]) -> None:
    root = logging.getLogger()
    root.level, root.handlers[:], logging.root.manager.disable, root.filters[:] = value
    root.manager._clear_cache()  # type: ignore[attr-defined]


def _random() -> tuple[Any, ...]:
    """The place in the sequence, and words that any seed makes others: 625 numbers need not be compared."""
    _, words, gauss = random.getstate()
    return (words[-1], words[1], words[2], words[3], gauss)


def _locale() -> Any:
    return locale.setlocale(locale.LC_ALL)


def _set_zone(value: tuple[Any, ...]) -> None:
    if hasattr(time, "tzset"):
        time.tzset()


def _set_path(value: tuple[str, ...]) -> None:
    sys.path[:] = value


def _set_warnings(value: tuple[Any, ...]) -> None:
    warnings.filters[:] = value  # type: ignore[index]
    warnings._filters_mutated()  # type: ignore[attr-defined]


def _decimal() -> tuple[Any, ...]:
    context = decimal.getcontext()
    return (context.prec, context.rounding)


def _set_decimal(value: tuple[Any, ...]) -> None:
    context = decimal.getcontext()
    context.prec, context.rounding = value


def _umask() -> int:
    value = os.umask(0o077)
    os.umask(value)
    return value


def _streams() -> tuple[Any, ...]:
    return (sys.excepthook, sys.displayhook, sys.getrecursionlimit(), sys.getswitchinterval())


def _set_streams(value: tuple[Any, ...]) -> None:
    sys.excepthook, sys.displayhook = value[:2]
    sys.setrecursionlimit(value[2])
    sys.setswitchinterval(value[3])


def _probes() -> list[Probe]:
    found = [
        Probe("folder", "working directory", os.getcwd, os.chdir),
        Probe("path", "sys.path", lambda: tuple(sys.path), _set_path),
        Probe("random", "random state", random.getstate, random.setstate),
        Probe("locale", "locale", _locale, lambda value: locale.setlocale(locale.LC_ALL, value)),
        Probe("timezone", "time zone", lambda: time.tzname, _set_zone),
        Probe("logging", "root logger", _handlers, _restore_handlers),
        Probe("warnings", "warnings filters", lambda: tuple(warnings.filters), _set_warnings),
        Probe("decimal", "decimal context", _decimal, _set_decimal),
        Probe("umask", "umask", _umask, os.umask),
        Probe("hooks", "sys hooks and limits", _streams, _set_streams),
        Probe("socket", "socket default timeout", socket.getdefaulttimeout, socket.setdefaulttimeout),
    ]
    return found


def _set_signal(number: int, value: Any) -> None:
    if value is not None:
        signal.signal(number, value)


def _environ() -> Any:
    """As it is kept: to copy it decoded takes a hundred times as long."""
    data = getattr(os.environ, "_data", None)
    return dict(os.environ) if data is None else data.copy()


class State:
    def __init__(self, project: Project) -> None:
        self._attributes = Attributes(project)
        self._probes = _probes()
        self._reads = [_random if probe.kind == "random" else probe.read for probe in self._probes]
        numbers = (int(number) for number in signal.valid_signals())
        self._signals = sorted(each for each in numbers if each < 32 and each not in (signal.SIGKILL, signal.SIGSTOP))
        self._start: dict[Key, Any] = {}
        # As they were after the last test.
        self._environ: Any = None
        self._variables: dict[str, str] = {}
        self._values: list[Any] = []
        self._handlers: list[Any] = []

    def look(self) -> None:
        """Right before a test. What fixtures of other tests changed meanwhile is nobody's."""
        self._attributes.look()
        if not self._start:
            self._changes()
            self._start = self._read()

    def changes(self) -> list[Key]:
        """What the test left changed."""
        return [*self._changes(), *self._attributes.changes()]

    def _changes(self) -> list[Key]:
        found: list[Key] = []
        environ = _environ()
        if environ != self._environ:
            before, now = self._variables, dict(os.environ)
            self._environ, self._variables = environ, now
            names = (name for name in {**before, **now} if before.get(name) != now.get(name))
            found.extend(("variable", name) for name in names if name not in _IGNORED_VARIABLES)
        values = self._read_probes()
        if values != self._values:
            for probe, value, before in zip(self._probes, values, self._values):
                if value is not before and value != before:
                    found.append((probe.kind, probe.name))
            self._values = values
        handlers = list(map(getsignal, self._signals))
        if handlers != self._handlers:
            for number, handler, before in zip(self._signals, handlers, self._handlers):
                if handler is not before and handler != before:
                    found.append(("signal", _signal_name(number)))
            self._handlers = handlers
        return found

    def _read_probes(self) -> list[Any]:
        try:
            return [read() for read in self._reads]
        except (OSError, ValueError):
            return [_value(probe) for probe in self._probes]

    def since_start(self) -> list[Key]:
        values = self._read()
        keys = dict.fromkeys([*self._start, *values])
        found = [key for key in keys if self._start.get(key, MISSING) != values.get(key, MISSING)]
        for key, (owner, attribute, shot) in self._attributes.first.items():
            if differs(shot, vars(owner).get(attribute, MISSING)):
                found.append(key)
        return found

    def undo(self, kind: str, name: str) -> bool:
        """Put one thing back to what it was before the first test; False when it is not known here."""
        key = (kind, name)
        if kind == "variable":
            value = self._start.get(key)
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
            return True
        if kind == "attribute":
            known = self._attributes.first.get(key)
            if known is None:
                owner_name, _, attribute = name.rpartition(".")
                owner = self._owner(owner_name)
                if owner is not None:
                    restore(Known(owner, attribute, Shot(MISSING, None)))
                return True
            restore(known)
            return True
        for number in self._signals if kind == "signal" else ():
            if _signal_name(number) == name:
                _set_signal(number, self._start[key])
                return True
        for probe in self._probes:
            if (probe.kind, probe.name) == key:
                if kind == "timezone":
                    self.undo("variable", "TZ")
                probe.restore(self._start[key])
                return True
        return False

    def _owner(self, name: str) -> Any:
        if name in sys.modules:
            return sys.modules[name]
        module, _, kind = name.rpartition(".")
        return getattr(sys.modules.get(module), kind, None)

    def _read(self) -> dict[Key, Any]:
        found: dict[Key, Any] = {
            ("variable", name): value for name, value in os.environ.items() if name not in _IGNORED_VARIABLES
        }
        found.update(((probe.kind, probe.name), _value(probe)) for probe in self._probes)
        found.update((("signal", _signal_name(number)), getsignal(number)) for number in self._signals)
        return found


def _value(probe: Probe) -> Any:
    try:
        return probe.read()
    except (OSError, ValueError):
        return None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
