"""Where the history of earlier runs is kept, if it is. The coordinator reads and writes it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from outpace import pytest_private

if TYPE_CHECKING:
    import pytest

FILE = "history.sqlite3"
_OFF = ("0", "no", "off", "false", "none")


def add_options(parser: pytest.Parser, group: Any) -> None:
    group.addoption(
        "--no-history",
        dest="outpace_no_history",
        action="store_true",
        default=False,
        help="Neither use nor write down what tests take from run to run.",
    )
    parser.addini(
        "outpace_history",
        "The file that keeps what tests take (default: in pytest's cache folder), or `off`.",
        default="",
    )


class History:
    """The history of this run: its file, or why there is none."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.notices: list[str] = []
        given = str(config.getini("outpace_history")).strip()
        self.is_kept = not (config.option.outpace_no_history or given.lower() in _OFF) and (
            bool(given) or getattr(config, "cache", None) is not None
        )
        self._given = given

    def path(self) -> str | None:
        """Its folder is there then. Called while the tests are collected, so that it costs no time."""
        if not self.is_kept:
            return None
        try:
            folder, name = self._place()
            writable = os.access(folder, os.W_OK)
        except OSError as error:
            self.notices.append(f"no history is kept: {error}")
            return None
        file = folder / name
        if not writable or (file.exists() and not os.access(file, os.W_OK)):
            self.notices.append(f"no history is kept: {file} cannot be written")
            return None
        return str(file)

    def _place(self) -> tuple[Path, str]:
        if not self._given:
            return pytest_private.cache_folder(self.config, "outpace"), FILE
        path = self.config.rootpath / Path(self._given).expanduser()
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.parent, path.name

    def summarise(self, terminalreporter: Any) -> None:
        for notice in self.notices:
            terminalreporter.write_line(f"outpace: {notice}", yellow=True)
