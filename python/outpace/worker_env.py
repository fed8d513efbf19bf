"""``[tool.outpace.env]``: variables that differ from worker to worker, set before the project is imported.

Imported only where there is such a table.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .pyproject import Reader

_PLACE = re.compile(r"\{([^{}]*)\}")
# What differs between the workers of one run.
_OF_A_WORKER = frozenset({"worker", "slot"})
_KNOWN = frozenset({"worker", "slot", "run"})
# Long enough for a machine, short enough for the name of a database.
_RUN_LENGTH = 12

SERIAL = "master"

_run_key = pytest.StashKey[str]()


def read(reader: Reader, table: Mapping[str, Any]) -> dict[str, str]:
    """Raises ``pytest.UsageError`` with the line."""
    start = reader.header(r"\[\s*tool\.outpace\.env\s*\]")
    for name, value in table.items():
        line = reader.line_of(name, start)
        if not isinstance(value, str):
            raise reader.error(f"variable `{name}` must be a string", line)
        if not name or "=" in name or "\0" in name + value:
            raise reader.error(f"`{name}` cannot be the name of an environment variable", line)
        for place in _PLACE.findall(value):
            if place not in _KNOWN:
                known = tuple(f"{{{each}}}" for each in sorted(_KNOWN))
                raise reader.error(f"variable `{name}`: unknown `{{{place}}}`", line, known)
    return dict(table)


def of_workers(table: Mapping[str, str]) -> frozenset[str]:
    """The variables that differ between workers: who reads one before the fork has another worker's."""
    return frozenset(name for name, value in table.items() if _OF_A_WORKER & set(_PLACE.findall(value)))


def apply_early(config: pytest.Config, table: Mapping[str, str]) -> None:
    """In the process that has no worker above it, before its conftests: their names are those of a serial run."""
    run_id: str = getattr(config.known_args_namespace, "testrunuid", None) or uuid.uuid4().hex
    config.stash[_run_key] = run_id
    apply(table, SERIAL, run_id)


def settle_run(config: pytest.Config) -> None:
    """Workers get the id that has been used."""
    config.option.testrunuid = config.stash[_run_key]


def apply(table: Mapping[str, str], worker_id: str, run_id: str) -> None:
    def value_of(place: re.Match[str]) -> str:
        name = place.group(1)
        if name == "slot":
            from . import leases

            return str(leases.slot())
        return worker_id if name == "worker" else run_id[:_RUN_LENGTH]

    for name, value in table.items():
        os.environ[name] = _PLACE.sub(value_of, value)
