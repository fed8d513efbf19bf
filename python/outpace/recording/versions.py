"""Which dicts were written to since they were last asked about, without a look at what is in them.

To look at thousands of objects after each test takes most of what recording costs: they are no longer in the caches of
the processor. CPython knows better: up to 3.11 each dict has a version (PEP 509), from 3.12 on dicts can be watched
(`PyDict_Watch`). Elsewhere nothing is known, and all of them are to be looked at.
"""

from __future__ import annotations

import atexit
import ctypes
import sys
from collections.abc import Callable
from typing import Any, ClassVar

Dict = dict[str, Any]

# Behind the reference count, the type and the number of items.
_TAG = 3 * ctypes.sizeof(ctypes.c_void_p)
_PLAIN_OBJECT = 2 * ctypes.sizeof(ctypes.c_void_p)


class Tags:
    """The versions of dicts: each write gives a dict a new one."""

    def __init__(self, dicts: list[Dict]) -> None:
        self._dicts = dicts
        self._tags = [ctypes.c_uint64.from_address(id(each) + _TAG) for each in dicts]
        self._seen = self._read()

    def written(self) -> list[int]:
        """The places of those that were written to since the last call."""
        now = self._read()
        if now == self._seen:
            return []
        seen, self._seen = self._seen, now
        return [place for place, tag in enumerate(now) if tag != seen[place]]

    def _read(self) -> list[int]:
        return [tag.value for tag in self._tags]


class Watched:
    """Dicts of which CPython says when they are written to."""

    # Of the process: there are eight watchers for everybody.
    _watcher = -1
    _touched: ClassVar[set[int]] = set()
    _callback: Any = None

    def __init__(self, dicts: list[Dict]) -> None:
        kind = type(self)
        if kind._watcher < 0:
            kind._begin()
        for each in dicts:
            ctypes.pythonapi.PyDict_Watch(kind._watcher, ctypes.py_object(each))
        self._places = {id(each): place for place, each in enumerate(dicts)}
        # An address says which dict it is as long as the dict is there.
        self._dicts = dicts
        kind._touched.clear()

    @classmethod
    def _begin(cls) -> None:
        touch = cls._touched.add

        def written(event: int, address: int, key: Any, value: Any) -> int:
            touch(address)
            return 0

        # The key and the value are addresses: they may be none.
        pointer = ctypes.c_void_p
        cls._callback = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_int, pointer, pointer, pointer)(written)
        cls._watcher = ctypes.pythonapi.PyDict_AddWatcher(cls._callback)
        # Dicts outlive what can be called in an interpreter that ends.
        atexit.register(cls.end)

    @classmethod
    def end(cls) -> None:
        if cls._watcher >= 0:
            ctypes.pythonapi.PyDict_ClearWatcher(cls._watcher)
            cls._watcher = -1

    def written(self) -> list[int]:
        if not self._touched:
            return []
        touched = self._touched.copy()
        self._touched.clear()
        return sorted(self._places[address] for address in touched if address in self._places)


def find() -> Callable[[list[Dict]], Tags | Watched] | None:
    """What tells here; none where nothing does."""
    if sys.implementation.name != "cpython" or object.__basicsize__ != _PLAIN_OBJECT:
        return None
    kind: type[Tags] | type[Watched] = Watched if hasattr(ctypes.pythonapi, "PyDict_Watch") else Tags
    try:
        return kind if _tells(kind) else None
    except Exception:
        return None


def _tells(kind: Callable[[list[Dict]], Tags | Watched]) -> bool:
    """Whether it says what it should of each way to write to a dict, and nothing else."""
    first: Dict = {"a": object()}
    second: Dict = {"a": object(), "b": object()}
    versions = kind([first, second])

    def after(change: Callable[[], Any]) -> list[int]:
        change()
        return versions.written()

    return (
        after(lambda: [*first.values(), first == second, first.get("c")]) == []
        and after(lambda: first.update(a=object())) == [0]
        and after(lambda: second.__setitem__("c", object())) == [1]
        and after(lambda: second.pop("b")) == [1]
        and after(lambda: [first.pop("a"), second.popitem()]) == [0, 1]
        and after(lambda: {"a": 0}.update(a=1)) == []
    )
