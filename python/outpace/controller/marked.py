"""What the controller tells of marked tests: which ones ran alone, and overrides that match none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from outpace import collection
from outpace.marks import warn

if TYPE_CHECKING:
    import pytest


class Marked:
    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self._serial: dict[int, str] = {}
        self._ran: dict[int, int] = {}
        self._is_first = False
        self._unmatched: list[str] = []

    def collected(self, payload: bytes) -> None:
        marks = collection.decode_marks(payload)
        reasons = marks.get("reasons", {})
        self._serial = {index: reasons.get(str(index), "") for index in marks.get("serial", ())}
        self._is_first = marks.get("serial_first", False)
        self._unmatched = marks.get("unmatched", [])

    def finished(self, item: int) -> None:
        if item in self._serial:
            self._ran[item] = self._ran.get(item, 0) + 1

    def summarise(self, terminalreporter: Any, ids: list[str], *, is_coordinated: bool) -> None:
        verbose = self.config.option.verbose
        if verbose < 0:
            return
        count = sum(self._ran.values())
        if count:
            when = f" at the {'start' if self._is_first else 'end'}" if is_coordinated else ""
            terminalreporter.write_line(f"outpace: {count} serial test{'s' if count != 1 else ''} ran alone{when}")
        for item in self._ran if verbose > 0 else ():
            reason = self._serial[item] if verbose > 1 else ""
            terminalreporter.write_line(f"  {ids[item]}{': ' if reason else ''}{reason}")
        warn(terminalreporter, self._unmatched)
